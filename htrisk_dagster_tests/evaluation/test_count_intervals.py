from __future__ import annotations

import math

import numpy as np
import pytest
from htrisk_dagster.evaluation.calibration import risk_groups
from htrisk_dagster.evaluation.count_intervals import (
    LEVELS,
    CountIntervals,
    fit_intervals,
    probable_size,
)
from htrisk_dagster.evaluation.predictive_distribution import pit_bounds, pit_mass
from htrisk_dagster.models.count_distribution import (
    central_interval,
    estimate_dispersion,
    probability_of_any,
)

N_DAYS, N_CELLS = 28, 600


def draw(rng, mean, size):
    """Negative binomial counts; `size` may differ by cell, inf is a Poisson."""
    rate = np.where(np.isinf(size), mean, mean * rng.gamma(np.where(np.isinf(size), 1, size)) /
                    np.where(np.isinf(size), 1, size))  # fmt: skip
    return rng.poisson(rate)


def folds_of(seed, total_per_day, size_of, n_folds=3, factor=1.0):
    """Counts and forecasts of folds; forecasts are `factor` times the truth."""
    rng = np.random.default_rng(seed)
    mean = rng.lognormal(0, 1.3, N_CELLS)
    mean *= total_per_day / mean.sum()
    days = np.tile(mean, (N_DAYS, 1))
    counts = [draw(rng, days, size_of(days)) for _ in range(n_folds + 1)]
    return counts[:-1], [days * factor] * n_folds, counts[-1], days * factor


def inside_share(found, counts, expected, level=0.95):
    """Randomised coverage, exactly: the share of [F(y - 1), F(y)] between the tails."""
    steps = pit_bounds(counts.astype(float), expected, found.size_at(expected))
    low, high = found.tails[level]
    return pit_mass(*steps, high) - pit_mass(*steps, low)


def test_dispersion_of_many_incidents_is_found_again():
    counts, expected, *_ = folds_of(1, 400, lambda mean: np.full(mean.shape, 0.8))
    y, mean = np.concatenate(counts).ravel(), np.concatenate(expected).ravel()
    assert probable_size(y, mean) == pytest.approx(0.8, rel=0.1)
    assert probable_size(np.random.default_rng(0).poisson(mean), mean) > 20


def test_two_doubles_among_few_incidents_do_not_make_a_wild_dispersion():
    mean = np.full(50_000, 4e-4)
    counts = np.zeros(50_000)
    counts[:16], counts[16:18] = 1, 2
    wild = estimate_dispersion(counts, mean)
    held = probable_size(counts, mean)
    # Unshrunk, the probability of any incident loses a tenth of what is expected.
    assert probability_of_any(mean[:1], wild)[0] < 0.92 * mean[0]
    assert probability_of_any(mean[:1], held)[0] == pytest.approx(mean[0], rel=0.01)
    # One alone says nothing against a Poisson.
    counts[17] = 1
    assert probable_size(counts, mean) == math.inf


def test_coverage_on_the_next_block_overall_and_in_each_risk_decile():
    for seed in range(3):
        counts, expected, later, later_expected = folds_of(
            seed, 300, lambda mean: np.where(mean > 0.5, 1.0, np.inf)
        )
        inside = inside_share(fit_intervals(counts, expected), later, later_expected)
        assert 0.94 < inside.mean() < 0.96
        groups = risk_groups(later_expected, n_groups=10)
        by_decile = [inside[groups == group].mean() for group in range(1, 11)]
        assert min(by_decile) > 0.92
        assert max(by_decile) < 0.98


def test_risk_groups_have_a_dispersion_each_where_data_allow():
    counts, expected, *_ = folds_of(5, 300, lambda mean: np.where(mean > 1.0, 0.7, np.inf))
    found = fit_intervals(counts, expected)
    assert len(found.sizes) == 5
    assert found.sizes[0] > 20
    assert found.sizes[-1] == pytest.approx(0.7, rel=0.3)
    assert found.sizes[-1] < found.size < found.sizes[0]
    rare = fit_intervals(*folds_of(5, 1.0, lambda mean: np.full(mean.shape, np.inf))[:2])
    assert rare.edges == ()
    assert rare.sizes == (rare.size,)


def test_tails_move_on_the_newest_fold_alone():
    # Older folds are right; in the newest twice as many happened as were expected.
    counts, expected, *_ = folds_of(2, 200, lambda mean: np.full(mean.shape, np.inf))
    right = fit_intervals(counts, expected)
    counts[-1] = np.random.default_rng(9).poisson(2 * expected[-1])
    wider = fit_intervals(counts, expected)
    assert wider.sizes == right.sizes
    assert right.tails[0.95] == pytest.approx((0.025, 0.975), abs=0.003)
    assert wider.tails[0.95][1] > right.tails[0.95][1] + 0.005
    assert 0.93 < inside_share(wider, counts[-1], expected[-1]).mean() < 0.96
    stated = CountIntervals(wider.size, wider.edges, wider.sizes, {0.95: (0.025, 0.975)})
    assert inside_share(stated, counts[-1], expected[-1]).mean() < 0.93


def test_few_incidents_leave_the_tails_as_stated():
    counts, expected, *_ = folds_of(4, 0.7, lambda mean: np.full(mean.shape, np.inf))
    found = fit_intervals(counts, expected)
    for level in LEVELS:
        assert found.tails[level] == pytest.approx(((1 - level) / 2, (1 + level) / 2), abs=0.002)


def test_ends_are_those_of_the_group_of_each_expectation():
    found = CountIntervals(
        math.inf, (1.0,), (math.inf, 0.5), {0.5: (0.25, 0.75), 0.95: (0.025, 0.975)}
    )
    expected = np.geomspace(0.01, 30, 40).reshape(2, 20)
    lower, upper = found.interval(expected, 0.95)
    for group, size in ((expected < 1.0, np.inf), (expected >= 1.0, 0.5)):
        low, high = central_interval(expected[group], size, 0.95)
        np.testing.assert_array_equal(lower[group], low)
        np.testing.assert_array_equal(upper[group], high)
    np.testing.assert_array_equal(found.size_at(np.array([0.9, 1.0])), [np.inf, 0.5])
    with pytest.raises(ValueError, match=r"calibrated at 0\.5, 0\.95, not at 0\.8"):
        found.interval(expected, 0.8)


def test_one_fold_gives_a_dispersion_and_stated_tails():
    counts, expected, *_ = folds_of(3, 200, lambda mean: np.full(mean.shape, 1.0), n_folds=1)
    found = fit_intervals(counts, expected)
    assert found.size == pytest.approx(1.0, rel=0.25)
    assert found.tails[0.95] == pytest.approx((0.025, 0.975), rel=1e-12)


def test_state_round_trip():
    for per_day in (1.0, 300):
        counts, expected, *_ = folds_of(6, per_day, lambda mean: np.full(mean.shape, np.inf))
        found = fit_intervals(counts, expected)
        assert CountIntervals.from_state(found.as_state()) == found
