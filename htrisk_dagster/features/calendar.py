"""Calendar features: known for any day, years ahead.

Belongs here: what a date alone tells. Does not: the list of holidays (`schemas.raw.HOLIDAYS`).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.errors import SourceError
from htrisk_dagster.grid.panel import day_numbers
from htrisk_dagster.schemas.raw import HOLIDAYS

_DAY = np.timedelta64(1, "D")


def calendar_features(
    days: NDArray[np.datetime64], holidays: pl.DataFrame
) -> Mapping[str, NDArray[np.float64]]:
    """Calendar of each day.

    Parameters
    ----------
    days : datetime64[D], shape (D,)
        Consecutive local days.
    holidays : DataFrame
        `schemas.raw.HOLIDAYS` for every year of `days` and of the day after the last; a holiday
        of any jurisdiction counts.

    Returns
    -------
    dict of str to float64, shape (D,)
        weekday_sin, weekday_cos (Monday is angle 0), is_weekend, year_day_sin, year_day_cos
        (1 January is angle 0), is_holiday, is_day_before_holiday, is_day_after_holiday and
        is_first_of_month, the default date of reports whose day is not known.

    Raises
    ------
    SourceError
        Where a year has no holiday, since then none is known rather than none is kept.
    """
    _require_years(days, holidays)
    holiday = day_numbers(holidays["holiday_on"].unique())
    number = days.astype("datetime64[D]").astype(np.int64)
    weekday = (number + 3) % 7  # 1970-01-01 was a Thursday; Monday is 0
    year = days.astype("datetime64[Y]")
    year_day = number - year.astype("datetime64[D]").astype(np.int64)
    year_length = (year + 1).astype("datetime64[D]").astype(np.int64) - number + year_day
    week_angle = 2 * np.pi * weekday / 7
    year_angle = 2 * np.pi * year_day / year_length
    first = days.astype("datetime64[M]").astype("datetime64[D]") == days
    return {
        "weekday_sin": np.sin(week_angle),
        "weekday_cos": np.cos(week_angle),
        "is_weekend": (weekday >= 5).astype(np.float64),
        "year_day_sin": np.sin(year_angle),
        "year_day_cos": np.cos(year_angle),
        "is_holiday": np.isin(number, holiday).astype(np.float64),
        "is_day_before_holiday": np.isin(number + 1, holiday).astype(np.float64),
        "is_day_after_holiday": np.isin(number - 1, holiday).astype(np.float64),
        "is_first_of_month": first.astype(np.float64),
    }


def _require_years(days: NDArray[np.datetime64], holidays: pl.DataFrame) -> None:
    needed = np.unique(np.append(days, days[-1:] + _DAY).astype("datetime64[Y]"))
    missing = sorted({int(str(y)) for y in needed} - set(holidays["holiday_on"].dt.year()))
    if missing:
        raise SourceError(
            f"{HOLIDAYS.full_name} has no holiday in {', '.join(map(str, missing))}. "
            "Make the table for these years."
        )
