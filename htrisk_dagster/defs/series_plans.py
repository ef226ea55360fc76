"""What follows from the forecasts of areas: a composite score, and hours of help under a budget.

Belongs here: the steps behind `series/composite_risk` and `series/staffing_plan`. Does not: the methods
(`models/series`), the forecasts (`series_outlook.py`).

A month's score and plan use what its forecasts use, and no report that came later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from htrisk_dagster.defs.area_series import (
    PLACE,
    counted,
    precinct_numbers,
    with_local_time,
    write_series,
)
from htrisk_dagster.defs.series_outlook import origin_of
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.models.series.aggregation import TOTAL_AREA
from htrisk_dagster.schemas import series
from htrisk_dagster.study_areas.area import StudyArea

SHARE_OF_NEED = 0.8
"""Budget where none is asked for: hours that would meet this share of what is expected."""
_SHIFT_HOURS = 8
_SHIFT_PRIOR = 100.0  # reports: an area with few takes the whole area's shares of shifts


def store_composite_risk(
    workspace: Workspace, area: StudyArea, months: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Score areas from each month's forecast and the months of a year before; write a partition a month."""
    return {month: _store_score(workspace, area, month) for month in months}


def _store_score(workspace: Workspace, area: StudyArea, month: str) -> dict[str, Any]:
    from htrisk_dagster.models.series.composite_risk import (
        MOMENTUM_MONTHS,
        composite_table,
        score_areas,
    )

    forecasts = _place_forecasts(workspace, area, month).filter(pl.col("ahead") <= MOMENTUM_MONTHS)
    known = origin_of(workspace, area, month).incidents
    if forecasts.is_empty() or known is None:
        write_series(workspace, area, series.COMPOSITE_RISK, series.COMPOSITE_RISK.empty(), month)
        return {"areas": 0}
    counts = counted(known, "month").select(PLACE, "period_on", "incidents_count")
    sums = (
        forecasts.with_columns(before_on=pl.col("period_on").dt.offset_by("-1y"))
        .join(counts, left_on=[PLACE, "before_on"], right_on=[PLACE, "period_on"], how="left")
        .group_by(PLACE)
        .agg(
            pl.col("expected_count").sum(),
            pl.col("incidents_count").sum(),
            pl.col("period_on").min(),
            pl.col("known_before_on").first(),
        )
        .sort(PLACE)
    )
    found = score_areas(
        sums["expected_count"].to_numpy(), sums["incidents_count"].cast(pl.Float64).to_numpy()
    )
    places = tuple(sums[PLACE])
    table = composite_table(
        places,
        np.datetime64(sums["period_on"][0]),
        found,
        known_before=sums["known_before_on"][0],
        precincts=_on_the_map(places, precinct_numbers(area)),
    )
    write_series(workspace, area, series.COMPOSITE_RISK, table, month)
    return {"areas": table.height, "near_rank_correlation": table["near_rank_correlation"][0]}


def _on_the_map(places: Sequence[str], numbers: Mapping[str, int]) -> list[int | None]:
    """Precinct number of each place: its declared one, or that which its name is."""
    return [numbers.get(p, int(p) if p.isdigit() else None) for p in places]


def store_staffing_plan(
    workspace: Workspace, area: StudyArea, months: Sequence[str], asked: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Plan each month's hours by area and shift; write a partition a month.

    Parameters
    ----------
    asked : mapping
        Fields of `StaffingWish`; a budget of None is that of `SHARE_OF_NEED`.
    """
    return {month: _store_plan(workspace, area, month, asked) for month in months}


def _store_plan(
    workspace: Workspace, area: StudyArea, month: str, asked: Mapping[str, Any]
) -> dict[str, Any]:
    from htrisk_dagster.models.series.staffing import StaffingWish, plan, staffing_table

    forecasts = _place_forecasts(workspace, area, month).filter(pl.col("ahead") == 1).sort(PLACE)
    known = origin_of(workspace, area, month).incidents
    if forecasts.is_empty() or known is None:
        write_series(workspace, area, series.STAFFING_PLAN, series.STAFFING_PLAN.empty(), month)
        return {"hours": 0.0}
    areas = tuple(forecasts[PLACE])
    expected = forecasts["expected_count"].to_numpy()[:, None] * shift_shares(
        with_local_time(known, area), areas
    )
    need = SHARE_OF_NEED * float(expected.sum()) / asked["reports_an_hour"]
    wish = StaffingWish(**{**asked, "budget_hours": asked.get("budget_hours") or need})
    found = plan(expected, wish)
    start = np.datetime64(forecasts["period_on"][0])
    known_before = forecasts["known_before_on"][0]
    table = staffing_table(areas, start, found, wish, known_before=known_before)
    write_series(workspace, area, series.STAFFING_PLAN, table, month)
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
    known = rows.filter(pl.col(PLACE).is_in(list(areas)))
    column = known[PLACE].replace_strict(index, return_dtype=pl.Int64).to_numpy()
    shift = known["local_hour"].cast(pl.Int64).to_numpy() // _SHIFT_HOURS
    counts = np.bincount(column * 3 + shift, minlength=3 * len(areas)).reshape(-1, 3)
    whole = counts.sum(axis=0) / counts.sum()
    return np.asarray(
        (counts + _SHIFT_PRIOR * whole) / (counts.sum(axis=1, keepdims=True) + _SHIFT_PRIOR)
    )


def _place_forecasts(workspace: Workspace, area: StudyArea, month: str) -> pl.DataFrame:
    table = workspace.tables(area.name).read(series.FORECASTS, [month])
    return table.filter(pl.col(PLACE) != TOTAL_AREA)
