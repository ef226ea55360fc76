"""Mobility features: airport and subway passengers, each with its publication lag.

Belongs here: from `schemas.staging.MOBILITY` to one number a day for the whole city. Does not:
the lags (the study area's file). A period is known at day D where its last day lies before
D minus the lag of its series. Where nothing recent is known the feature is NaN.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.grid.panel import day_numbers

# Kind, by which a study area gives its publication lags, to series.
SERIES = {"airport": "airport_jfk", "transit": "transit_subway"}
# A month that ended longer ago than this says nothing of now: the series has stopped.
STALE_AFTER_DAYS = 92


def airport_anomaly(
    mobility: pl.DataFrame, days: NDArray[np.datetime64], lag_days: int
) -> NDArray[np.float64]:
    """Latest published month of JFK passengers relative to the same month a year before, minus 1.

    Where the year before is not known, relative to the mean of the up to 12 known months before.

    Parameters
    ----------
    mobility : DataFrame
        `schemas.staging.MOBILITY`.
    days : datetime64[D], shape (D,)
    lag_days : int
        Days from the end of a month to its publication.

    Returns
    -------
    float64, shape (D,)
        NaN where no month is known, there is none to compare with, or the latest ended more than
        92 days before the cutoff.
    """
    rows = mobility.filter(pl.col("series") == SERIES["airport"]).sort("period_on")
    months = rows["period_on"].to_numpy().astype("datetime64[M]")
    passengers = rows["passengers_count"].to_numpy().astype(np.float64)
    if months.size == 0:
        return np.full(days.shape, np.nan)
    base = np.full(months.size, np.nan)
    for i, month in enumerate(months):
        year_before = passengers[months == month - 12]
        earlier = passengers[(months < month) & (months >= month - 12)]
        compared = year_before if year_before.size else earlier
        base[i] = compared.mean() if compared.sum() > 0 else np.nan
    anomaly = passengers / base - 1.0

    ends = (months + 1).astype("datetime64[D]")  # the day after the last
    cutoff = days - np.timedelta64(lag_days, "D")
    latest = np.searchsorted(ends, cutoff, side="right") - 1
    fresh = (latest >= 0) & (cutoff - ends[latest] <= np.timedelta64(STALE_AFTER_DAYS, "D"))
    return np.where(fresh, anomaly[latest], np.nan)


def transit_ratio(
    mobility: pl.DataFrame, days: NDArray[np.datetime64], lag_days: int
) -> NDArray[np.float64]:
    """Mean daily subway riders of the last 7 days over that of the last 364, as published.

    Parameters
    ----------
    mobility : DataFrame
        `schemas.staging.MOBILITY`.
    days : datetime64[D], shape (D,)
    lag_days : int
        Days from a day to its publication; windows end before day D minus it.

    Returns
    -------
    float64, shape (D,)
        A mean over the days of the window that have a row; NaN where the shorter window has none.
    """
    rows = mobility.filter(pl.col("series") == SERIES["transit"]).sort("period_on")
    number = day_numbers(rows["period_on"])
    riders = np.concatenate([[0], np.cumsum(rows["passengers_count"].to_numpy())])
    cutoff = days.astype("datetime64[D]").astype(np.int64) - lag_days
    stop = np.searchsorted(number, cutoff)

    def mean_of_last(window: int) -> NDArray[np.float64]:
        start = np.searchsorted(number, cutoff - window)
        with np.errstate(invalid="ignore"):
            mean: NDArray[np.float64] = (riders[stop] - riders[start]) / (stop - start)
        return mean

    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = mean_of_last(7) / mean_of_last(364)
    return np.where(np.isfinite(ratio), ratio, np.nan)
