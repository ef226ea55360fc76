"""What must hold of the tables of area series before they are read: each rule to a finding.

Belongs here: rules about `schemas.series`. Does not: who runs them (`defs/series_checks.py`).
"""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

from htrisk_dagster.evaluation.series_forecast import least_periods
from htrisk_dagster.models.series.aggregation import TOTAL_AREA
from htrisk_dagster.models.series.panel import Frequency
from htrisk_dagster.schemas.finding import Finding

OLDEST_DAYS = 45
"""From the end of what is known to the day a forecast is made: reports that come, and a part of a month."""
STEADY_REPORTS = 12
"""Reports in a year with which an area is due a forecast: younger ones may not have been known."""
LARGEST_RATIO = 2.0
_TOLERANCE = 1e-6


def calendars_are_whole(periods: pl.DataFrame) -> Finding:
    """Every area has the same periods without a gap, and only the ends are partial."""
    problems = []
    for (frequency,), rows in periods.group_by("frequency", maintain_order=True):
        per_area = rows.group_by("place").agg(pl.len().alias("n"), pl.col("period_on").n_unique())
        n = rows["period_on"].n_unique()
        if (per_area["n"] != n).any():
            problems.append(f"An area lacks a {frequency}: {n} are due.")
        starts = rows["period_on"].unique().sort()
        step = {"day": "1d", "week": "1w", "month": "1mo"}[str(frequency)]
        due = pl.date_range(starts[0], starts[-1], step, eager=True)
        if due.to_list() != starts.to_list():
            problems.append(f"A {frequency} is missing between {starts[0]} and {starts[-1]}.")
        partial = rows.filter("is_partial")["period_on"].unique()
        inside = partial.filter((partial != starts[0]) & (partial != starts[-1]))
        problems += [f"The {frequency} of {day} is partial." for day in inside]
    return Finding(
        not problems, " ".join(problems) or "All calendars are whole.", {"rows": periods.height}
    )


def areas_sum_to_total(periods: pl.DataFrame) -> Finding:
    """The areas' counts are at most the total's; the rest are reports without an area."""
    by = ["frequency", "period_on"]
    is_total = pl.col("place") == TOTAL_AREA
    sums = periods.group_by(by).agg(
        areas=pl.col("incidents_count").filter(~is_total).sum(),
        total=pl.col("incidents_count").filter(is_total).sum(),
    )
    wrong = sums.filter(pl.col("areas") > pl.col("total"))
    share = 1.0 - float(sums["areas"].sum()) / max(float(sums["total"].sum()), 1.0)
    sentence = f"{share:.2%} of reports have no area."
    if wrong.height:
        sentence = f"{wrong.height} periods have more reports in areas than in all."
    return Finding(not wrong.height, sentence, {"without_area_share": share})


def bands_hold_the_forecast(forecasts: pl.DataFrame) -> Finding:
    """Every expected count lies in its band, and no band is a point."""
    inside = pl.col("expected_count").is_between("lower_95_count", "upper_95_count")
    wrong = forecasts.filter(~inside | (pl.col("upper_95_count") <= pl.col("lower_95_count")))
    width = forecasts.select(
        ((pl.col("upper_95_count") - pl.col("lower_95_count")) / pl.col("expected_count")).median()
    ).item()
    problem = f"{wrong.height} forecasts lie outside their band, or have none."
    told = f"{forecasts.height} forecasts lie in their bands."
    return Finding(
        not wrong.height, problem if wrong.height else told, {"median_width": float(width or 0.0)}
    )


