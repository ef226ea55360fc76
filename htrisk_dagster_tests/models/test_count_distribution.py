from __future__ import annotations

import math

import numpy as np
import pytest
from htrisk_dagster.models.count_distribution import (
    central_interval,
    estimate_dispersion,
    probability_of_any,
)
from scipy.stats import nbinom, poisson

SIZES = (0.05, 0.7, 3.0, 250.0)
MEANS = np.geomspace(1e-7, 400, 4001)


def frozen(mean, size):
    return poisson(mean) if math.isinf(size) else nbinom(size, size / (size + mean))


@pytest.mark.parametrize("size", [*SIZES, math.inf])
def test_probability_against_scipy(size):
    # scipy's own sf(0) is good to 2e-7 at a mean of 1e-7.
    wanted = frozen(MEANS, size).sf(0)
    np.testing.assert_allclose(probability_of_any(MEANS, size), wanted, rtol=1e-6)


@pytest.mark.parametrize("level", [0.5, 0.95])
@pytest.mark.parametrize("size", [*SIZES, math.inf])
def test_interval_against_scipy(size, level):
    lower, upper = central_interval(MEANS, size, level)
    tail = (1 - level) / 2
    assert lower.dtype == upper.dtype == np.int32
    np.testing.assert_array_equal(lower, frozen(MEANS, size).ppf(tail))
    np.testing.assert_array_equal(upper, frozen(MEANS, size).ppf(1 - tail))


def test_interval_keeps_shape_and_handles_an_empty_day():
    lower, upper = central_interval(MEANS[:6].reshape(2, 3), 1.5, 0.95)
    assert lower.shape == upper.shape == (2, 3)
    assert central_interval(np.empty((0, 3)), 1.5, 0.95)[0].shape == (0, 3)


def test_a_level_outside_0_and_1_is_refused():
    with pytest.raises(ValueError, match=r"not at 95"):
        central_interval(MEANS, 1.0, 95)


def test_dispersion_is_found_again_and_maximises_scipys_likelihood():
    rng = np.random.default_rng(1)
    mean = rng.gamma(1.0, 2.0, size=40_000) + 0.05
    counts = rng.negative_binomial(1.5, 1.5 / (1.5 + mean))
    size = estimate_dispersion(counts, mean)
    assert size == pytest.approx(1.5, rel=0.05)
    best = nbinom.logpmf(counts, size, size / (size + mean)).sum()
    for other in (size * 0.99, size * 1.01):
        assert best > nbinom.logpmf(counts, other, other / (other + mean)).sum()


def test_counts_no_more_spread_than_poisson_give_infinity():
    assert math.isinf(estimate_dispersion(np.array([2, 2, 2, 2]), np.full(4, 2.0)))


def test_an_incident_where_none_was_expected_is_refused():
    with pytest.raises(ValueError, match="above 0 wherever a count is"):
        estimate_dispersion(np.array([1, 0]), np.array([0.0, 1.0]))
    with pytest.raises(ValueError, match="finite"):
        estimate_dispersion(np.array([1, 0]), np.array([np.nan, 1.0]))
