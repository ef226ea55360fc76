from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.sources.synthetic_city.incidents import HOUR_SHARES, draw_events

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


def test_events_are_a_poisson_process_with_the_expectation_given() -> None:
    rng = np.random.default_rng(5)
    expected = np.array([[0.0, 2.0, 0.5], [1.0, 0.0, 4.0]])
    drawn = np.stack(
        [np.bincount(day * 3 + cell, minlength=6) for day, cell in
         (draw_events(expected, rng) for _ in range(4000))]
    )  # fmt: skip
    np.testing.assert_allclose(drawn.mean(axis=0), expected.ravel(), atol=4 * (4 / 4000) ** 0.5)
    # Mean and variance of a Poisson count agree, and counts of two cells do not depend.
    np.testing.assert_allclose(drawn.var(axis=0), expected.ravel(), rtol=0.1, atol=1e-12)
    assert abs(np.corrcoef(drawn[:, 1], drawn[:, 5])[0, 1]) < 4 / 4000**0.5


def test_nothing_expected_nothing_drawn() -> None:
    day, cell = draw_events(np.zeros((3, 2)), np.random.default_rng(5))
    assert day.size == cell.size == 0
