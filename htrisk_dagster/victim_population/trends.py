"""Records by year, and by year and sex, age band, exploitation and means of control.

Belongs here: counts and shares with intervals, by data source. Does not: which tactic leads
(`tactics`), years ahead (`yearly_forecast`), models (`logit`).

A share's denominator holds only records in which the thing is known; those in which it is unknown
are counted beside it. Means of control are ticked where present and hardly ever denied (6 noes in
the 2018 release), so yes over yes-and-no would be 1 by construction: there, a record is known where
it names at least one means.
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas.victim_population import (
    ALL_SOURCES,
    INDICATORS,
    SOURCE_CONTRAST,
    YEARLY_COUNTS,
    snake_case,
)
from htrisk_dagster.victim_population.grouped_means import GROUPED_MEANS
from htrisk_dagster.victim_population.intervals import with_count_interval, with_share

EXPLOITATION = (
    "is_forced_labour",
    "is_sexual_exploit",
    "is_other_exploit",
    "is_sex_and_labour",
    "is_forced_marriage",
    "is_forced_military",
    "is_organ_removal",
)
MEANS_OF_CONTROL = tuple(
    snake_case(name)
    for name in INDICATORS
    if name.startswith("meansOfControl") and name != "meansOfControlNotSpecified"
)
UNKNOWN_SOURCE = "unknown"
_GROUP = ["data_source", "year_of_registration"]


def by_source(records: pl.DataFrame) -> pl.DataFrame:
    """Records once for their data source (`unknown` where not given) and once for `all`."""
    named = records.with_columns(pl.col("data_source").fill_null(UNKNOWN_SOURCE))
    return pl.concat([named.with_columns(pl.lit(ALL_SOURCES).alias("data_source")), named])


def names_a_means() -> pl.Expr:
    """Whether a record names at least one means of control, by itself or in a group."""
    names = (*MEANS_OF_CONTROL, *GROUPED_MEANS)
    return pl.any_horizontal(pl.col(name).fill_null(False) for name in names)


def told_means(records: pl.DataFrame) -> tuple[str, ...]:
    """Means of control that the release tells apart, each act once.

    A group stands in place of its parts where some record says yes to it and none to any of its
    parts: the release only tells the group. Otherwise the parts stand and the group is left out, for
    it is made from them. So a record's yes is never counted both for a part and for its group.

    Parameters
    ----------
    records : DataFrame
        As `RECORDS`, of one release.

    Returns
    -------
    tuple of str
        Columns of `RECORDS`.
    """
    is_named = records.select(pl.col(*MEANS_OF_CONTROL, *GROUPED_MEANS).any()).row(0, named=True)
    groups = {
        group: parts
        for group, parts in GROUPED_MEANS.items()
        if is_named[group] and not any(is_named[part] for part in parts)
    }
    in_groups = {part for parts in groups.values() for part in parts}
    return (*(name for name in MEANS_OF_CONTROL if name not in in_groups), *groups)


def yearly_counts(records: pl.DataFrame) -> pl.DataFrame:
    """Count records by data source, year, dimension and category, with shares and intervals.

    Parameters
    ----------
    records : DataFrame
        As `RECORDS`.

    Returns
    -------
    DataFrame
        As `YEARLY_COUNTS`. Every category that occurs anywhere has a row in every source and year
        with a record, zeros included. Means of control are those of `told_means`.
    """
    sourced = by_source(records)
    parts = [
        _by_indicator(sourced, "exploitation", EXPLOITATION, None),
        _by_indicator(sourced, "means_of_control", told_means(records), names_a_means()),
        _by_value(sourced.with_columns(pl.lit("all").alias("all_records")), "all_records"),
        _by_value(sourced, "gender"),
        _by_value(sourced, "age_band"),
    ]
    counts = with_share(with_count_interval(pl.concat(parts)))
    return YEARLY_COUNTS.conform(counts.sort(YEARLY_COUNTS.key))


def source_contrast(records: pl.DataFrame, indicator: str) -> pl.DataFrame:
    """How often an indicator is yes, by data source, gender and majority when exploited.

    The published contrast of the 2018 release is `share_of_all` of `is_sexual_exploit` among women
    recorded as adult when exploited: .94 in hotline records (1,084 of 1,152), .08 in case
    management (43 of 528). It takes unknown as no, and most of it is the unknown: in case
    management 408 of the 528 are, and of the 120 that are known 43 are yes, .36 against .96.

    Parameters
    ----------
    records : DataFrame
        As `RECORDS`.
    indicator : str
        A Boolean column of `RECORDS`.

    Returns
    -------
    DataFrame
        As `SOURCE_CONTRAST`.
    """
    group = ["data_source", "gender", "majority_status_at_exploit"]
    counts = (
        by_source(records)
        .group_by(group)
        .agg(*_tally(pl.col(indicator), pl.col(indicator).is_not_null()))
        .with_columns(
            pl.lit(indicator).alias("indicator"),
            (pl.col("records_count") / (pl.col("known_count") + pl.col("unknown_count"))).alias(
                "share_of_all"
            ),
        )
    )
    return SOURCE_CONTRAST.conform(with_share(counts).sort("indicator", *group))


def _tally(answer: pl.Expr, is_known: pl.Expr) -> tuple[pl.Expr, ...]:
    return (
        answer.fill_null(False).sum().cast(pl.Int64).alias("records_count"),
        is_known.sum().cast(pl.Int64).alias("known_count"),
        is_known.not_().sum().cast(pl.Int64).alias("unknown_count"),
    )


def _by_indicator(
    sourced: pl.DataFrame, dimension: str, indicators: tuple[str, ...], is_known: pl.Expr | None
) -> pl.DataFrame:
    return pl.concat(
        sourced.group_by(_GROUP)
        .agg(*_tally(pl.col(name), pl.col(name).is_not_null() if is_known is None else is_known))
        .with_columns(pl.lit(dimension).alias("dimension"), pl.lit(name).alias("category"))
        for name in indicators
    )


def _by_value(sourced: pl.DataFrame, column: str) -> pl.DataFrame:
    known = pl.col(column).is_not_null()
    totals = sourced.group_by(_GROUP).agg(
        known.sum().cast(pl.Int64).alias("known_count"),
        known.not_().sum().cast(pl.Int64).alias("unknown_count"),
    )
    counts = sourced.group_by(*_GROUP, column).agg(pl.len().cast(pl.Int64).alias("records_count"))
    categories = sourced.select(pl.col(column).drop_nulls().unique())
    return (
        totals.join(categories, how="cross")
        .join(counts, on=[*_GROUP, column], how="left", nulls_equal=True)
        .select(
            *_GROUP,
            pl.col("records_count").fill_null(0),
            "known_count",
            "unknown_count",
            pl.lit(column).alias("dimension"),
            pl.col(column).alias("category"),
        )
    )
