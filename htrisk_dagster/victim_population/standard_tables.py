"""The tables that the analysis publishes, all of them one release.

Belongs here: which columns are counted against which, and the columns made for it (one exploitation
kind and one recruiter relation per case). Does not: recoding of the publisher's files, hiding cells
(`suppression`).

A case may carry several indicators. Where only one kind per case is wanted, the kinds are made here
to exclude one another, and the indicators behind them are not published besides: a reader who knows
how one follows from the other could difference the two. Means of control stay as they are, one table
each, because a case often has several.
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas.victim_population import INDICATORS, snake_case
from htrisk_dagster.victim_population.published_tables import UNKNOWN, TableSpec

N_CITIZENSHIPS = 10
"""Citizenships that have a row of their own; every other is "other"."""

MEANS_OF_CONTROL = tuple(
    snake_case(name) for name in INDICATORS if name.startswith("meansOfControl")
)

STANDARD_TABLES = (
    TableSpec("year", ("year_of_registration",)),
    TableSpec("year_by_gender", ("year_of_registration", "gender")),
    TableSpec("year_by_exploitation", ("year_of_registration", "exploitation")),
    TableSpec("year_by_source", ("year_of_registration", "data_source")),
    TableSpec("gender_by_age_band", ("gender", "age_band")),
    TableSpec("source_by_gender_by_exploitation", ("data_source", "gender", "exploitation")),
    TableSpec("citizenship_by_exploitation", ("citizenship_group", "exploitation")),
    TableSpec(
        "recruiter_by_gender_by_majority", ("recruiter_relation", "gender", "majority_status")
    ),
    *(TableSpec(f"{means}_by_source", (means, "data_source")) for means in MEANS_OF_CONTROL),
)
"""What is published together. Made for the columns that `for_standard_tables` adds to RECORDS."""

KNOWN_EMPTY = (("age_band", "majority_status"),)
"""Nobody of 9--17 years is an adult, and any reader knows."""


def for_standard_tables(records: pl.DataFrame) -> pl.DataFrame:
    """The records with the three columns that `STANDARD_TABLES` needs besides those of RECORDS.

    Parameters
    ----------
    records : pl.DataFrame
        Of `schemas.victim_population.RECORDS`.

    Returns
    -------
    pl.DataFrame
        With ``exploitation`` (sexual, labour, sexual_and_labour, other, none_recorded, unknown),
        ``recruiter_relation`` (intimate_partner, friend, family, other, several, unknown) and
        ``citizenship_group`` (the `N_CITIZENSHIPS` most frequent, other, unknown).
    """
    relations = ("intimate_partner", "friend", "family", "other")
    named = {name: pl.col(f"recruiter_relation_{name}").fill_null(False) for name in relations}
    n_named = pl.sum_horizontal(is_so.cast(pl.Int32) for is_so in named.values())
    only = pl.coalesce(pl.when(is_so).then(pl.lit(name)) for name, is_so in named.items())
    relation = pl.when(n_named > 1).then(pl.lit("several")).otherwise(only.fill_null(UNKNOWN))

    sexual, labour = pl.col("is_sexual_exploit"), pl.col("is_forced_labour")
    both = pl.col("is_sex_and_labour").fill_null(False) | (sexual & labour).fill_null(False)
    exploitation = (
        pl.when(both).then(pl.lit("sexual_and_labour"))
        .when(sexual).then(pl.lit("sexual"))
        .when(labour).then(pl.lit("labour"))
        .when("is_other_exploit").then(pl.lit("other"))
        .when(sexual.is_null() | labour.is_null() | pl.col("is_other_exploit").is_null())
        .then(pl.lit(UNKNOWN))
        .otherwise(pl.lit("none_recorded"))
    )  # fmt: skip

    citizenship = pl.col("citizenship")
    by_citizenship = records["citizenship"].drop_nulls().value_counts()
    frequent = by_citizenship.sort("count", "citizenship", descending=[True, False])
    group = (
        pl.when(citizenship.is_null()).then(pl.lit(UNKNOWN))
        .when(citizenship.is_in(frequent["citizenship"].head(N_CITIZENSHIPS).to_list()))
        .then(citizenship)
        .otherwise(pl.lit("other"))
    )  # fmt: skip
    return records.with_columns(
        exploitation=exploitation, recruiter_relation=relation, citizenship_group=group
    )
