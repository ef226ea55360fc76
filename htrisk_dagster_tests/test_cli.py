"""The `htrisk` command: what it says, its exit codes, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from htrisk_dagster.cli import app
from htrisk_dagster.schemas import ALL_TABLES
from htrisk_dagster.sources.layouts import LAYOUTS
from typer.testing import CliRunner

Invoke = Callable[..., Result]
COMMANDS = sorted(c.name or c.callback.__name__ for c in app.registered_commands)
A_DAY = ("--start", "2024-04-01", "--end", "2024-04-01")


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Invoke:
    """Run the command in an empty folder; the environment is as before afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", "")

    def run(*arguments: str, **environment: str) -> Result:
        return CliRunner().invoke(app, arguments, env=environment, terminal_width=200)

    return run


def one_sentence(result: Result) -> str:
    """What was said on stderr: one line, from `htrisk`, to its full stop."""
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit), "an error for the user, no traceback"
    (line,) = result.stderr.splitlines()
    assert line.startswith("htrisk: ")
    assert line.endswith(".")
    return line


def publish(folder: Path, table: str, *, without: str = "") -> Path:
    """An empty CSV with a table's columns, in the publisher's spelling."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{table}.csv"
    path.write_text(",".join(c for c in LAYOUTS[table].columns if c != without) + "\n")
    return path


def test_every_command_is_known() -> None:
    assert {"run", "export", "score", "fetch", "doctor", "dictionary", "ui"} <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command(invoke: Invoke, command: str) -> None:
    result = invoke(command, "--help")

    assert result.exit_code == 0
    assert f"Usage: htrisk {command}" in result.stdout.replace("root", "htrisk")


def test_help_lists_the_commands(invoke: Invoke) -> None:
    result = invoke("--help")

    assert result.exit_code == 0
    assert all(command in result.stdout for command in COMMANDS)


def test_an_end_before_the_start(invoke: Invoke, tmp_path: Path) -> None:
    said = one_sentence(invoke("run", "--start", "2024-04-05", "--end", "2024-04-01"))

    assert "--end 2024-04-01 lies before --start 2024-04-05" in said
    assert list(tmp_path.iterdir()) == []


def test_a_day_that_is_none(invoke: Invoke) -> None:
    result = invoke("run", "--start", "2024-02-30", "--end", "2024-03-01")

    assert result.exit_code == 2
    assert "2024-02-30" in result.stderr
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"HTRISK_PROFIL": "full"}, ("HTRISK_PROFIL ", "HTRISK_PROFILE")),
        ({"HTRISK_PROFILE": "slow"}, ("'profile'", "'slow'", "'quick', 'full' or 'smoke'")),
        ({"HTRISK_SEED": "-1"}, ("'seed'", "'-1'")),
        ({"HTRISK_PUBLICATION_LAG_DAYS": "soon"}, ("'publication_lag_days'", "'soon'")),
        ({"HTRISK_HISTORY_START": "2024-13-01"}, ("'history_start'", "'2024-13-01'")),
        ({"HTRISK_ORIGIN": "files"}, ("origin=files needs data_dir",)),
        ({"HTRISK_AREA": "atlantis"}, ("atlantis", "nyc")),
        ({"HTRISK_TARGET": "arson"}, ("no target 'arson'", "trafficking_related, shootings")),
    ],
)
def test_a_setting_that_is_unknown_or_illegal(
    invoke: Invoke, tmp_path: Path, environment: dict[str, str], expected: tuple[str, ...]
) -> None:
    # The area is an option with a default, so a variable for it has nothing to say.
    arguments = ("--area", environment.pop("HTRISK_AREA")) if "HTRISK_AREA" in environment else ()
    said = one_sentence(invoke("run", *A_DAY, *arguments, **environment))

    assert all(part in said for part in expected), said
    assert list(tmp_path.iterdir()) == []


def test_a_data_folder_that_is_absent(invoke: Invoke, tmp_path: Path) -> None:
    said = one_sentence(invoke("run", *A_DAY, "--data", "elsewhere"))

    assert "There is no folder elsewhere" in said
    assert list(tmp_path.iterdir()) == []


def test_an_empty_data_folder(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()

    said = one_sentence(invoke("run", *A_DAY, "--data", "data"))

    assert "data holds no file of boroughs, none of precincts, none of complaints" in said
    assert "--data" in said.split(". ")[1], "what to do"
    assert [p.name for p in tmp_path.rglob("*")] == ["data"]


def test_a_file_that_lacks_a_column(invoke: Invoke, tmp_path: Path) -> None:
    path = publish(tmp_path / "data", "complaints", without="RPT_DT")
    for table in ("boroughs", "precincts"):
        name = LAYOUTS[table].required[0]
        text = f'{{"type": "FeatureCollection", "features": [{{"properties": {{"{name}": 1}}}}]}}'
        (tmp_path / "data" / f"{table}.geojson").write_text(text)

    said = one_sentence(invoke("run", *A_DAY, "--data", "data"))

    assert f"{path.relative_to(tmp_path)} looks like a file of complaints" in said
    assert "lacks the columns RPT_DT." in said
    assert "Fetch it again, or take it out of the folder." in said
    assert sorted(p.name for p in tmp_path.iterdir()) == ["data"]


def test_another_table_that_lacks_a_column_writes_no_row(invoke: Invoke, tmp_path: Path) -> None:
    """A file that the target does not need is met by the run itself, before its first step."""
    publish(tmp_path / "data", "complaints")
    for table in ("boroughs", "precincts"):
        name = LAYOUTS[table].required[0]
        text = f'{{"type": "FeatureCollection", "features": [{{"properties": {{"{name}": 1}}}}]}}'
        (tmp_path / "data" / f"{table}.geojson").write_text(text)
    path = publish(tmp_path / "data", "permitted_events", without="START_DATE_TIME")

    said = one_sentence(invoke("run", *A_DAY, "--data", "data"))

    assert f"{path.relative_to(tmp_path)} looks like a file of permitted_events" in said
    assert list(tmp_path.rglob("*.parquet")) == []


def test_a_backup_of_nothing(invoke: Invoke) -> None:
    said = one_sentence(invoke("backup", "--to", "kept"))

    assert "There is no workspace" in said
    assert "htrisk run" in said


def test_a_backup_and_its_restore_elsewhere(invoke: Invoke, tmp_path: Path) -> None:
    file = tmp_path / ".htrisk/synthetic/warehouse/maps/a.html"
    file.parent.mkdir(parents=True)
    file.write_text("map")

    made = invoke("backup", "--to", "kept/a.tar")
    again = one_sentence(invoke("restore", "--from", "kept/a.tar"))
    (tmp_path / "data").mkdir()
    real = one_sentence(
        invoke("restore", "--from", "kept/a.tar", "--home", "third", "--data", "data")
    )
    elsewhere = invoke("restore", "--from", "kept/a.tar", "--home", "other")

    assert (made.exit_code, elsewhere.exit_code) == (0, 0), made.output + elsewhere.output
    assert "1 files." in made.stdout
    assert "--replace" in again
    assert "holds a workspace of origin synthetic" in real
    assert list((tmp_path / "third").iterdir()) == []
    assert (tmp_path / "other/synthetic/warehouse/maps/a.html").read_text() == "map"


def test_doctor_names_a_file_that_no_table_takes(invoke: Invoke, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/new.csv").write_text("INCIDENT_KEY,DAY,TIME\n")
    result = invoke("doctor", HTRISK_ORIGIN="files", HTRISK_DATA_DIR="data")

    assert "new.csv is read for no table" in result.stdout
    assert "nearest is shootings, with 1 of its 7" in result.stdout


def test_doctor_of_an_empty_workspace(invoke: Invoke) -> None:
    result = invoke("doctor")

    assert result.exit_code == 0, result.output
    assert "ok       dagster 1.13" in result.stdout
    assert "warehouse is empty" in result.stdout
    assert "MISSING" not in result.stdout


def test_doctor_names_what_is_missing(invoke: Invoke) -> None:
    result = invoke("doctor", HTRISK_ORIGIN="files", HTRISK_DATA_DIR="gone")

    assert result.exit_code == 1
    assert "MISSING  data_dir gone is no folder" in result.stdout


def test_doctor_tells_of_a_bad_setting(invoke: Invoke) -> None:
    result = invoke("doctor", HTRISK_SPEED="11")

    assert result.exit_code == 1
    assert "MISSING  Unknown setting HTRISK_SPEED" in result.stdout


def test_the_dictionary_has_every_table_and_column(invoke: Invoke) -> None:
    result = invoke("dictionary")

    assert result.exit_code == 0
    for table in ALL_TABLES:
        section = result.stdout.split(f"## {table.full_name}\n")[1].split("\n## ")[0]
        assert [
            line.split("`")[1] for line in section.splitlines() if line.startswith("| `")
        ] == table.column_names


def test_the_dictionary_of_features(invoke: Invoke) -> None:
    result = invoke("dictionary", "--features")

    assert result.exit_code == 0
    for name in ("target_lag_28", "incidents_near_mean_28", "is_holiday", "land_share"):
        assert f"| `{name}` |" in result.stdout


@pytest.mark.parametrize(
    ("command", "arguments"),
    [("fetch", ("--start", "2024-02-01", "--end", "2024-01-01")), ("doctor", ())],
)
def test_an_unknown_area(invoke: Invoke, command: str, arguments: tuple[str, ...]) -> None:
    result = invoke(command, *arguments, "--area", "atlantis")

    assert result.exit_code == 1
    assert "Traceback" not in result.output
