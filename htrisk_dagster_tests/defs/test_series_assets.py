"""Area series through Dagster: from staged incidents to forecasts, score and plan, with their checks."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
import pytest
from htrisk_dagster.defs import series_checks
from htrisk_dagster.defs.area_series import shift_shares
from htrisk_dagster.defs.assets import series as assets
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.schemas import series, staging
from htrisk_dagster.settings import Settings

FIRST, LAST = date(2020, 1, 1), date(2023, 12, 31)
PRECINCTS = (5, 40, 75)


class Recorder:
    """Stands for MLflow: keeps what it is told."""

    def __init__(self) -> None:
        self.runs: list[tuple[str, str, dict[str, float]]] = []

    def log_values(self, experiment: str, name: str, metrics: dict[str, float], *_: Any) -> None:
        self.runs.append((experiment, name, metrics))


def incidents(last: date) -> pl.DataFrame:
    """Four years of an invented city: more in summer, on Fridays and in the evening."""
    rng = np.random.default_rng(1)
    days = np.arange(np.datetime64(FIRST), np.datetime64(last) + 1)
    season = 1 + 0.3 * np.sin(2 * np.pi * np.arange(len(days)) / 365.25)
    friday = np.where((days.astype(int) + 3) % 7 == 4, 1.5, 1.0)
    rate = (season * friday)[:, None] * np.array([1.0, 2.0, 3.0])
    counts = rng.poisson(rate).ravel()
    day, area = (
        np.repeat(part.ravel(), counts)
        for part in np.broadcast_arrays(days[:, None], np.array(PRECINCTS))
    )
    hour = rng.choice([2, 10, 20], p=[0.1, 0.3, 0.6], size=len(day))
    local = pl.Series(day.astype("datetime64[us]") + hour * np.timedelta64(3_600_000_000, "us"))
    at = local.dt.replace_time_zone("America/New_York", non_existent="null", ambiguous="earliest")
    on = pl.Series(day).cast(pl.Date)
    n = len(day)
    return staging.INCIDENTS.conform(
        pl.DataFrame(
            {
                "incident_id": [f"complaints:{i}" for i in range(n)],
                "source": ["complaints"] * n,
                "occurred_at": at.dt.convert_time_zone("UTC").dt.replace_time_zone(None),
                "occurred_on": on,
                "reported_on": on,
                "offence_code": [None] * n,
                "offence_group": ["other"] * n,
                "law_category": [None] * n,
                "borough": ["BRONX"] * n,
                "precinct": area,
                "lon": [None] * n,
                "lat": [None] * n,
                "origin": ["reported"] * n,
            }
        ).drop_nulls("occurred_at")
    )


def materialise(folder: Path, last: date, **config: Any) -> tuple[Workspace, Recorder, Any]:
    workspace = Workspace(Settings(home=folder, profile="smoke"))
    area = workspace.area("nyc")
    workspace.tables("nyc").write(staging.INCIDENTS, incidents(last))
    recorder = Recorder()
    result = dg.materialize(
        [*assets.build(area), *series_checks.build(area)],
        resources={"workspace": workspace, "tracking": recorder},
        run_config=config or None,
    )
    assert result.success
    return workspace, recorder, result


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, Recorder, Any]:
    return materialise(tmp_path_factory.mktemp("series"), LAST)


def test_every_table_is_made_and_every_check_passes(made) -> None:
    workspace, _, result = made
    store = workspace.tables("nyc")
    for table in series.TABLES:
        assert not store.read(table).is_empty(), table.name
    checks = result.get_asset_check_evaluations()
    assert {c.check_name for c in checks} == {
        "calendars_are_whole", "areas_sum_to_total", "bands_hold_the_forecast",
        "forecasts_are_fresh", "parts_give_the_rate", "ranks_stand_with_their_sensitivity",
        "plan_adds_up",
    }  # fmt: skip
    assert all(c.passed for c in checks)


def test_forecasts_begin_after_the_last_month_and_stand_near_the_known_rates(made) -> None:
    workspace, *_ = made
    forecasts = workspace.tables("nyc").read(series.FORECASTS)
    assert forecasts["made_from_on"].unique().to_list() == [date(2024, 1, 1)]
    assert set(forecasts["place"]) == {"5", "40", "75", "(all)"}
    # A year's mean of 1 + .3 sin is 1, with Fridays 7.5 days a week.
    year = forecasts.filter(place="75")["expected_count"].sum()
    assert year == pytest.approx(3.0 * 366 * 7.5 / 7, rel=0.06)


def test_fridays_and_evenings_are_peaks(made) -> None:
    workspace, *_ = made
    peaks = workspace.tables("nyc").read(series.PEAKS).filter(place="(all)")
    friday = peaks.filter(kind="weekday", phase=4)
    assert friday["rate_ratio"][0] == pytest.approx(1.5 * 7 / 7.5, rel=0.05)
    assert peaks.filter(kind="weekday", is_peak=True)["phase"].to_list() == [4]
    assert peaks.filter(kind="hour", phase=20)["rate_ratio"][0] == pytest.approx(0.6 * 24, rel=0.05)


def test_the_plan_gives_most_hours_to_the_evening_of_the_largest_area(made) -> None:
    workspace, *_ = made
    plan = workspace.tables("nyc").read(series.STAFFING_PLAN)
    most = plan.sort("hours", descending=True).row(0, named=True)
    assert (most["place"], most["shift"]) == ("75", "evening")
    assert plan["hours"].sum() <= plan["budget_hours"][0]


def test_errors_of_every_model_are_told_to_mlflow_with_the_metrics_of_the_table(made) -> None:
    workspace, recorder, _ = made
    errors = workspace.tables("nyc").read(series.ERRORS)
    assert {name for _, name, _ in recorder.runs} == set(errors["model"])
    assert {experiment for experiment, *_ in recorder.runs} == {"nyc/series"}
    (champion,) = (m for _, name, m in recorder.runs if name == "champion")
    stored = errors.filter(model="champion", metric="mase")["value"][0]
    assert champion["mase"] == stored


def test_a_history_too_short_leaves_empty_tables_and_says_so(tmp_path: Path) -> None:
    workspace, recorder, result = materialise(tmp_path, date(2021, 6, 30))
    store = workspace.tables("nyc")
    assert store.read(series.FORECASTS).is_empty()
    assert store.read(series.STAFFING_PLAN).is_empty()
    assert not store.read(series.AREA_PERIODS).is_empty()
    assert recorder.runs == []
    fresh = [
        c for c in result.get_asset_check_evaluations() if c.check_name == "forecasts_are_fresh"
    ]
    assert "too few" in (fresh[0].description or "")


def test_shifts_of_an_area_with_few_reports_are_those_of_all() -> None:
    rows = pl.DataFrame({"precinct": [5] * 1000, "local_hour": [20] * 700 + [9] * 300})
    shares = shift_shares(rows, ("5", "7"))
    assert shares[1] == pytest.approx([0.0, 0.3, 0.7])
    assert shares.sum(axis=1) == pytest.approx([1.0, 1.0])
