"""The predicted mix of offences beside the historical one, of all agencies together.

Belongs here: what of `agencies.offence_mix` may leave. Does not: the classifier (`models/offence_mix`).

Shares of one small agency would tell its small counts, and those of all agencies but one the shares of
that one. So only the mix of all together leaves, categories of fewer than k offences in one group.
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas.published import OFFENCE_MIX
from htrisk_dagster.victim_population.published_tables import K

OTHER = "Other offences"
_WHEN = ["day_part", "is_weekend"]


def publish_offence_mix(mix: pl.DataFrame, offences: pl.DataFrame) -> pl.DataFrame:
    """Mix of all agencies together, each agency by the number of its offences.

    Parameters
    ----------
    mix : DataFrame
        `schemas.agencies.OFFENCE_MIX`.
    offences : DataFrame
        `agency_id` and `count`, offences of each agency in the history that the mix was fitted on.

    Returns
    -------
    DataFrame
        `schemas.published.OFFENCE_MIX`; without rows where all offences together are fewer than k.
    """
    total = int(offences["count"].sum())
    if mix.is_empty() or total < K:
        return OFFENCE_MIX.empty()
    weight = pl.col("count") / total
    together = (
        mix.join(offences, on="agency_id")
        .group_by(*_WHEN, "offence_category")
        .agg(
            (100 * weight * pl.col("offence_prob")).sum().alias("predicted_pct"),
            (100 * weight * pl.col("past_share")).sum().alias("historical_pct"),
        )
    )
    rare = _rare(together, total)
    category = pl.col("offence_category")
    grouped = (
        together.with_columns(
            pl.when(category.is_in(rare))
            .then(pl.lit(OTHER))
            .otherwise(category)
            .alias("offence_category")
        )
        .group_by(*_WHEN, "offence_category")
        .agg(pl.col("predicted_pct", "historical_pct").sum())
    )
    return OFFENCE_MIX.conform(grouped.sort(*_WHEN, "offence_category"))


def _rare(together: pl.DataFrame, total: int) -> list[str]:
    """Categories that are told as one: all of fewer than k, and the next until these are k or more."""
    counts = (
        together.group_by("offence_category")
        .agg((pl.col("historical_pct").first() * total / 100).round().alias("count"))
        .sort("count", "offence_category")
    )
    n = counts.filter(pl.col("count") < K).height
    # None at all is no small count: what was never reported stays as it is.
    if counts["count"].head(n).sum() == 0:
        return []
    while counts["count"].head(n).sum() < K and n < counts.height:
        n += 1
    return counts["offence_category"].head(n).to_list()
