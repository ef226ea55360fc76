from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.features.mobility import airport_anomaly, transit_ratio
from htrisk_dagster.schemas.staging import MOBILITY

DAYS = np.arange(np.datetime64("2013-02-01"), np.datetime64("2015-12-31"))


def monthly(values: dict[date, int]) -> pl.DataFrame:
    return MOBILITY.conform(
        pl.DataFrame(
            {
                "series": "airport_jfk",
                "period_on": list(values),
                "period": "month",
                "passengers_count": list(values.values()),
            }
        )
    )


@pytest.mark.parametrize("lag_days", [0, 45])
def test_airport_anomaly_equals_a_loop(mobility, lag_days):
    known = dict(
        mobility.filter(series="airport_jfk").select("period_on", "passengers_count").rows()
    )
    found = airport_anomaly(mobility, DAYS, lag_days)
    for i, day in enumerate(DAYS.astype(object)):
        cutoff = day - timedelta(lag_days)
        ended = [m for m in known if m.replace(day=monthrange(m.year, m.month)[1]) < cutoff]
        expected = np.nan
        if (
            ended
            and (cutoff - max(ended)).days - monthrange(max(ended).year, max(ended).month)[1] <= 92
        ):
            month = max(ended)
            before = [known[m] for m in ended if m < month][-12:]
            base = known.get(
                month.replace(year=month.year - 1), np.mean(before) if before else np.nan
            )
            expected = known[month] / base - 1
        np.testing.assert_allclose(found[i], expected, rtol=1e-12, err_msg=str(day))
    assert np.isfinite(found).any()
    assert np.isnan(found).any()


def test_airport_month_is_known_once_its_lag_has_passed():
    rows = monthly({date(2014, 5, 1): 100, date(2014, 6, 1): 50, date(2015, 5, 1): 120})
    days = np.array(["2015-07-15", "2015-07-16", "2015-10-16", "2015-10-17"], dtype="datetime64[D]")
    # May ended on the 31st: with 45 days it is known on 15 July, so for the 16th, and stale
    # 92 days later.
    found = airport_anomaly(rows, days, 45)
    np.testing.assert_allclose(found, [np.nan, 0.2, 0.2, np.nan], rtol=1e-12)


def test_transit_ratio_equals_a_loop(mobility):
    rows = mobility.filter(series="transit_subway").select("period_on", "passengers_count").rows()
    found = transit_ratio(mobility, DAYS, 2)
    for i, day in enumerate(DAYS.astype(object)[::7]):
        cutoff = day - timedelta(2)
        week = [v for d, v in rows if cutoff - timedelta(7) <= d < cutoff]
        year = [v for d, v in rows if cutoff - timedelta(364) <= d < cutoff]
        expected = np.mean(week) / np.mean(year) if week else np.nan
        np.testing.assert_allclose(found[::7][i], expected, rtol=1e-12, err_msg=str(day))
    assert np.isfinite(found).any()
    assert np.isnan(found).any()


def test_absent_series_are_nan():
    assert np.isnan(airport_anomaly(MOBILITY.empty(), DAYS, 45)).all()
    assert np.isnan(transit_ratio(MOBILITY.empty(), DAYS, 2)).all()
    assert np.isnan(airport_anomaly(monthly({date(2015, 5, 1): 120}), DAYS, 0)).all()
