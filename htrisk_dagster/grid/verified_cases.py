"""Verified cases counted by borough and month: the only form in which they leave their store.

Belongs here: the count and its suppression. Does not: any join with forecasts (evaluation).
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.grid.cells import Grid
from htrisk_dagster.schemas.staging import VERIFIED_CASE_COUNTS

# CMS cell policy and CTDC's k-anonymised file: no count of 1 to 10 is shown.
SMALLEST_COUNT = 11


def count_by_borough_month(cases: pl.DataFrame, grid: Grid) -> pl.DataFrame:
    """Count `restricted.verified_cases` by borough and month of report.

    Parameters
    ----------
    cases : DataFrame
        `schemas.raw.VERIFIED_CASES`.
    grid : Grid
        Gives the borough of a point; a point off the grid counts as `unknown`.

    Returns
    -------
    DataFrame
        `schemas.staging.VERIFIED_CASE_COUNTS`: groups with a case, counts of 1 to 10 missing.
    """
    cell = grid.cell_of(
        cases["lon"].fill_null(float("nan")).to_numpy(),
        cases["lat"].fill_null(float("nan")).to_numpy(),
    )
    placed = cases.select("reported_on").with_columns(pl.Series("cell_id", cell, dtype=pl.Int32))
    counts = (
        placed.join(grid.cells.select("cell_id", "borough"), on="cell_id", how="left")
        .group_by(
            pl.col("borough").fill_null("unknown"),
            pl.col("reported_on").dt.truncate("1mo").alias("month_on"),
        )
        .agg(pl.len().cast(pl.Int64).alias("cases_count"))
        .sort("borough", "month_on")
    )
    shown = pl.when(pl.col("cases_count") >= SMALLEST_COUNT).then(pl.col("cases_count"))
    return VERIFIED_CASE_COUNTS.conform(counts.with_columns(shown.alias("cases_count")))
