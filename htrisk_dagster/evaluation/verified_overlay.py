"""What the maps expected beside the verified cases, by month and borough.

Belongs here: the sums. Does not: hit rates (`verified_validation`), how the cases' counts are made
and hidden (`verified_counts`).
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas.verified import OVERLAY
from htrisk_dagster.victim_population.published_tables import ALL


def overlay(risk: pl.DataFrame, cells: pl.DataFrame, counts: pl.DataFrame) -> pl.DataFrame:
    """Lay what the maps expected beside the cases, by month and borough.

    Parameters
    ----------
    risk : DataFrame
        risk_on, cell_id, expected_count and risk_prob of every map.
    cells : DataFrame
        `schemas.grid.CELLS`.
    counts : DataFrame
        `schemas.staging.VERIFIED_CASE_COUNTS`; nothing else of the cases is used.

    Returns
    -------
    DataFrame
        `schemas.verified.OVERLAY`: months with a map or a case.
    """
    of_cell = risk.join(cells.select("cell_id", "borough"), on="cell_id", how="left").with_columns(
        pl.col("risk_on").dt.truncate("1mo").alias("month_on")
    )
    sums = (
        pl.col("risk_on").n_unique().alias("maps_count"),
        pl.col("expected_count").sum(),
        pl.col("risk_prob").mean().alias("mean_risk_prob"),
    )
    by_borough = of_cell.group_by("borough", "month_on").agg(sums)
    whole = of_cell.group_by("month_on").agg(sums).with_columns(pl.lit(ALL).alias("borough"))
    expected = pl.concat([by_borough, whole.select(by_borough.columns)])
    keys = ["borough", "month_on"]
    monthly = counts.filter(pl.col("month_on").is_not_null())
    both = expected.join(monthly, on=keys, how="full", coalesce=True)
    return OVERLAY.conform(
        both.with_columns(
            pl.col("maps_count").fill_null(0),
            days_count=pl.col("month_on").dt.month_end().dt.day(),
        )
    ).sort(keys)
