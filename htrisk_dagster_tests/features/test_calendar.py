from __future__ import annotations

import math
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.errors import SourceError
from htrisk_dagster.features.calendar import calendar_features


def days_between(start: str, stop: str) -> np.ndarray:
    return np.arange(np.datetime64(start), np.datetime64(stop))


def test_every_day_of_three_years_agrees_with_the_standard_library(holidays):
    days = days_between("2014-01-01", "2016-12-31")
    found = calendar_features(days, holidays)
    kept = set(holidays["holiday_on"])
    one = timedelta(1)
    for i, day in enumerate(days.astype(object)):
        length = 366 if day.year == 2016 else 365
        assert isinstance(day, date)
        week, year = (
            2 * math.pi * day.weekday() / 7,
            2 * math.pi * (day.timetuple().tm_yday - 1) / length,
        )
        expected = {
            "weekday_sin": math.sin(week),
            "weekday_cos": math.cos(week),
            "is_weekend": day.weekday() >= 5,
            "year_day_sin": math.sin(year),
            "year_day_cos": math.cos(year),
            "is_holiday": day in kept,
            "is_day_before_holiday": day + one in kept,
            "is_day_after_holiday": day - one in kept,
            "is_first_of_month": day.day == 1,
        }
        assert {k: v[i] for k, v in found.items()} == pytest.approx(
            {k: float(v) for k, v in expected.items()}, abs=1e-12
        )
    assert found["is_holiday"].sum() == 9


def test_a_year_without_holidays_is_an_error_not_a_year_of_work(holidays):
    with pytest.raises(SourceError, match="no holiday in 2017"):
        calendar_features(days_between("2016-12-31", "2017-01-01"), holidays)
    with pytest.raises(SourceError, match="no holiday in 2014, 2015"):
        calendar_features(
            days_between("2014-05-01", "2015-05-01"),
            holidays.filter(pl.col("holiday_on").dt.year() > 2015),
        )
