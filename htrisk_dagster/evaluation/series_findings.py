"""What must hold of the tables of area series before they are read: each rule to a finding.

Belongs here: rules about `schemas.series`. Does not: who runs them (`defs/series_checks.py`).
"""

from __future__ import annotations

import numpy as np
import polars as pl

from htrisk_dagster.models.series.aggregation import TOTAL_AREA
from htrisk_dagster.schemas.finding import Finding

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


def forecasts_are_fresh(forecasts: pl.DataFrame, periods: pl.DataFrame) -> Finding:
    """Forecasts begin with the month after the last whole one, for every area; or none can be made."""
    months = periods.filter((pl.col("frequency") == "month") & ~pl.col("is_partial"))
    if forecasts.is_empty():
        n = months["period_on"].n_unique()
        return Finding(True, f"No forecast: {n} whole months are too few.", {"months": n})
    last = months["period_on"].max()
    due = pl.select(pl.lit(last).dt.offset_by("1mo")).item()
    made = forecasts["made_from_on"].unique().to_list()
    missing = sorted({*months["place"]} - {*forecasts["place"]})
    problems = [f"Forecasts begin on {made}, due is {due}."] if made != [due] else []
    problems += [f"Areas without a forecast: {missing}."] if missing else []
    return Finding(not problems, " ".join(problems) or f"Forecasts begin on {due}.")


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
