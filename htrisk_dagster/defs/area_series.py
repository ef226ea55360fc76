"""Area series through the graph: counts by period, forecasts, descriptions, score and staffing plan.

Belongs here: the steps behind `series/...`, from staged incidents to stored tables. Does not: the methods
(`models/series`, `evaluation/series_forecast`), what is checked (`series_checks.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from htrisk_dagster.defs.fingerprints import code_of
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.errors import SourceError
from htrisk_dagster.features.coverage import History
from htrisk_dagster.models.series.aggregation import (
    TOTAL_AREA,
    count_by_area,
    local_days,
    whole_periods,
)
from htrisk_dagster.models.series.panel import SeriesPanel
from htrisk_dagster.schemas import series, staging
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.study_areas.area import StudyArea
from htrisk_dagster.warehouse.partitions import WHOLE, fingerprint_of

if TYPE_CHECKING:
    from htrisk_dagster.defs.mlflow_tracking import MlflowTracking
    from htrisk_dagster.evaluation.series_forecast import YearForecast

AREA = "precinct"
SHARE_OF_NEED = 0.8
"""Budget where none is asked for: hours that would meet this share of what is expected."""
_SHIFT_HOURS = 8
_SHIFT_PRIOR = 100.0  # reports: an area with few takes the whole area's shares of shifts
DESCRIPTIONS = (series.DECOMPOSITION, series.STATIONARITY, series.AUTOCORRELATION, series.PEAKS)


@dataclass(frozen=True)
class KnownIncidents:
    """Incidents of the source that covers the study area longest, and the days they cover."""

    rows: pl.DataFrame
    first_day: date
    last_day: date


def known_incidents(workspace: Workspace, area: StudyArea) -> KnownIncidents:
    """Incidents of the preferred covered source, without the newest days, whose reports still come.

    Raises
    ------
    SourceError
        Where no source covers six months on end.
    """
    from htrisk_dagster.evaluation.training import waiting_days

    rows = workspace.tables(area.name).read(staging.INCIDENTS, [WHOLE])
    newest = rows["reported_on"].max()
    chosen = History.of(rows).choose(area.incidents, newest) if isinstance(newest, date) else None
    if chosen is None or not isinstance(newest, date):
        raise SourceError(
            f"No source of {', '.join(area.incidents.sources)} covers six months on end. Bring more "
            "reports to the folder of files."
        )
    source, first_day = chosen
    rows = rows.filter(pl.col("source") == source)
    last = newest - timedelta(days=waiting_days(rows, newest + timedelta(days=1)))
    return KnownIncidents(rows, first_day, last)


def store_area_periods(workspace: Workspace, area: StudyArea) -> dict[str, Any]:
    """Count by day, week and month; replace the table."""
    known = known_incidents(workspace, area)
    table = pl.concat(
        [
            count_by_area(
                known.rows,
                area=AREA,
                day="occurred_on",
                first_day=known.first_day,
                last_day=known.last_day,
                frequency=frequency,  # type: ignore[arg-type]
            )
            for frequency in series.FREQUENCIES
        ]
    )
    _write(workspace, area, series.AREA_PERIODS, table)
    return {
        "areas": table["place"].n_unique() - 1,
        "incidents": int(table.filter(frequency="day", place=TOTAL_AREA)["incidents_count"].sum()),
        "first_day": str(known.first_day),
        "last_day": str(known.last_day),
    }


def monthly_panels(workspace: Workspace, area: StudyArea) -> tuple[SeriesPanel, SeriesPanel] | None:
    """Whole months of the areas, and of all together; None where there are too few to forecast."""
    from htrisk_dagster.evaluation.series_forecast import least_periods

    months = read_months(workspace, area)
    whole = months.filter(~pl.col("is_partial"))
    if whole["period_on"].n_unique() < least_periods(12):
        return None
    is_total = pl.col("place") == TOTAL_AREA
    return whole_periods(whole), whole_periods(whole.filter(is_total), with_total=True)


def read_months(workspace: Workspace, area: StudyArea) -> pl.DataFrame:
    """Months of `series.area_periods`."""
    table = workspace.tables(area.name).read(series.AREA_PERIODS, [WHOLE])
    return table.filter(pl.col("frequency") == "month")


def store_forecasts(
    workspace: Workspace, area: StudyArea, tracking: MlflowTracking, run_id: str
) -> dict[str, Any]:
    """Forecast the coming year of every area and of all; log each model's errors; replace both tables."""
    from htrisk_dagster.evaluation.series_forecast import forecast_year, series_models

    panels = monthly_panels(workspace, area)
    if panels is None:
        for table in (series.FORECASTS, series.ERRORS):
            _write(workspace, area, table, table.empty())
        return {"forecasts": 0, "told": "Too few whole months to forecast, and to say how well."}
    models = series_models(with_sarimax=workspace.settings.profile == "full")
    made = [forecast_year(p, models, seed=workspace.settings.seed) for p in panels]
    rows = [_forecast_rows(p, m) for p, m in zip(panels, made, strict=True)]
    _write(workspace, area, series.FORECASTS, pl.concat(rows))
    errors = _error_rows(made[0])
    _write(workspace, area, series.ERRORS, errors)
    for (model,), of_model in errors.group_by("model", maintain_order=True):
        tracking.log_values(
            f"{area.name}/series",
            str(model),
            dict(of_model.select("metric", "value").rows()),
            {"fold": f"{made[0].blind} blind months", "chosen": made[0].choice.reason},
            run_id,
        )
    return {
        "forecasts": sum(r.height for r in rows),
        "champion": " + ".join(made[0].choice.members),
        "reason": made[0].choice.reason,
        **{
            f"champion_{metric}": value
            for metric, value in errors.filter(model="champion").select("metric", "value").rows()
        },
    }


