"""What must hold of risk before it goes on: each rule as a function from tables to a finding.

Belongs here: rules about the values of `predictions.cell_day_risk`. Does not: who runs them and
what a failure stops (`defs/asset_checks.py`), the schema itself (`schemas`).
"""

from __future__ import annotations

import polars as pl
from scipy import stats

from htrisk_dagster.schemas.finding import Finding
from htrisk_dagster.schemas.predictions import CELL_DAY_RISK
from htrisk_dagster.study_areas.area import BoundingBox


def schema_holds(risk: pl.DataFrame) -> Finding:
    """Columns, types, missing values, bounds, allowed values and key are as described."""
    problems = CELL_DAY_RISK.problems(risk)
    return Finding(not problems, " ".join(problems) or "Columns are as described.")


def every_cell_every_day(risk: pl.DataFrame, n_cells: int) -> Finding:
    """Each day has one row for each cell of the grid."""
    counts = risk.group_by("risk_on").len().filter(pl.col("len") != n_cells).sort("risk_on")
    if risk.is_empty():
        return Finding(False, "There is no row at all.")
    if counts.height:
        day, found = counts.row(0)
        return Finding(False, f"{day} has {found} rows; the grid has {n_cells} cells.")
    return Finding(True, f"Every day has {n_cells} rows.", {"rows": float(risk.height)})


def probabilities_are_open(risk: pl.DataFrame) -> Finding:
    """Each probability lies strictly between 0 and 1, and agrees with a positive forecast."""
    prob, expected = pl.col("risk_prob"), pl.col("expected_count")
    legal = prob.is_between(0, 1, closed="none") & (expected > 0) & expected.is_finite()
    wrong = risk.filter(~legal.fill_null(False))
    if wrong.height:
        row = wrong.row(0, named=True)
        return Finding(
            False,
            f"{wrong.height} rows have no probability strictly between 0 and 1 or no positive forecast; "
            f"first: cell {row['cell_id']} on {row['risk_on']} with probability {row['risk_prob']}, "
            f"forecast {row['expected_count']}.",
        )
    highest = {"highest": float(risk["risk_prob"].to_numpy().max())} if risk.height else {}
    return Finding(True, "All probabilities lie in (0, 1).", highest)


def cells_are_in_area(risk: pl.DataFrame, cells: pl.DataFrame, box: BoundingBox) -> Finding:
    """Each row's cell exists and its centre lies in the study area's box."""
    placed = risk.select("cell_id").unique().join(cells, on="cell_id", how="left")
    outside = placed.filter(
        ~(
            pl.col("lon").is_between(box.west, box.east)
            & pl.col("lat").is_between(box.south, box.north)
        )
        | pl.col("lon").is_null()
    ).sort("cell_id")
    if outside.height:
        row = outside.row(0, named=True)
        return Finding(
            False,
            f"{outside.height} cells are not in the study area; first: cell {row['cell_id']} at "
            f"longitude {row['lon']}, latitude {row['lat']}.",
        )
    return Finding(True, f"All {placed.height} cells lie in the study area.")


def sum_is_near_recent_totals(
    risk: pl.DataFrame, recent_daily_mean: float, *, factor: float = 2.0
) -> Finding:
    """The city-wide expectation of each day is near the mean of the last 91 known days.

    "Near" is within `factor` of it, widened by what chance alone does to a sum of that size: the
    99.9% Poisson interval of 91 days, so that a rare target does not fail by luck.
    """
    if risk.is_empty():
        return Finding(False, "There is no row at all.")
    totals = risk.group_by("risk_on").agg(pl.col("expected_count").sum()).sort("risk_on")
    low, high = stats.poisson.interval(0.999, 91 * max(recent_daily_mean, 1e-9))
    lower, upper = low / 91 / factor, max(high, 1.0) / 91 * factor
    wrong = totals.filter(~pl.col("expected_count").is_between(lower, upper))
    figures = {
        "expected_mean": float(totals["expected_count"].to_numpy().mean()),
        "recent_mean": recent_daily_mean,
    }
    if wrong.height:
        day, total = wrong.row(0)
        return Finding(
            False,
            f"{wrong.height} days are far from the recent mean of {recent_daily_mean:.2f} a day; first: "
            f"{day} expects {total:.2f}, outside {lower:.2f} to {upper:.2f}.",
            figures,
        )
    return Finding(True, f"Every day lies within {lower:.2f} to {upper:.2f}.", figures)


def catalog_agrees(risk: pl.DataFrame, rows_in_catalog: int) -> Finding:
    """The catalog that analysts open shows as many rows of these days as the partitions hold."""
    holds = rows_in_catalog == risk.height
    return Finding(
        holds,
        f"The catalog shows {rows_in_catalog} rows; the partitions hold {risk.height}"
        + ("." if holds else ". Another process may be writing; materialise the days again."),
        {"rows_in_catalog": float(rows_in_catalog)},
    )
