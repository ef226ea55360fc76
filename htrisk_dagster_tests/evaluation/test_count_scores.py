from __future__ import annotations

import math

import numpy as np
import pytest
from htrisk_dagster.evaluation.count_scores import (
    information_gain,
    mae,
    poisson_deviance,
    poisson_log_score,
    rmse,
)
from scipy.stats import poisson
from sklearn.metrics import mean_absolute_error, mean_poisson_deviance, root_mean_squared_error


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(3)
    expected = rng.gamma(0.5, 2.0, (20, 30)) + 1e-6
    return rng.poisson(expected * rng.uniform(0.5, 2, expected.shape)), expected


def test_deviance_mae_and_rmse_equal_scikit_learn(pair):
    counts, expected = pair
    flat = counts.ravel(), expected.ravel()
    assert poisson_deviance(*pair) == pytest.approx(mean_poisson_deviance(*flat), rel=1e-12)
    assert mae(*pair) == pytest.approx(mean_absolute_error(*flat), rel=1e-12)
    assert rmse(*pair) == pytest.approx(root_mean_squared_error(*flat), rel=1e-12)


def test_log_score_equals_scipy(pair):
    counts, expected = pair
    assert poisson_log_score(counts, expected) == pytest.approx(
        -poisson.logpmf(counts, expected).mean(), rel=1e-12
    )


def test_deviance_is_twice_the_log_score_above_the_saturated_one(pair):
    counts, expected = pair
    saturated = -poisson.logpmf(counts, np.maximum(counts, 1e-300)).mean()
    gap = poisson_log_score(counts, expected) - saturated
    assert poisson_deviance(counts, expected) == pytest.approx(2 * gap, rel=1e-9)


def test_information_gain_by_hand():
    # Three incidents, twice expected where they fell, total expectation unchanged: one bit each.
    counts = [[3, 0]]
    assert information_gain(counts, [[2.0, 1.0]], reference=[[1.0, 2.0]]) == pytest.approx(1.0)
    # A change of level alone: log2(2) per incident less (4 - 2) / (3 ln 2).
    level = information_gain(counts, [[2.0, 2.0]], reference=[[1.0, 1.0]])
    assert level == pytest.approx(1.0 - 2.0 / (3 * math.log(2)))


def test_information_gain_over_itself_is_zero_and_without_incidents_undefined(pair):
    counts, expected = pair
    assert information_gain(counts, expected, reference=expected) == 0.0
    zeros = np.zeros_like(counts)
    assert math.isnan(information_gain(zeros, expected, reference=expected))


def test_the_truth_beats_any_other_level():
    rng = np.random.default_rng(0)
    truth = np.full((200, 100), 0.05)
    counts = rng.poisson(truth)
    best = poisson_deviance(counts, truth)
    assert all(poisson_deviance(counts, truth * f) > best for f in (0.5, 0.8, 1.25, 2.0))
