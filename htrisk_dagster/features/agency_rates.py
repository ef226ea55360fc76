"""Reported incidents to 1,000 residents by police agency, year and category.

Belongs here: `agencies.yearly_rates`. Does not: residents and officers of a year (`staffing`).
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.schemas.agencies import ALL_OFFENCES, STATE, YEARLY_RATES

LEVEL = 0.95


def yearly_rates(offences: pl.DataFrame, staffing: pl.DataFrame, *, state: str) -> pl.DataFrame:
    """Count incidents by agency, year and category, and relate them to residents.

    Every agency has a row for every category of the year, 0 incidents among them: a quiet town
    is a fact, too. The state's residents are those of all agencies together.

    Parameters
    ----------
    offences : DataFrame
        `nibrs.reported_offences`.
    staffing : DataFrame
        `agencies.staffing` of the years of the offences at least.
    state : str
        What the state's rows are called.

    Returns
    -------
    DataFrame
        `agencies.yearly_rates`, by agency, year and category.
    """
    rows = offences.select(
        "agency_id",
        "incident_id",
        "offence_category",
        pl.col("occurred_on").dt.year().alias("year"),
    )
    every = rows.with_columns(pl.lit(ALL_OFFENCES).alias("offence_category"))
    incidents = (
        pl.concat([rows, every])
        .unique()
        .group_by("agency_id", "year", "offence_category")
        .agg(pl.len().cast(pl.Int64).alias("incidents_count"))
    )
    kinds = incidents.select("year", "offence_category").unique()
    of_agencies = (
        staffing.join(kinds, on="year")
        .join(incidents, on=["agency_id", "year", "offence_category"], how="left")
        .with_columns(pl.col("incidents_count").fill_null(0), is_staffing_carried="is_carried")
    )
    of_state = of_agencies.group_by("year", "offence_category").agg(
        pl.col("incidents_count", "residents_count", "officers_count").sum(),
        pl.col("is_staffing_carried").any(),
        pl.lit(STATE).alias("agency_id"),
        pl.lit(state).alias("agency"),
    )
    officers = pl.col("officers_count") / pl.col("residents_count") * 1000
    of_state = of_state.with_columns(
        pl.when(pl.col("residents_count") > 0).then(officers).alias("officers_per_1000")
    )
    names = ["agency_id", "agency", "year", "offence_category", "incidents_count", "residents_count",
             "officers_per_1000", "is_staffing_carried"]  # fmt: skip
    found = pl.concat([of_state.select(names), of_agencies.select(names)])
    lower, upper = poisson_interval(found["incidents_count"].to_numpy())
    per_1000 = 1000 / pl.col("residents_count")
    counts = {"rate_per_1000": pl.col("incidents_count"), "rate_lower": pl.lit(pl.Series(lower)),
              "rate_upper": pl.lit(pl.Series(upper))}  # fmt: skip
    return YEARLY_RATES.conform(
        found.with_columns(
            pl.when(pl.col("residents_count") > 0).then(count * per_1000).alias(name)
            for name, count in counts.items()
        ).sort(pl.col("agency_id") != STATE, "agency_id", "year", "offence_category")
    )


def poisson_interval(
    counts: NDArray[np.integer], *, level: float = LEVEL
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Exact interval of the mean of a Poisson count, by chi-square quantiles.

    Garwood, F. (1936). Fiducial limits for the Poisson distribution. Biometrika 28. It holds the
    mean with probability `level` or more.
    """
    from scipy.stats import chi2

    tail = (1 - level) / 2
    lower = np.where(counts > 0, chi2.ppf(tail, 2 * np.maximum(counts, 1)) / 2, 0.0)
    return lower, np.asarray(chi2.ppf(1 - tail, 2 * (counts + 1)) / 2)
