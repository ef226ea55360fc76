"""Police employees by agency and year: carried where a year has none, ratios, trends.

Belongs here: `agencies.staffing` and `agencies.officer_trends`. Does not: reading the files
(`sources/police_agencies`), rates of incidents (`agency_rates`).
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas.agencies import OFFICER_TRENDS, STAFFING, STATE

_EMPLOYEES = ("male_officers_count", "female_officers_count", "officers_count", "civilians_count")
_CITY = "City"


def staffing(agencies: pl.DataFrame, years: range) -> pl.DataFrame:
    """Residents and employees of every agency in every year, carried where a year has none.

    A year without a count takes the agency's latest, whichever side it lies on: the counts of 2024
    carried over history are what a file of older offences can be related to. It is marked.

    Parameters
    ----------
    agencies : DataFrame
        `nibrs.police_agencies` of one state.
    years : range
        Years of offences; those of counts are added.

    Returns
    -------
    DataFrame
        `agencies.staffing`, by agency and year.
    """
    counted = _with_sums(agencies)
    has_count = counted.filter(pl.col("officers_count").is_not_null())
    latest = has_count.sort("year").group_by("agency_id").last()
    latest = latest.select(
        "agency_id", pl.col("year").alias("latest_counted_year"),
        *(pl.col(name).alias(f"latest_{name}") for name in _EMPLOYEES),
    )  # fmt: skip
    known = (
        counted.sort("year")
        .group_by("agency_id")
        .last()
        .select("agency_id", "agency", "agency_type")
    )
    wanted = sorted({*years, *counted["year"].unique()})
    every = known.join(pl.DataFrame({"year": pl.Series(wanted, dtype=pl.Int32)}), how="cross")
    own = counted.select("agency_id", "year", *_EMPLOYEES)
    rows = (
        every.join(_nearest_residents(counted, every), on=["agency_id", "year"])
        .join(own, on=["agency_id", "year"], how="left")
        .join(latest, on="agency_id", how="left")
        .with_columns(
            pl.col("officers_count").is_null().alias("is_carried"),
            (pl.col("agency_type") == _CITY).alias("is_municipality"),
        )
        .with_columns(
            *(_carried(name, f"latest_{name}") for name in _EMPLOYEES),
            _carried("year", "latest_counted_year").alias("counted_year"),
        )
    )
    return STAFFING.conform(
        rows.with_columns(
            _female_pct(), _per_1000("officers_count").alias("officers_per_1000"),
            _per_1000("latest_officers_count").alias("latest_officers_per_1000"),
        ).sort("agency_id", "year")
    )  # fmt: skip


def officer_trends(agencies: pl.DataFrame, *, state: str) -> pl.DataFrame:
    """Counts of each agency, and of the state over the agencies counted every year, with changes.

    Parameters
    ----------
    agencies : DataFrame
        `nibrs.police_agencies` of one state.
    state : str
        What the state's rows are called.

    Returns
    -------
    DataFrame
        `agencies.officer_trends`, the state first, then by agency and year.
    """
    counted = _with_sums(agencies).filter(pl.col("officers_count").is_not_null())
    n_years = counted["year"].n_unique()
    always = counted.filter(pl.col("year").n_unique().over("agency_id") == n_years)
    columns = (*_EMPLOYEES, "residents_count")
    whole = always.group_by("year").agg(
        pl.len().cast(pl.Int64).alias("agencies_counted_count"), pl.col(columns).sum()
    )
    labelled = whole.with_columns(pl.lit(STATE).alias("agency_id"), pl.lit(state).alias("agency"))
    each = counted.with_columns(
        pl.lit(1, pl.Int64).alias("agencies_counted_count"),
        pl.col("agency").last().over("agency_id", order_by="year"),
    )
    names = ["agency_id", "agency", "year", "agencies_counted_count", *columns]
    rows = pl.concat([labelled.select(names), each.select(names)]).sort(
        pl.col("agency_id") != STATE, "agency_id", "year"
    )
    officers = pl.col("officers_count")
    first = officers.first().over("agency_id")
    return OFFICER_TRENDS.conform(
        rows.with_columns(
            _female_pct(),
            officers.diff().over("agency_id").alias("officers_change_count"),
            pl.when(first > 0).then((officers - first) / first * 100).alias("officers_change_pct"),
            _per_1000("officers_count").alias("officers_per_1000"),
        )
    )


def _with_sums(agencies: pl.DataFrame) -> pl.DataFrame:
    # A sum with a missing part is missing: half a force is no count.
    return agencies.with_columns(
        (pl.col("male_officers_count") + pl.col("female_officers_count")).alias("officers_count"),
        (pl.col("male_civilians_count") + pl.col("female_civilians_count")).alias(
            "civilians_count"
        ),
    )


def _nearest_residents(counted: pl.DataFrame, every: pl.DataFrame) -> pl.DataFrame:
    """Residents of each agency and year from the nearest year that has them, the later of two."""
    published = counted.select("agency_id", "residents_count", residents_year="year")
    pairs = every.select("agency_id", "year").join(published, on="agency_id")
    distance = (pl.col("residents_year") - pl.col("year")).abs()
    return (
        pairs.sort(distance, -pl.col("residents_year"))
        .group_by("agency_id", "year", maintain_order=True)
        .first()
    )


def _carried(name: str, latest: str) -> pl.Expr:
    return pl.when("is_carried").then(pl.col(latest)).otherwise(pl.col(name)).alias(name)


def _female_pct() -> pl.Expr:
    share = pl.col("female_officers_count") / pl.col("officers_count") * 100
    return pl.when(pl.col("officers_count") > 0).then(share).alias("female_officers_pct")


def _per_1000(name: str) -> pl.Expr:
    residents = pl.col("residents_count")
    return pl.when(residents > 0).then(pl.col(name) / residents * 1000)