def _forecast_rows(panel: SeriesPanel, made: YearForecast) -> pl.DataFrame:
    horizon, n_areas = made.expected.shape
    coming = panel.coming(horizon)
    return series.FORECASTS.conform(
        pl.DataFrame(
            {
                "place": list(panel.areas) * horizon,
                "made_from_on": np.full(horizon * n_areas, coming[0]),
                "period_on": np.repeat(coming, n_areas),
                "ahead": np.repeat(np.arange(1, horizon + 1), n_areas),
                "model": " + ".join(made.choice.members),
                "expected_count": made.expected.ravel(),
                "lower_95_count": made.low.ravel(),
                "upper_95_count": made.high.ravel(),
                "seasonal_naive_count": made.naive.ravel(),
            }
        )
    )


def _error_rows(made: YearForecast) -> pl.DataFrame:
    rows = [
        (model, s.metric, made.blind, s.value, s.noise, s.naive)
        for model, scores in made.scores.items()
        for s in scores
    ]
    frame = pl.DataFrame(rows, schema=series.ERRORS.column_names, orient="row")
    return series.ERRORS.conform(frame.fill_nan(None))


def store_descriptions(workspace: Workspace, area: StudyArea) -> dict[str, Any]:
    """Take the months apart, test them, and find peaks of clock and calendar; replace four tables."""
    from htrisk_dagster.models.series.decomposition import decomposition_table
    from htrisk_dagster.models.series.stationarity import (
        autocorrelation_table,
        stationarity_table,
    )

    panels = monthly_panels(workspace, area)
    tables = {table: table.empty() for table in DESCRIPTIONS}
    if panels is not None:
        for table, make in (
            (series.DECOMPOSITION, decomposition_table),
            (series.STATIONARITY, stationarity_table),
            (series.AUTOCORRELATION, autocorrelation_table),
        ):
            tables[table] = pl.concat([make(panel) for panel in panels])
    tables[series.PEAKS] = _peaks(workspace, area)
    for table, frame in tables.items():
        _write(workspace, area, table, frame)
    steady = tables[series.STATIONARITY].group_by("verdict").len().rows()
    return {
        "months": panels[0].n_periods if panels else 0,
        "peaks": int(tables[series.PEAKS]["is_peak"].sum()),
        **{f"verdict_{verdict}": n for verdict, n in sorted(steady)},
    }


def _peaks(workspace: Workspace, area: StudyArea) -> pl.DataFrame:
    from htrisk_dagster.models.series.peaks import count_phases, peaks_table

    known = known_incidents(workspace, area)
    rows = _with_local_time(known, area)
    first = np.datetime64(known.first_day)
    stop = np.datetime64(known.last_day) + 1

    def table(name: str, of: pl.DataFrame) -> pl.DataFrame:
        days = of["local_on"].to_numpy().astype("datetime64[D]")
        hours = of["local_hour"].cast(pl.Int64).to_numpy()
        phases = count_phases(days, hours, first, stop)
        return peaks_table(name, phases, seed=workspace.settings.seed)

    parts = rows.drop_nulls(AREA).partition_by(AREA, as_dict=True)
    by_area = [table(str(number), of) for (number,), of in sorted(parts.items())]
    return pl.concat([table(TOTAL_AREA, rows), *by_area])


def _with_local_time(known: KnownIncidents, area: StudyArea) -> pl.DataFrame:
    """Incidents of the covered days with `local_on` and `local_hour`."""
    instants = known.rows["occurred_at"]
    local = instants.dt.replace_time_zone("UTC").dt.convert_time_zone(area.time_zone)
    rows = known.rows.with_columns(
        local_on=local_days(instants, area.time_zone), local_hour=local.dt.hour()
    )
    return rows.filter(pl.col("local_on").is_between(known.first_day, known.last_day))


