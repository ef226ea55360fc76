"""Area series through Dagster: from staged incidents to forecasts, score and plan, with their checks."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
import pytest
from htrisk_dagster.defs import series_checks
from htrisk_dagster.defs.area_series import store_area_periods, with_places
from htrisk_dagster.defs.assets import series as assets
from htrisk_dagster.defs.plan import Plan, Step
from htrisk_dagster.defs.series_outlook import origin_of, store_forecasts, told
from htrisk_dagster.defs.series_plans import shift_shares, store_composite_risk
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.schemas import series, staging
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.settings import Settings
from htrisk_dagster.study_areas.area import load_area
from htrisk_dagster.warehouse.model_files import ModelFiles

FIRST, LAST = date(2020, 1, 1), date(2023, 12, 31)
MONTH = "2024-01-01"
PRECINCTS = (5, 40, 75)


Change = Callable[[pl.DataFrame], pl.DataFrame]


def in_row(row: int, column: str, value: object) -> Change:
    """Put one value into one row."""
    here = pl.int_range(pl.len()) == row % pl.len()
    return lambda f: f.with_columns(
        pl.when(here).then(pl.lit(value)).otherwise(column).cast(f.schema[column]).alias(column)
    )


def without(place: str) -> Change:
    return lambda f: f.filter(pl.col("place") != place)


def of_forecasts(table: Table) -> dict[tuple[str, str], list[tuple[Table, Change]]]:
    return {
        (table.name, "bands_hold_the_forecast"): [
            (table, in_row(2, "expected_count", 1e6)),
            (table, lambda f: f.with_columns(upper_95_count=pl.col("lower_95_count"))),
        ],
        (table.name, "forecasts_are_fresh"): [
            # Made from a year before, or from days that nobody had reported yet.
            (table, lambda f: f.with_columns(pl.col("made_from_on").dt.offset_by("-1y"))),
            (
                table,
                lambda f: f.with_columns(made_from_on=pl.col("known_before_on").dt.offset_by("1d")),
            ),
            (table, without("40")),
            (table, lambda f: f.clear()),
        ],
    }


FAULTS: dict[tuple[str, str], list[tuple[Table, Change]]] = {
    ("area_periods", "calendars_are_whole"): [
        (series.AREA_PERIODS, lambda f: f.filter(pl.col("period_on") != date(2022, 3, 1))),
        (series.AREA_PERIODS, lambda f: f.with_columns(is_partial=pl.col("period_on") == date(2022, 3, 1))),
    ],
    ("area_periods", "areas_sum_to_total"): [
        (series.AREA_PERIODS, in_row(-1, "incidents_count", 10**6)),
    ],
    ("decomposition", "parts_give_the_rate"): [
        (series.DECOMPOSITION, lambda f: f.with_columns(pl.col("seasonal") + 0.1)),
    ],
    **of_forecasts(series.FORECASTS),
    **of_forecasts(series.WEEK_FORECASTS),
    **of_forecasts(series.DAY_FORECASTS),
    ("weekly_lstm", "lstm_stays_near_last_year"): [
        (series.WEEKLY_LSTM, lambda f: f.with_columns(pl.col("expected_count") * 3)),
        (series.WEEKLY_LSTM, lambda f: f.with_columns(pl.col("expected_count") / 3)),
    ],
    ("composite_risk", "ranks_stand_with_their_sensitivity"): [
        (series.COMPOSITE_RISK, in_row(0, "score_rank", 9)),
    ],
    ("staffing_plan", "plan_adds_up"): [
        (series.STAFFING_PLAN, in_row(0, "hours", 1e5)),
        (series.STAFFING_PLAN, in_row(0, "covered_count", 1e5)),
    ],
}  # fmt: skip
"""Asset and check to changes of a stored table, each of which it has to find."""


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


def materialise(folder: Path, last: date, month: str = MONTH) -> tuple[Workspace, Recorder, Any]:
    workspace = Workspace(Settings(home=folder, profile="smoke"))
    area = workspace.area("nyc")
    workspace.tables("nyc").write(staging.INCIDENTS, incidents(last))
    recorder = Recorder()
    result = dg.materialize(
        [*assets.build(area), *series_checks.build(area)],
        resources={"workspace": workspace, "tracking": recorder},
        partition_key=month,
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
    assert {(c.asset_key.path[-1], c.check_name) for c in checks} == set(FAULTS)
    assert all(c.passed and c.blocking for c in checks)


@pytest.mark.parametrize(
    ("asset", "check", "number"),
    [(asset, check, n) for (asset, check), faults in FAULTS.items() for n in range(len(faults))],
)
def test_a_fault_fails_its_check(made, asset: str, check: str, number: int) -> None:
    workspace, *_ = made
    store = workspace.tables("nyc")
    table, change = FAULTS[asset, check][number]
    (key,) = store.keys(table)
    path = store.path(table, key)
    kept = path.read_bytes()
    try:
        store.write_unchecked(table, change(store.read(table, [key])), key)
        result = checks_of(workspace, asset)
    finally:
        path.write_bytes(kept)
    found = {c.check_name: c for c in result.get_asset_check_evaluations()}[check]
    assert not found.passed
    assert found.severity is dg.AssetCheckSeverity.ERROR
    assert found.description and found.description.endswith(".")
    assert not result.success, "a blocking check that fails fails its run"


def checks_of(workspace: Workspace, asset: str) -> dg.ExecuteInProcessResult:
    """Run the checks of one asset by themselves, as the UI does: on the newest month."""
    area = workspace.area("nyc")
    selection = dg.AssetSelection.checks_for_assets(dg.AssetKey(["nyc", "series", asset]))
    definitions = dg.Definitions(
        assets.build(area),
        asset_checks=series_checks.build(area),
        jobs=[dg.define_asset_job("checks", selection)],
        resources={"workspace": workspace, "tracking": Recorder()},
    )
    with dg.DagsterInstance.ephemeral() as instance:
        job = definitions.resolve_job_def("checks")
        return job.execute_in_process(instance=instance, raise_on_error=False)


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
    store = workspace.tables("nyc")
    for experiment, table in (
        ("nyc/series", series.ERRORS), ("nyc/series_weeks", series.WEEK_ERRORS),
        ("nyc/series_days", series.DAY_ERRORS),
    ):  # fmt: skip
        errors = store.read(table)
        told = {name: m for at, name, m in recorder.runs if at == experiment}
        assert told.keys() - {"weekly_lstm"} == set(errors["model"])
        stored = errors.filter(model="champion", metric="mase")["value"][0]
        assert told["champion"]["mase"] == stored


def test_weeks_to_come_stand_near_the_known_rates(made) -> None:
    workspace, *_ = made
    rows = workspace.tables("nyc").read(series.WEEK_FORECASTS).filter(place="75")
    assert rows.sort("period_on")["ahead"].to_list() == list(range(1, 53))
    # A year's mean of 1 + .3 sin is 1, with Fridays 7.5 days a week.
    assert rows["expected_count"].sum() == pytest.approx(3.0 * 364 * 7.5 / 7, rel=0.08)


def test_days_to_come_have_their_fridays(made) -> None:
    workspace, *_ = made
    store = workspace.tables("nyc")
    days = store.read(series.DAY_FORECASTS).filter(place="(all)").sort("period_on")
    assert days["ahead"].to_list() == list(range(1, 32))
    friday = pl.col("period_on").dt.weekday() == 5
    ratio = days.filter(friday)["expected_count"].mean() / days["expected_count"].mean()
    assert ratio == pytest.approx(1.5 * 7 / 7.5, rel=0.06)
    # The model of days knows no season of the year: it goes on with the level of the last weeks.
    past = store.read(series.AREA_PERIODS).filter(frequency="day", place="(all)")
    recent = past.sort("period_on")["incidents_count"].tail(56).mean()
    assert days["expected_count"].mean() == pytest.approx(recent, rel=0.1)


def test_the_lstm_keeps_its_weights(made) -> None:
    workspace, recorder, _ = made
    files = ModelFiles(workspace.settings.warehouse / "models", "nyc", "series")
    with np.load(io.BytesIO(files.read(MONTH, "weekly_lstm")["weights.npz"])) as weights:
        assert "lstm.weight_ih_l0" in weights
    assert files.card(MONTH, "weekly_lstm")["known_before"] == "2024-01-07"
    logged = [m for at, name, m in recorder.runs if name == "weekly_lstm"]
    assert logged[0]["weeks"] == 208.0


def test_a_month_is_forecast_from_what_was_reported_by_its_eighth_day(made, tmp_path: Path) -> None:
    """A later report, and one of the eighth itself, change nothing; one of the day before does."""
    workspace, *_ = made
    area = workspace.area("nyc")
    origin = origin_of(workspace, area, "2023-07-01")
    known = origin.incidents.rows
    assert origin.known_before == date(2023, 7, 7)
    assert known["reported_on"].max() == date(2023, 7, 6)
    other = Workspace(Settings(home=tmp_path, profile="smoke"))
    rows = incidents(LAST).with_columns(
        reported_on=pl.when(pl.col("reported_on") < date(2023, 7, 7))
        .then("reported_on")
        .otherwise(pl.lit(date(2030, 1, 1)))
    )
    other.tables("nyc").write(staging.INCIDENTS, rows)
    assert origin_of(other, area, "2023-07-01").incidents.rows.equals(known)
    late = rows.with_columns(reported_on=pl.col("reported_on").dt.offset_by("1d"))
    other.tables("nyc").write(staging.INCIDENTS, late)
    assert origin_of(other, area, "2023-07-01").incidents.rows.height < known.height


def test_a_history_too_short_leaves_empty_tables_and_says_so(tmp_path: Path) -> None:
    workspace, recorder, result = materialise(tmp_path, date(2021, 6, 30), "2021-07-01")
    store = workspace.tables("nyc")
    assert store.read(series.FORECASTS).is_empty()
    assert store.read(series.STAFFING_PLAN).is_empty()
    assert not store.read(series.AREA_PERIODS).is_empty()
    assert {experiment for experiment, *_ in recorder.runs} == {"nyc/series_days"}
    fresh = {
        c.asset_key.path[-1]: c.description
        for c in result.get_asset_check_evaluations()
        if c.check_name == "forecasts_are_fresh"
    }
    assert "too few" in (fresh["forecasts"] or "")
    assert "too few" in (fresh["week_forecasts"] or "")
    assert store.read(series.WEEKLY_LSTM).is_empty()


def steps_of(workspace: Workspace, end: date) -> list[Step]:
    """What a run of maps up to a day would do about series."""
    plan = Plan(workspace, workspace.area("nyc"), end, end, lambda asset: frozenset())
    return list(plan.months_of_areas())


def test_a_run_of_maps_makes_the_months_that_readers_see(made) -> None:
    """Those made by its last day: of the month before until the eighth; and no weeks, days or hours."""
    workspace, *_ = made
    assert steps_of(workspace, date(2024, 1, 8)) == [], "they are there"
    (step,) = steps_of(workspace, date(2024, 1, 7))
    assert step.keys == ("2023-12-01",)
    assert {"series/forecasts", "series/composite_risk", "series/decomposition"} <= set(step.assets)
    assert not {"series/week_forecasts", "series/weekly_lstm"} & set(step.assets)
    fuller = Workspace(workspace.settings.model_copy(update={"profile": "full"}))
    assert [step.keys for step in steps_of(fuller, date(2024, 1, 31))] == [(MONTH,)]


def test_a_history_without_three_years_of_months_is_left_to_the_command(tmp_path: Path) -> None:
    workspace = Workspace(Settings(home=tmp_path, profile="smoke"))
    workspace.tables("nyc").write(staging.INCIDENTS, incidents(LAST))
    # Known are 36 whole months on 8 January 2023, 35 on 8 December 2022.
    assert steps_of(workspace, date(2022, 12, 31)) == []
    assert [step.keys for step in steps_of(workspace, date(2023, 1, 31))] == [("2023-01-01",)]


def test_what_is_told_of_a_month(made) -> None:
    workspace, *_ = made
    months, weeks, days = told(workspace, workspace.area("nyc"), MONTH)
    assert months.startswith("By month: 3 areas, 12 months from 2024-01-01; the first has ")
    assert "52 weeks" in weeks
    assert "31 days" in days
    assert "by hierarchical; MASE on blind days 0." in days


def test_places_are_declared_codes_else_numbers_else_boroughs() -> None:
    area = load_area("connecticut")
    rows = pl.DataFrame({"precinct": [38, 9_999, None], "borough": ["A", "B", "C"]})
    assert with_places(rows, area)["place"].to_list() == ["HARTFORD", "9999", None]
    none = rows.with_columns(precinct=pl.lit(None, pl.Int32))
    assert with_places(none, area)["place"].to_list() == ["A", "B", "C"]


def test_a_city_without_places_has_the_series_of_the_whole(tmp_path: Path) -> None:
    workspace, recorder = Workspace(Settings(home=tmp_path, profile="smoke")), Recorder()
    area = workspace.area("nyc")
    nowhere = incidents(date(2020, 8, 31)).with_columns(
        precinct=pl.lit(None, pl.Int32), borough=pl.lit(None, pl.String)
    )
    workspace.tables("nyc").write(staging.INCIDENTS, nowhere)
    store_area_periods(workspace, area)
    store_forecasts(workspace, area, recorder, "day", ["2020-09-01"], run_id="")
    store_forecasts(workspace, area, recorder, "month", ["2020-09-01"], run_id="")
    store = workspace.tables("nyc")
    assert store.read(series.AREA_PERIODS)["place"].unique().to_list() == ["(all)"]
    days = store.read(series.DAY_FORECASTS)
    assert days["place"].unique().to_list() == ["(all)"]
    assert days.height == 31
    assert store_composite_risk(workspace, area, ["2020-09-01"]) == {"2020-09-01": {"areas": 0}}


def test_shifts_of_an_area_with_few_reports_are_those_of_all() -> None:
    rows = pl.DataFrame({"place": ["5"] * 1000, "local_hour": [20] * 700 + [9] * 300})
    shares = shift_shares(rows, ("5", "7"))
    assert shares[1] == pytest.approx([0.0, 0.3, 0.7])
    assert shares.sum(axis=1) == pytest.approx([1.0, 1.0])
