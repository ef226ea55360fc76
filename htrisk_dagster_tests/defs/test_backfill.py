"""Ranges, repeats and what a change makes out of date."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import polars as pl
import pytest
from htrisk_dagster.defs.featured import features_table
from htrisk_dagster.defs.forecast import map_path
from htrisk_dagster.defs.partitions import days_of
from htrisk_dagster.defs.plan import Step
from htrisk_dagster.defs.runs import Runner, StepFailedError
from htrisk_dagster.models.count_model import MODEL_NAMES
from htrisk_dagster.schemas import grid, predictions
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.study_areas.area import load_area
from htrisk_dagster_tests.defs.small_city import APRIL, MARCH, REPORTS, City

FEATURES = features_table(load_area("nyc"))
BY_DAY = (FEATURES, predictions.MODEL_FORECASTS, predictions.CELL_DAY_RISK)
SCORED = (
    "features/cell_day", "predictions/model_forecasts", "predictions/cell_day_risk",
    "publishing/risk_map",
)  # fmt: skip
ALL_OF_A_DAY = (*SCORED[:-1], "predictions/precinct_day_risk", SCORED[-1])
TRAINED = (*MODEL_NAMES, "champion")


def files_of(city: City, days: Iterable[str]) -> dict[str, bytes]:
    """Everything that is stored of some days, by name."""
    store = city.workspace.tables("nyc")
    found = {}
    for day in days:
        for table in BY_DAY:
            found[f"{table.full_name} {day}"] = store.path(table, day).read_bytes()
        found[f"map {day}"] = map_path(city.workspace, city.area, day).read_bytes()
    return found


def remove(city: City, days: Iterable[str]) -> None:
    store = city.workspace.tables("nyc")
    for day in days:
        for table in BY_DAY:
            store.path(table, day).unlink()
        map_path(city.workspace, city.area, day).unlink()


def score(runner: Runner, *days: str) -> None:
    """Features, forecasts, risk and maps of days in one run."""
    runner.materialise(Step(f"Score {days}", SCORED, days))


def test_a_second_run_has_nothing_to_do(city_copy: City) -> None:
    assert city_copy.run_range(*APRIL) == []
    assert city_copy.run_range(*MARCH) == []
    # Both months at once, though they were run apart.
    assert city_copy.run_range(MARCH[0], APRIL[1]) == []


@pytest.mark.slow
def test_any_way_to_a_day_gives_the_same_bytes(city: City, city_copy: City) -> None:
    days = days_of(*APRIL)
    whole = files_of(city, days)
    remove(city_copy, days)
    with city_copy.runner() as runner:
        score(runner, days[3])
        score(runner, *days[:3])
        once = files_of(city_copy, days[:4])
        score(runner, days[3])
        score(runner, days[4])

    assert files_of(city_copy, days) == whole
    assert once == {name: content for name, content in whole.items() if days[4] not in name}


def test_a_lost_day_alone_is_made_again(city_copy: City) -> None:
    remove(city_copy, ["2024-04-03"])
    with city_copy.runner() as runner:
        step = next(city_copy.stale_steps(runner, *APRIL))

    assert (step.assets, step.keys) == (ALL_OF_A_DAY, ("2024-04-03",))


def test_a_step_makes_what_is_lost_and_what_follows_from_it(city_copy: City) -> None:
    day, store = "2024-04-03", city_copy.workspace.tables("nyc")
    tables = (*BY_DAY, predictions.PRECINCT_DAY_RISK)
    made = [store.path(table, day) for table in tables]
    made.append(map_path(city_copy.workspace, city_copy.area, day))
    with city_copy.runner() as runner:
        for number in reversed(range(len(made))):
            made[number].unlink()
            step = next(city_copy.stale_steps(runner, *APRIL))
            assert (step.assets, step.keys) == (ALL_OF_A_DAY[number:], (day,))


def test_a_day_is_scored_by_the_newest_model_that_may_be_used(city: City) -> None:
    risk = city.workspace.tables("nyc").read(
        predictions.CELL_DAY_RISK, [*days_of(*MARCH), *days_of(*APRIL)]
    )
    by_day = dict(risk.group_by("risk_on").agg(pl.col("trained_before").unique()).rows())

    # Models of a month are made on its eve, and what is reported that day is not out yet.
    for day in (date(2024, 3, 30), date(2024, 3, 31)):
        assert by_day[day] == [date(2024, 2, 29)]
    for day in (date(2024, 4, 1), date(2024, 4, 5)):
        assert by_day[day] == [date(2024, 3, 31)]


@pytest.mark.slow
def test_one_new_report_touches_only_what_can_see_it(city_copy: City) -> None:
    published = city_copy.published / REPORTS
    lines = published.read_text().splitlines()
    pulled = published.stat().st_mtime
    first = next(line for line in lines[1:] if '"04/01/2024"' in line)
    number = first.split(",")[0]
    # The file bears today's date now, as a file fetched anew does.
    published.write_text("\n".join([*lines, first.replace(number, '"999999999"')]) + "\n")
    assert published.stat().st_mtime > pulled

    store = city_copy.workspace.tables("nyc")
    before = {t: store.contents(t) for t in (grid.INCIDENT_CELLS, FEATURES)}
    steps = city_copy.run_range(*APRIL)

    assert [s.assets for s in steps if s.assets[0].startswith(("raw/", "grid/"))] == [
        ("raw/complaints",),
        ("grid/incident_cells",),
    ]
    keys = {s.assets[0]: s.keys for s in steps}
    # The first cutoff at which something reported in April is known is that of 3 April.
    assert keys["features/cell_day"] == ("2024-04-03", "2024-04-04", "2024-04-05")
    assert not [a for a in keys if a.startswith("models/")], "April's models saw none of April"
    assert _changed(before[grid.INCIDENT_CELLS], city_copy, grid.INCIDENT_CELLS) == {"2024-04-01"}
    assert _changed(before[FEATURES], city_copy, FEATURES) == {
        "2024-04-03",
        "2024-04-04",
        "2024-04-05",
    }
    assert city_copy.run_range(*APRIL) == []


def _changed(before: dict[str, str], city: City, table: Table) -> set[str]:
    now = city.workspace.tables("nyc").contents(table)
    return {key for key in before.keys() | now.keys() if before.get(key) != now.get(key)}


@pytest.mark.slow
def test_a_refused_day_goes_no_further_however_often_it_is_asked_for(city_copy: City) -> None:
    # The feed falls silent on 27 March: 3 April can just be forecast, 5 April cannot.
    store = city_copy.workspace.tables("nyc")
    made_from = store.made_from(grid.INCIDENT_CELLS)
    for month in ("2024-03-01", "2024-04-01"):
        known = store.read(grid.INCIDENT_CELLS, [month]).filter(
            pl.col("reported_on") < date(2024, 3, 27)
        )
        store.write(grid.INCIDENT_CELLS, known, month, made_from=made_from[month])
    remove(city_copy, days_of(*APRIL))
    late, soon = date(2024, 4, 5), date(2024, 4, 3)
    sentence = (
        r"Check reports_are_fresh of nyc/features/cell_day: The newest report before the cutoff "
        r"2024-04-04 is of 2024-03-26, 8 days behind; 7 are allowed\. Fetch newer reports\."
    )

    with pytest.raises(StepFailedError, match=sentence):
        city_copy.run_range(late, late)
    with pytest.raises(StepFailedError, match=sentence):
        city_copy.run_range(late, late)
    assert not store.path(predictions.MODEL_FORECASTS, str(late)).exists()

    with city_copy.runner() as runner:
        # In one run of everything, as the schedule's, the check stands in between.
        with pytest.raises(StepFailedError, match=sentence):
            score(runner, str(late))
        assert not store.path(predictions.MODEL_FORECASTS, str(late)).exists()
        score(runner, str(soon))
    assert store.path(predictions.CELL_DAY_RISK, str(soon)).exists()
    # That another day has passed since says nothing of this one.
    with pytest.raises(StepFailedError, match=sentence):
        city_copy.run_range(late, late)
    assert not store.path(predictions.MODEL_FORECASTS, str(late)).exists()
    assert not map_path(city_copy.workspace, city_copy.area, str(late)).exists()
