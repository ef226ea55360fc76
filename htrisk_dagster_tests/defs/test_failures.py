"""Two broken days are listed with their error; mended, they and nothing else are made."""

from datetime import date
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.test_utils import freeze_time
from htrisk_dagster.cli import app
from htrisk_dagster.defs.dagster_home import prepare_dagster_home
from htrisk_dagster.defs.failures import GONE, unmade
from htrisk_dagster.defs.forecast import map_path
from htrisk_dagster.defs.plan import Step
from htrisk_dagster.defs.runs import TERMINAL, Runner, StepFailedError, terminal_logger
from htrisk_dagster.errors import SourceError
from htrisk_dagster.schemas import predictions
from htrisk_dagster_tests.defs.small_city import City
from typer.testing import CliRunner

DAYS = dg.DailyPartitionsDefinition("2024-04-01", end_date="2024-05-01")
MADE = ("predictions/cell_day_risk", "publishing/risk_map")
BROKEN = ("2024-04-02", "2024-04-04")


class Feed:
    """Days that cannot be made."""

    broken: tuple[str, ...] = ()


@pytest.fixture
def feed() -> Feed:
    return Feed()


@pytest.fixture
def definitions(feed: Feed) -> dg.Definitions:
    @dg.asset(
        key=["nyc", "raw", "days"],
        partitions_def=DAYS,
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def days(context: dg.AssetExecutionContext) -> None:
        for day in context.partition_keys:
            if day in feed.broken:
                raise SourceError(f"The file of {day} is broken.")

    @dg.asset(
        key=["nyc", "maps", "days"],
        partitions_def=DAYS,
        deps=[days],
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def maps() -> None:
        pass

    @dg.asset(key=["nyc", "maps", "all"], deps=[maps])
    def whole() -> None:
        if feed.broken:
            raise SourceError("Not every day is there.")

    return dg.Definitions(assets=[days, maps, whole], loggers={TERMINAL: terminal_logger})


@pytest.fixture
def runner(definitions: dg.Definitions) -> Runner:
    class Nyc:
        name = "nyc"

    return Runner(definitions, dg.DagsterInstance.ephemeral(), Nyc())  # type: ignore[arg-type]


def make(runner: Runner, *days: str, assets: tuple[str, ...] = ("raw/days", "maps/days")) -> str:
    try:
        runner.materialise(Step("Days", assets, days))
    except StepFailedError as error:
        return str(error)
    return ""


def listed(runner: Runner, tmp_path: Path) -> list[str]:
    return [str(each) for each in unmade(runner.definitions, runner.instance, tmp_path)]


def made_days(runner: Runner) -> set[str]:
    return set(runner.instance.get_materialized_partitions(dg.AssetKey(["nyc", "maps", "days"])))


def test_what_failed_is_listed_by_run_with_its_sentence_and_resumed(
    runner: Runner, feed: Feed, tmp_path: Path
) -> None:
    assert listed(runner, tmp_path) == []
    feed.broken = BROKEN
    make(runner, "2024-04-01")
    make(runner, "2024-04-02")
    make(runner, "2024-04-03", "2024-04-04", "2024-04-05")
    make(runner, assets=("maps/all",))

    assert listed(runner, tmp_path) == [
        "nyc/raw/days and 1 after it, 2024-04-02: The file of 2024-04-02 is broken.",
        "nyc/raw/days and 1 after it, 2024-04-03 to 2024-04-05: The file of 2024-04-04 is broken.",
        "nyc/maps/all: Not every day is there.",
    ]
    feed.broken = ()
    for each in unmade(runner.definitions, runner.instance, tmp_path):
        runner.resume(each)
    assert listed(runner, tmp_path) == []
    assert made_days(runner) == {f"2024-04-0{i}" for i in range(1, 6)}
    runs = runner.instance.get_runs()
    assert len(runs) == 4 + 3, "nothing that was made is made again"


def test_what_failed_and_was_made_since_is_not_listed(
    runner: Runner, feed: Feed, tmp_path: Path
) -> None:
    feed.broken = BROKEN
    make(runner, BROKEN[0])
    feed.broken = ()
    make(runner, BROKEN[0])
    assert listed(runner, tmp_path) == []


def test_the_order_of_history_is_not_that_of_a_clock_that_was_set_back(
    runner: Runner, feed: Feed, tmp_path: Path
) -> None:
    """A day that fails by an earlier clock is no day that was made, and the other way round."""
    from datetime import UTC, datetime

    later, sooner = (datetime(2024, 4, d, tzinfo=UTC) for d in (10, 8))
    feed.broken = (BROKEN[0],)
    with freeze_time(later):
        make(runner, "2024-04-01")
        make(runner, BROKEN[0])
    with freeze_time(sooner):
        feed.broken = (BROKEN[1],)
        make(runner, BROKEN[0])
        make(runner, BROKEN[1])
    assert listed(runner, tmp_path) == [
        "nyc/raw/days and 1 after it, 2024-04-04: The file of 2024-04-04 is broken."
    ]
    assert made_days(runner) == {"2024-04-01", BROKEN[0]}


def test_a_file_that_is_gone_is_listed(runner: Runner, tmp_path: Path) -> None:
    make(runner, "2024-04-01", "2024-04-02")
    folder = tmp_path / "raw" / "days" / "area=nyc"
    folder.mkdir(parents=True)
    (folder / "2024-04-01.parquet").touch()
    assert listed(runner, tmp_path) == [f"nyc/raw/days, 2024-04-02: {GONE}"]


@pytest.mark.slow  # 16 s of CPU: four runs of the city
def test_two_broken_days_of_the_city_are_made_again_to_the_byte(
    city_copy: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = city_copy.workspace.tables("nyc")
    days = [f"2024-04-0{i}" for i in range(1, 6)]

    def files() -> dict[str, bytes]:
        area = city_copy.area
        found = {d: store.path(predictions.CELL_DAY_RISK, d).read_bytes() for d in days}
        maps = {f"map {d}": map_path(city_copy.workspace, area, d).read_bytes() for d in days}
        return found | maps

    forecasts = {d: store.path(predictions.MODEL_FORECASTS, d) for d in BROKEN}
    before, good = files(), {d: p.read_bytes() for d, p in forecasts.items()}
    untouched = {d: store.path(predictions.CELL_DAY_RISK, d).stat().st_mtime_ns for d in days}
    for path in forecasts.values():
        path.write_bytes(b"torn")
    with city_copy.runner() as runner:
        for day in BROKEN:
            make(runner, day, assets=MADE)
    monkeypatch.setenv("HTRISK_HISTORY_START", str(date(2023, 9, 1)))
    monkeypatch.setenv("HTRISK_PROFILE", "smoke")
    monkeypatch.setenv("DAGSTER_HOME", "")
    prepare_dagster_home(city_copy.settings.dagster_home)
    given = ["--data", str(city_copy.published), "--home", str(city_copy.folder / "home")]

    told = CliRunner().invoke(app, ["failed", *given])
    assert told.exit_code == 1
    lines = told.stdout.splitlines()
    assert len(lines) == 3, told.stdout
    for line, day in zip(lines, BROKEN, strict=False):
        assert line.startswith(f"nyc/predictions/cell_day_risk and 1 after it, {day}: ")
    for day, content in good.items():
        forecasts[day].write_bytes(content)
    done = CliRunner().invoke(app, ["resume", *given])

    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == "2 made, 0 failed again."
    assert files() == before
    again = {
        d
        for d in days
        if store.path(predictions.CELL_DAY_RISK, d).stat().st_mtime_ns != untouched[d]
    }
    assert again == set(BROKEN)
    assert CliRunner().invoke(app, ["failed", *given]).stdout == "Nothing has failed.\n"
