from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.evaluation.calibration_drift import (
    BAND,
    FALL,
    RISE,
    average_run_length,
    calibration_drift,
    count_band,
    cumulative_sum,
    decision_limit,
    slack,
)
from scipy import stats


def draw(rng, mean, overdispersion, shape):
    if overdispersion == 1:
        return rng.poisson(mean, shape)
    return rng.negative_binomial(mean / (overdispersion - 1), 1 / overdispersion, shape)


def first_crossing(counts, mean, ratio, limit):
    """Days until the sum reaches the limit, run by run; the last day where it never does."""
    sign = 1 if ratio > 1 else -1
    reached = np.full(counts.shape[1], len(counts))
    level = np.zeros(counts.shape[1])
    for day, today in enumerate(counts):
        level = np.maximum(0, level + sign * (today - mean * slack(ratio)))
        reached = np.where((level >= limit) & (reached == len(counts)), day + 1, reached)
    return reached


@pytest.mark.parametrize(("mean", "overdispersion"), [(0.5, 1.0), (5.0, 1.4), (60.0, 3.0)])
@pytest.mark.parametrize("ratio", [1.5, 1 / 1.5])
def test_the_stated_run_length_is_that_of_simulated_days(mean, overdispersion, ratio):
    limit = decision_limit(mean, overdispersion, ratio, run_length=100)
    counts = draw(np.random.default_rng(1), mean, overdispersion, (1_000, 2_000))
    # The limit is found to 1% from above, and a grid of states stands for the sum.
    assert first_crossing(counts, mean, ratio, limit).mean() == pytest.approx(100, rel=0.15)


def test_run_length_of_one_step_chains_by_hand():
    # Increment 1 with probability 1/4, else -1: the first success ends it, after 4 steps.
    def increment(x):
        return np.where(x < -1, 0.0, np.where(x < 1, 0.75, 1.0))

    assert average_run_length(0.99, increment) == pytest.approx(4.0)


def test_the_sum_is_that_since_its_lowest_point():
    excess = np.array([1.0, -3.0, 2.0, -1.0, 2.5])
    level = 0.0
    for step in excess:
        level = max(0.0, level + step)
    assert cumulative_sum(excess) == pytest.approx(level) == pytest.approx(3.5)
    assert cumulative_sum(np.array([-1.0, -2.0])) == 0.0
    assert slack(1.5) == pytest.approx(0.5 / np.log(1.5))


def test_band_is_scipys_interval():
    assert count_band(20.0, 1.0, 0.99) == stats.poisson.interval(0.99, 20)
    # Variance 60 for a mean of 20: size 10.
    assert count_band(20.0, 3.0, 0.99) == stats.nbinom.interval(0.99, 10, 1 / 3)


@pytest.mark.parametrize(("mean", "overdispersion"), [(0.5, 1.0), (50.0, 2.5)])
def test_a_champion_that_is_right_alarms_as_seldom_as_stated(mean, overdispersion):
    rng = np.random.default_rng(4)
    expected = np.full(84, mean)
    alarms = {BAND: 0, RISE: 0, FALL: 0}
    for _ in range(200):
        counts = draw(rng, mean, overdispersion, 84)
        found = calibration_drift(counts, expected, overdispersion=overdispersion)
        for row in found.filter("is_alarm").iter_rows(named=True):
            alarms[row["measure"]] += 1
    # 1% of 200 for the band; one in 1,460 days for each sum, and it must be up on the last one.
    assert alarms[BAND] <= 7
    assert alarms[RISE] + alarms[FALL] <= 7


def test_a_champion_that_went_wrong_is_found():
    rng = np.random.default_rng(5)
    for mean, factor, name in ((2.0, 2.0, RISE), (50.0, 1.4, RISE), (2.0, 0.35, FALL)):
        counts = rng.poisson(np.where(np.arange(84) < 42, mean, factor * mean))
        found = calibration_drift(counts, np.full(84, mean), overdispersion=1.0)
        alarms = found.filter("is_alarm")["measure"].to_list()
        assert BAND in alarms
        assert name in alarms


def test_statistic_of_the_band_is_observed_over_expected():
    counts, expected = np.full(40, 3.0), np.full(40, 2.0)
    found = calibration_drift(counts, expected, overdispersion=1.0)
    band = found.row(0, named=True)
    assert band["statistic"] == pytest.approx(1.5)
    low, high = stats.poisson.interval(0.99, 56)
    assert (band["lower"], band["upper"]) == (low / 56, high / 56)
    with pytest.raises(ValueError, match="one day at least"):
        calibration_drift(counts[:0], expected[:0], overdispersion=1.0)
