from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.sources.synthetic_city.incidents import HOUR_SHARES, _draw_delays
from htrisk_dagster.sources.synthetic_city.intensity import WEEKDAY_SHARES
from htrisk_dagster.sources.synthetic_city.land import BOROUGH_SHARES, BOROUGHS

from .conftest import City

SEXUAL = ("104", "116", "233")


def four_sd(share: float, count: int) -> float:
    return 4 * float(np.sqrt(share * (1 - share) / count))


def test_hours_follow_the_measured_table(city: City) -> None:
    complaints = city.complaints
    hour = complaints["CMPLNT_FR_TM"].str.slice(0, 2).cast(pl.Int64).to_numpy()
    shares = np.bincount(hour, minlength=24) / complaints.height
    for found, thousandths in zip(shares, HOUR_SHARES, strict=True):
        target = thousandths / sum(HOUR_SHARES)
        assert abs(found - target) < four_sd(target, complaints.height)
    on_the_hour = complaints["CMPLNT_FR_TM"].str.ends_with("00:00").mean()
    assert on_the_hour == pytest.approx(0.34, abs=four_sd(0.34, complaints.height))


def test_weekdays_follow_the_measured_shares(city: City) -> None:
    # Per weekday present: eight months do not hold each weekday equally often.
    daily = city.complaints.group_by("CMPLNT_FR_DT").len()
    mean = daily.group_by(pl.col("CMPLNT_FR_DT").dt.weekday()).agg(pl.col("len").mean())
    found = mean.sort("CMPLNT_FR_DT")["len"].to_numpy()
    # 5%: a mean over 35 days with shocks of 8%, holidays on Mondays and Thursdays.
    np.testing.assert_allclose(found / found.sum(), WEEKDAY_SHARES, rtol=0.05)


def test_boroughs_hold_their_shares(city: City) -> None:
    counts = dict(city.complaints.group_by("BORO_NM").len().rows())
    total = sum(counts.values())
    for borough, share in zip(BOROUGHS, BOROUGH_SHARES, strict=True):
        assert counts[borough] / total == pytest.approx(share, abs=0.012)


def test_three_in_a_hundred_have_no_point(city: City) -> None:
    missing = city.complaints["Latitude"].null_count() / city.complaints.height
    assert missing == pytest.approx(0.03, abs=four_sd(0.03, city.complaints.height))


def test_sex_offences_stand_at_one_point_a_precinct_and_no_others_do(city: City) -> None:
    placed = city.complaints.drop_nulls("Latitude").filter(
        pl.col("Latitude").cast(pl.Float64).is_between(40.4, 41)
    )
    sexual = placed.filter(pl.col("KY_CD").is_in(SEXUAL))
    points = sexual.group_by("ADDR_PCT_CD").agg(pl.col("Lat_Lon").n_unique())
    assert sexual.height > 900
    assert points["Lat_Lon"].max() == 1
    stations = set(sexual["Lat_Lon"])
    elsewhere = placed.filter(~pl.col("KY_CD").is_in(SEXUAL))
    assert not stations & set(elsewhere["Lat_Lon"])


def test_points_repeat_as_corners_do(city: City) -> None:
    placed = city.complaints.drop_nulls("Latitude")
    assert placed["Lat_Lon"].n_unique() < 0.6 * placed.height


def test_four_in_five_are_reported_the_same_day(city: City) -> None:
    lag = (city.complaints["RPT_DT"] - city.complaints["CMPLNT_FR_DT"]).dt.total_days()
    assert lag.min() == 0
    # Of reports that come within the days left, 0.80 of all reports come the same day.
    left = (pl.Series([date(2024, 4, 30)]) - city.complaints["CMPLNT_FR_DT"]).dt.total_days()
    reported = np.interp(left, [0, 1, 7, 30, 200, 1500], [0.80, 0.85, 0.905, 0.95, 0.99, 1.0])
    target = float(np.mean(0.80 / reported))
    assert (lag == 0).mean() == pytest.approx(target, abs=four_sd(target, len(lag)))
    assert lag.max() > 100
    assert str(city.complaints["RPT_DT"].max()) == "2024-04-30"


def test_delay_is_the_untruncated_law_given_the_days_left() -> None:
    rng = np.random.default_rng(5)
    free = _draw_delays(np.full(200_000, 4000), rng)
    quantiles = [np.mean(free <= day) for day in (0, 1, 7, 30, 200, 1500)]
    np.testing.assert_allclose(quantiles, [0.80, 0.85, 0.905, 0.95, 0.99, 1.0], atol=0.004)
    # With two days left the delay is 0 or 1, in the proportion 0.80 to 0.05.
    cut = _draw_delays(np.full(50_000, 2), rng)
    assert set(np.unique(cut)) == {0, 1}
    assert np.mean(cut == 0) == pytest.approx(0.80 / 0.85, abs=0.005)