def store_composite_risk(workspace: Workspace, area: StudyArea) -> dict[str, Any]:
    """Score areas from the forecast and the months of a year before; replace the table."""
    from htrisk_dagster.models.series.composite_risk import (
        MOMENTUM_MONTHS,
        composite_table,
        score_areas,
    )

    forecasts = _area_forecasts(workspace, area).filter(pl.col("ahead") <= MOMENTUM_MONTHS)
    if forecasts.is_empty():
        _write(workspace, area, series.COMPOSITE_RISK, series.COMPOSITE_RISK.empty())
        return {"areas": 0}
    months = read_months(workspace, area).select("place", "period_on", "incidents_count")
    sums = (
        forecasts.with_columns(before_on=pl.col("period_on").dt.offset_by("-1y"))
        .join(months, left_on=["place", "before_on"], right_on=["place", "period_on"], how="left")
        .group_by("place")
        .agg(
            pl.col("expected_count").sum(),
            pl.col("incidents_count").sum(),
            pl.col("period_on").min(),
        )
        .sort("place")
    )
    found = score_areas(
        sums["expected_count"].to_numpy(), sums["incidents_count"].cast(pl.Float64).to_numpy()
    )
    start = np.datetime64(sums["period_on"][0])
    table = composite_table(tuple(sums["place"]), start, found)
    _write(workspace, area, series.COMPOSITE_RISK, table)
    return {"areas": table.height, "near_rank_correlation": table["near_rank_correlation"][0]}


def store_staffing_plan(
    workspace: Workspace, area: StudyArea, asked: dict[str, Any]
) -> dict[str, Any]:
    """Plan the first month's hours by area and shift; replace the table.

    Parameters
    ----------
    asked : dict
        Fields of `StaffingWish`; a budget of None is that of `SHARE_OF_NEED`.
    """
    from htrisk_dagster.models.series.staffing import StaffingWish, plan, staffing_table

    forecasts = _area_forecasts(workspace, area).filter(pl.col("ahead") == 1).sort("place")
    if forecasts.is_empty():
        _write(workspace, area, series.STAFFING_PLAN, series.STAFFING_PLAN.empty())
        return {"hours": 0.0}
    areas = tuple(forecasts["place"])
    expected = forecasts["expected_count"].to_numpy()[:, None] * shift_shares(
        _with_local_time(known_incidents(workspace, area), area), areas
    )
    need = SHARE_OF_NEED * float(expected.sum()) / asked["reports_an_hour"]
    wish = StaffingWish(**{**asked, "budget_hours": asked.get("budget_hours") or need})
    found = plan(expected, wish)
    start = np.datetime64(forecasts["period_on"][0])
    table = staffing_table(areas, start, found, wish)
    _write(workspace, area, series.STAFFING_PLAN, table)
    return {
        "hours": float(table["hours"].sum()),
        "budget_hours": wish.budget_hours,
        "expected_count": float(expected.sum()),
        "uncovered_count": found.uncovered,
    }


def shift_shares(
    rows: pl.DataFrame, areas: tuple[str, ...]
) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Share of each area's incidents by shift of eight hours, shrunk to that of all, (S, 3)."""
    index = {name: i for i, name in enumerate(areas)}
    known = rows.with_columns(pl.col(AREA).cast(pl.String)).filter(pl.col(AREA).is_in(list(areas)))
    column = known[AREA].replace_strict(index, return_dtype=pl.Int64).to_numpy()
    shift = known["local_hour"].cast(pl.Int64).to_numpy() // _SHIFT_HOURS
    counts = np.bincount(column * 3 + shift, minlength=3 * len(areas)).reshape(-1, 3)
    whole = counts.sum(axis=0) / counts.sum()
    return np.asarray(
        (counts + _SHIFT_PRIOR * whole) / (counts.sum(axis=1, keepdims=True) + _SHIFT_PRIOR)
    )


def _area_forecasts(workspace: Workspace, area: StudyArea) -> pl.DataFrame:
    table = workspace.tables(area.name).read(series.FORECASTS, [WHOLE])
    return table.filter(pl.col("place") != TOTAL_AREA)


def _write(workspace: Workspace, area: StudyArea, table: Table, frame: pl.DataFrame) -> None:
    made_from = fingerprint_of(
        code_of("models/series", "schemas", "evaluation"), area.incidents, area.time_zone
    )
    workspace.tables(area.name).write(table, frame, WHOLE, made_from=made_from)
    workspace.build_catalog()
