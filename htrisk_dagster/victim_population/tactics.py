"""Means of control: which is used most, and how that has changed.

Belongs here: the ranking by data source, its change, and the sentence that says it. Does not:
counts by year (`trends`), who is controlled by it (`logit`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from htrisk_dagster.schemas.victim_population import ALL_SOURCES, TACTICS
from htrisk_dagster.victim_population.intervals import LEVEL, with_share
from htrisk_dagster.victim_population.trends import by_source, names_a_means, told_means

_PREFIX = "means_of_control_"
_GROUP_WORDS = {
    "means_debt_bondage_earnings": "debt bondage or taken earnings",
    "means_abuse_psy_phy_sex": "psychological, physical or sexual abuse",
    "means_deny_basic_needs": "denial of basic needs",
}


def rank_tactics(records: pl.DataFrame) -> pl.DataFrame:
    """Rank the means of control of each data source and compare the halves of its years.

    A share is of the records that name at least one means; one record may name several. Single
    means are ranked where the release tells them. Where it only tells a group (later synthetic
    releases), the group is ranked in place of its parts, never beside them, so that no act counts
    twice (`trends.told_means`). The halves are of the calendar between the source's first and last
    year, the first taking the odd year. The change's interval is Newcombe's for a difference of two
    independent proportions.

    Newcombe, R. G. (1998). Interval estimation for the difference between independent proportions.
    Statistics in Medicine 17.

    Parameters
    ----------
    records : DataFrame
        As `RECORDS`.

    Returns
    -------
    DataFrame
        As `TACTICS`, by source and rank; equal counts are ranked by name.
    """
    named = by_source(records).with_columns(names_a_means().alias("is_known"))
    parts = [
        _rank_one_source(part, told_means(records))
        for part in named.partition_by("data_source", maintain_order=True)
    ]
    return TACTICS.conform(pl.concat(parts).sort("data_source", "rank"))


def most_used_tactic(tactics: pl.DataFrame) -> str:
    """Answer the question in plain words for each data source.

    Nothing is said of all sources together: their mix changes from year to year (the 2018 release
    has no hotline record before 2015), so a change of the whole is mostly a change of the mix.

    Parameters
    ----------
    tactics : DataFrame
        As `TACTICS`, of `rank_tactics`.
    """
    is_first = (pl.col("rank") == 1) & (pl.col("data_source") != ALL_SOURCES)
    first = tactics.filter(is_first).sort("data_source")
    return " ".join(_sentence(row) for row in first.iter_rows(named=True))


def _rank_one_source(part: pl.DataFrame, means: tuple[str, ...]) -> pl.DataFrame:
    first, last = part.select(
        pl.col("year_of_registration").min().fill_null(0).alias("first"),
        pl.col("year_of_registration").max().fill_null(0).alias("last"),
    ).row(0)
    middle = (first + last) // 2
    is_first = pl.col("year_of_registration") <= middle
    is_second = pl.col("year_of_registration") > middle
    counts = pl.concat(
        part.select(
            pl.lit(name).alias("tactic"),
            pl.col("data_source").first(),
            *_count("", name, pl.lit(True)),
            *_count("first_", name, is_first),
            *_count("second_", name, is_second),
            (pl.len() - pl.col("is_known").sum()).cast(pl.Int64).alias("unknown_count"),
        )
        for name in means
    )
    ranked = with_share(counts).sort(["records_count", "tactic"], descending=[True, False])
    return _with_change(ranked).with_columns(
        pl.int_range(1, pl.len() + 1, dtype=pl.Int32).alias("rank"),
        pl.lit(_span(first, middle)).alias("first_years"),
        pl.lit(_span(middle + 1, last) if last > middle else None, dtype=pl.String).alias(
            "second_years"
        ),
    )


def _count(half: str, name: str, is_in: pl.Expr) -> tuple[pl.Expr, pl.Expr]:
    is_in = is_in.fill_null(False)
    return (
        (pl.col(name).fill_null(False) & is_in).sum().cast(pl.Int64).alias(f"{half}records_count"),
        (pl.col("is_known") & is_in).sum().cast(pl.Int64).alias(f"{half}known_count"),
    )


def _with_change(counts: pl.DataFrame) -> pl.DataFrame:
    from statsmodels.stats.proportion import confint_proportions_2indep

    first, second, first_known, second_known = (
        counts[name].to_numpy().astype(np.float64)
        for name in (
            "first_records_count", "second_records_count", "first_known_count", "second_known_count",
        )
    )  # fmt: skip
    is_told = (first_known > 0) & (second_known > 0)
    lower, upper = confint_proportions_2indep(
        second,
        np.where(is_told, second_known, np.maximum(second, 1)),
        first,
        np.where(is_told, first_known, np.maximum(first, 1)),
        method="newcomb",
        compare="diff",
        alpha=1 - LEVEL,
    )
    halves = [
        pl.when(pl.col(f"{half}_known_count") > 0)
        .then(pl.col(f"{half}_records_count") / pl.col(f"{half}_known_count"))
        .alias(f"{half}_share")
        for half in ("first", "second")
    ]
    limits = [
        pl.when(pl.Series(is_told)).then(pl.Series(values, dtype=pl.Float64)).alias(name)
        for name, values in (("change_lower", lower), ("change_upper", upper))
    ]
    return counts.with_columns(*halves, *limits).with_columns(
        (pl.col("second_share") - pl.col("first_share")).alias("change")
    )


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}-{last}"


def _sentence(row: dict[str, Any]) -> str:
    source = f"{row['data_source']} records".replace("_", "-")
    if not row["known_count"]:
        return f"In {source} no means of control is named."
    tactic = row["tactic"].removeprefix(_PREFIX).replace("_", " ")
    if row["tactic"] in _GROUP_WORDS:
        tactic = f"{_GROUP_WORDS[row['tactic']]} (which the release tells only as one)"
    said = (
        f"In {source} the means of control named most is {tactic}: {row['records_count']:,} of the "
        f"{row['known_count']:,} records that name one ({row['share']:.1%}, 95% interval "
        f"{row['share_lower']:.1%} to {row['share_upper']:.1%}); "
        f"{row['unknown_count']:,} records name none."
    )
    if row["change"] is None:
        return f"{said} A change cannot be told: one half of its years names no means."
    change, lower, upper = (
        f"{100 * row[name]:+.1f}" for name in ("change", "change_lower", "change_upper")
    )
    is_clear = row["change_lower"] > 0 or row["change_upper"] < 0
    return (
        f"{said} From {row['first_years']} to {row['second_years']} its share went from "
        f"{row['first_share']:.1%} to {row['second_share']:.1%}, a change of {change} points "
        f"(95% interval {lower} to {upper})" + ("." if is_clear else ", which may be none.")
    )
