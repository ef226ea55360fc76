"""What the maps expected beside the verified cases, by period and borough.

Belongs here: the sums. Does not: hit rates (`verified_validation`), how the cases' counts are made
and hidden (`verified_counts`).
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.evaluation.release_periods import LENGTHS, length_of, starts
from htrisk_dagster.schemas.verified import OVERLAY
from htrisk_dagster.victim_population.published_tables import ALL


def overlay(risk: pl.DataFrame, cells: pl.DataFrame, counts: pl.DataFrame) -> pl.DataFrame:
    """Lay what the maps expected beside the cases, by period and borough.

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
        `schemas.verified.OVERLAY`: periods with a map or a case; months where no case is counted.
    """
    months = length_of(counts) or LENGTHS[0]
    of_cell = risk.join(cells.select("cell_id", "borough"), on="cell_id", how="left").with_columns(
        starts(pl.col("risk_on"), months).alias("period_on")
    )
    sums = (
        pl.col("risk_on").n_unique().alias("maps_count"),
        pl.col("expected_count").sum(),
        pl.col("risk_prob").mean().alias("mean_risk_prob"),
    )
    by_borough = of_cell.group_by("borough", "period_on").agg(sums)
    whole = of_cell.group_by("period_on").agg(sums).with_columns(pl.lit(ALL).alias("borough"))
    expected = pl.concat([by_borough, whole.select(by_borough.columns)])
    keys = ["borough", "period_on"]
    of_periods = counts.filter(pl.col("period_on").is_not_null())
    both = expected.join(of_periods.drop("months_count"), on=keys, how="full", coalesce=True)
    return OVERLAY.conform(
        both.with_columns(
            pl.col("maps_count").fill_null(0),
            months_count=pl.lit(months, pl.Int32),
            days_count=(pl.col("period_on").dt.offset_by(f"{months}mo") - pl.col("period_on"))
            .dt.total_days()
            .cast(pl.Int32),
        )
    ).sort(keys)