def forecasts_are_fresh(
    forecasts: pl.DataFrame, periods: pl.DataFrame, *, frequency: Frequency, known_before: date
) -> Finding:
    """Forecasts begin with what was just about to be known, for every area; or none can be made.

    Parameters
    ----------
    forecasts : DataFrame
        One partition of `series.forecasts` or its like.
    periods : DataFrame
        `series.area_periods` of the same frequency, as it is known now.
    frequency : {"day", "week", "month"}
    known_before : date
        First day whose reports the partition does not use.
    """
    oldest = known_before - timedelta(days=OLDEST_DAYS)
    whole = periods.filter(~pl.col("is_partial"))
    if forecasts.is_empty():
        ends = pl.col("period_on") + pl.duration(days=pl.col("days_count"))
        n, due = whole.filter(ends <= oldest)["period_on"].n_unique(), least_periods(frequency)
        told = f"No forecast before {known_before}: {n} whole {frequency}s were known"
        sentence = (
            f"{told}, and {due} are enough." if n >= due else f"{told}, too few; {due} are due."
        )
        return Finding(n < due, sentence, {"periods": n})
    begins = sorted({*forecasts["made_from_on"]})
    problems = [
        f"Forecasts begin on {day}, due is {oldest} to {known_before}."
        for day in begins
        if not oldest <= day <= known_before
    ]
    year = whole.filter(pl.col("period_on").is_between(begins[0] - timedelta(days=365), begins[0]))
    reported = year.group_by("place").agg(pl.col("incidents_count").sum())
    steady = reported.filter(pl.col("incidents_count") >= STEADY_REPORTS)["place"]
    missing = sorted({*steady} - {*forecasts["place"]})
    problems += [f"Areas without a forecast: {missing}."] if missing else []
    return Finding(not problems, " ".join(problems) or f"Forecasts begin on {begins[0]}.")


def lstm_stays_near_last_year(rows: pl.DataFrame) -> Finding:
    """The network's year of all areas is within a factor of two of the year before."""
    if rows.is_empty():
        return Finding(True, "No forecast: the weeks are too few to train on.")
    expected, before = (float(rows[c].sum()) for c in ("expected_count", "seasonal_naive_count"))
    ratio = expected / max(before, 1.0)
    return Finding(
        1.0 / LARGEST_RATIO <= ratio <= LARGEST_RATIO,
        f"The LSTM expects {expected:.0f} reports in the coming year, {ratio:.2f} times those before.",
        {"expected_over_year_before": ratio},
    )


def parts_give_the_rate(decomposition: pl.DataFrame) -> Finding:
    """Trend, season and rest sum, or multiply, to the rate."""
    whole = decomposition.drop_nulls(["trend", "seasonal", "rest"]).with_columns(
        again=pl.when(pl.col("form") == "additive")
        .then(pl.col("trend") + pl.col("seasonal") + pl.col("rest"))
        .otherwise(pl.col("trend") * pl.col("seasonal") * pl.col("rest"))
    )
    off = (whole["again"] - whole["rate"]).abs().max()
    largest = float(off) if isinstance(off, float) else 0.0
    return Finding(
        largest < _TOLERANCE * max(float(whole["rate"].max() or 1.0), 1.0),  # type: ignore[arg-type]
        f"Parts differ from the rate by {largest:.2g} a day at most.",
        {"largest_difference": largest},
    )


def ranks_stand_with_their_sensitivity(composite: pl.DataFrame) -> Finding:
    """Every rank lies between its best and worst over all weights, and the weights are stated."""
    wrong = composite.filter(~pl.col("score_rank").is_between("best_rank", "worst_rank"))
    moved = composite.select((pl.col("worst_rank") - pl.col("best_rank")).median()).item() or 0.0
    near = composite["near_rank_correlation"].min()
    figures = {"median_rank_range": float(moved), "near_rank_correlation": float(near or 0.0)}  # type: ignore[arg-type]
    told = (
        f"Over all weights the median area moves {moved:g} ranks; near the stated ones the rank "
        f"correlation is {figures['near_rank_correlation']:.2f} at least."
    )
    problem = f"{wrong.height} areas rank outside the ranks of all weights."
    return Finding(not wrong.height, problem if wrong.height else told, figures)


def plan_adds_up(plan: pl.DataFrame) -> Finding:
    """Hours keep to the budget, and what is met and what is not sum to what is expected."""
    hours = float(plan["hours"].sum())
    budget_hours = float(plan["budget_hours"][0]) if plan.height else 0.0
    off = (plan["covered_count"] + plan["uncovered_count"] - plan["expected_count"]).to_numpy()
    gap = float(np.abs(off).max(initial=0.0))
    uncovered = float(plan["uncovered_count"].sum())
    problems = []
    if hours > budget_hours + _TOLERANCE:
        problems.append(f"{hours:g} hours are over the budget of {budget_hours:g}.")
    if gap > _TOLERANCE:
        problems.append(f"Covered and uncovered differ from expected by {gap:g}.")
    told = f"{hours:g} hours leave {uncovered:.1f} expected reports unmet."
    return Finding(
        not problems, " ".join(problems) or told, {"hours": hours, "uncovered_count": uncovered}
    )
