"""Citizenship by country of exploitation, and the countries with the most and fewest records.

Belongs here: counts of pairs of countries, their matrix of logarithms, profiles of the leading and
the last countries. Does not: drawing (`heat_map`), anything below a country.
"""

from __future__ import annotations

from typing import Literal

import polars as pl

from htrisk_dagster.schemas.victim_population import COUNTRY_PROFILES, FLOWS
from htrisk_dagster.victim_population.intervals import with_share

Side = Literal["citizenship", "country_of_exploitation"]
SIDES: tuple[Side, Side] = ("citizenship", "country_of_exploitation")
PROFILED = ("age_band", "gender", "trafficked_months_band")
N_COUNTRIES = 5


def flow_counts(records: pl.DataFrame) -> pl.DataFrame:
    """Count records by citizenship and country of exploitation, unknown countries as null.

    Parameters
    ----------
    records : DataFrame
        As `RECORDS`.

    Returns
    -------
    DataFrame
        As `FLOWS`; its counts add up to all records.
    """
    counts = records.group_by(SIDES).agg(pl.len().cast(pl.Int64).alias("records_count"))
    return FLOWS.conform(
        counts.with_columns(pl.col("records_count").log10().alias("log10_count")).sort(SIDES)
    )


def log_count_matrix(flows: pl.DataFrame) -> pl.DataFrame:
    """Lay the known flows out for a heat map.

    Parameters
    ----------
    flows : DataFrame
        As `FLOWS`.

    Returns
    -------
    DataFrame
        One row a citizenship (column `citizenship`), one column a country of exploitation, both
        from the most records to the fewest; log10 of the count, null where there is no record.
    """
    known = flows.drop_nulls(SIDES)
    rows, columns = (_ranked(known, side)[side].to_list() for side in SIDES)
    wide = known.pivot("country_of_exploitation", index="citizenship", values="log10_count")
    return (
        pl.DataFrame({"citizenship": rows}, schema={"citizenship": pl.String})
        .join(wide, on="citizenship", how="left", maintain_order="left")
        .select("citizenship", *columns)
    )


def rank_countries(records: pl.DataFrame, side: Side) -> pl.DataFrame:
    """Countries of one side by records, the most first; equal counts by code, unknown left out."""
    return _ranked(flow_counts(records).drop_nulls(side), side)


def country_profiles(records: pl.DataFrame, *, n_countries: int = N_COUNTRIES) -> pl.DataFrame:
    """Age, sex and duration in the countries with the most and with the fewest records.

    Where a side has fewer than twice `n_countries`, the two groups get half of its countries each,
    so that no country is in both.

    Parameters
    ----------
    records : DataFrame
        As `RECORDS`.
    n_countries : int
        Countries in each group.

    Returns
    -------
    DataFrame
        As `COUNTRY_PROFILES`; a dimension that the release does not have has no rows.
    """
    parts = [COUNTRY_PROFILES.empty()]
    for side in SIDES:
        ranked = rank_countries(records, side)[side].to_list()
        size = min(n_countries, len(ranked) // 2)
        groups = {"top": ranked[:size], "bottom": ranked[len(ranked) - size :]}
        for group, countries in groups.items():
            members = records.filter(pl.col(side).is_in(countries))
            for dimension in PROFILED:
                profile = _profile(members, dimension).with_columns(
                    pl.lit(side).alias("side"),
                    pl.lit(group).alias("group"),
                    pl.lit(" ".join(countries)).alias("countries"),
                )
                parts.append(COUNTRY_PROFILES.conform(with_share(profile)))
    return COUNTRY_PROFILES.conform(
        pl.concat(parts).sort(
            "side", "group", "dimension", "category", descending=[False, True, False, False]
        )
    )


def _ranked(flows: pl.DataFrame, side: str) -> pl.DataFrame:
    return (
        flows.group_by(side)
        .agg(pl.col("records_count").sum())
        .sort(["records_count", side], descending=[True, False])
    )


def _profile(members: pl.DataFrame, dimension: str) -> pl.DataFrame:
    known = members.drop_nulls(dimension)
    return (
        known.group_by(pl.col(dimension).alias("category"))
        .agg(pl.len().cast(pl.Int64).alias("records_count"))
        .sort("category")
        .with_columns(
            pl.lit(dimension).alias("dimension"),
            pl.lit(known.height, dtype=pl.Int64).alias("known_count"),
            pl.lit(members.height - known.height, dtype=pl.Int64).alias("unknown_count"),
        )
    )
