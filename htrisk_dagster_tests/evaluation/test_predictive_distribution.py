from __future__ import annotations

import math

import numpy as np
import pytest
from htrisk_dagster.evaluation.count_scores import poisson_log_score
from htrisk_dagster.evaluation.predictive_distribution import (
    crps,
    cumulative,
    half_mean_difference,
    negative_binomial_log_score,
    pit_deviation,
    pit_histogram,
    randomised_pit,
)
from scipy.stats import kstest, nbinom, poisson

SIZES = [math.inf, 0.3, 2.0, 50.0]


def distribution(mean, size):
    return poisson(mean) if math.isinf(size) else nbinom(size, size / (size + mean))


def draw(mean, size, seed):
    rng = np.random.default_rng(seed)
    return rng.poisson(mean if math.isinf(size) else rng.gamma(size, mean / size))


@pytest.fixture(scope="module")
def expected():
    return np.random.default_rng(3).gamma(0.5, 2.0, (20, 30)) + 1e-6


@pytest.mark.parametrize("size", SIZES)
def test_cumulative_probabilities_equal_scipy(expected, size):
    for k in (-1, 0, 1, 4):
        counts = np.full(expected.shape, float(k))
        assert cumulative(counts, expected, size) == pytest.approx(
            distribution(expected, size).cdf(k), rel=1e-10, abs=1e-300
        )


@pytest.mark.parametrize("size", SIZES)
def test_log_score_equals_scipy(expected, size):
    counts = draw(expected, size, 1)
    found = negative_binomial_log_score(counts, expected, size=size)
    assert found == pytest.approx(-distribution(expected, size).logpmf(counts).mean(), rel=1e-9)
    if math.isinf(size):
        assert found == pytest.approx(poisson_log_score(counts, expected), rel=1e-12)


@pytest.mark.parametrize("size", SIZES)
def test_crps_equals_its_sum_over_all_counts(expected, size):
    counts = draw(expected, size, 2)
    k = np.arange(2000)[:, None, None]
    steps = distribution(expected, size).cdf(k) - (counts <= k)
    assert crps(counts, expected, size=size) == pytest.approx(
        np.square(steps).sum(axis=0).mean(), rel=1e-8
    )


def test_crps_by_hand_and_of_a_certain_forecast():
    # A mean of 0.5: F = .6065, .9098, .9856, .9982, .9998; the count is 1.
    tail = [0.6065307, 1 - 0.9097960, 1 - 0.9856123, 1 - 0.9982484, 1 - 0.9998279]
    assert crps([[1]], [[0.5]]) == pytest.approx(sum(t * t for t in tail), abs=1e-6)
    # Without spread the score is the absolute error: a very large mean has little, relatively.
    assert crps([[0]], [[1e6]]) == pytest.approx(1e6, rel=1e-3)


@pytest.mark.parametrize("size", SIZES)
def test_the_right_forecast_expects_half_the_mean_difference(expected, size):
    few = expected[:1, :5]
    k = np.arange(2000)[:, None, None]
    f = distribution(few, size).cdf(k)
    assert half_mean_difference(few, size) == pytest.approx((f * (1 - f)).sum(axis=0), rel=1e-9)


def test_sizes_may_differ_by_cell(expected):
    counts = draw(expected, 2.0, 4)
    size = np.where(np.arange(30) < 10, 0.3, math.inf)
    parts = [
        crps(counts[:, c], expected[:, c], size=s) * n
        for c, s, n in ((slice(0, 10), 0.3, 200), (slice(10, 30), math.inf, 400))
    ]
    assert crps(counts, expected, size=size) == pytest.approx(sum(parts) / 600, rel=1e-12)
    with pytest.raises(ValueError, match="above 0"):
        crps(counts, expected, size=0.0)


@pytest.mark.parametrize("size", SIZES)
def test_the_transform_is_uniform_where_the_forecast_is_right(size):
    mean = np.random.default_rng(5).gamma(0.5, 0.4, (200, 100)) + 1e-6
    counts = draw(mean, size, 6)
    assert kstest(randomised_pit(counts, mean, size=size, seed=7).ravel(), "uniform").pvalue > 0.01
    assert pit_histogram(counts, mean, size=size) == pytest.approx(np.full(10, 0.1), abs=0.01)
    assert pit_deviation(counts, mean, size=size) < 0.015


def test_the_histogram_is_the_mean_of_many_draws(expected):
    counts = draw(expected, 2.0, 8)
    draws = [randomised_pit(counts, expected, seed=s).ravel() for s in range(200)]
    tallies = np.histogram(draws, bins=10, range=(0, 1))[0] / np.size(draws)
    assert pit_histogram(counts, expected) == pytest.approx(tallies, abs=0.003)


def test_deviation_by_hand():
    # P(0) = 1/2: a count of 0 spreads over the lower half only.
    assert pit_histogram([[0]], [[math.log(2)]], n_bins=4) == pytest.approx([0.5, 0.5, 0, 0])
    assert pit_deviation([[0]], [[math.log(2)]], n_bins=4) == pytest.approx(0.5)


def test_without_cell_days_all_is_undefined():
    empty = np.empty((0, 3))
    assert math.isnan(crps(empty, empty))
    assert math.isnan(pit_deviation(empty, empty))
