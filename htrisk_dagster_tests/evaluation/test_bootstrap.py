from __future__ import annotations

import math

import numpy as np
import pytest
from htrisk_dagster.evaluation.bootstrap import (
    draw_weeks,
    percentile_interval,
    ratio_replicates,
    sum_by_week,
    week_of_day,
)


def test_weeks_run_from_the_first_day_and_the_short_one_is_kept():
    assert week_of_day(16).tolist() == [0] * 7 + [1] * 7 + [2] * 2
    by_day = np.arange(32.0).reshape(16, 2)
    weekly = sum_by_week(by_day)
    assert weekly[:, 0].tolist() == [sum(range(0, 14, 2)), sum(range(14, 28, 2)), 28 + 30]
    assert weekly.sum() == by_day.sum()


def test_draws_are_resamples_with_replacement():
    draws = draw_weeks(10, n_resamples=4000, seed=1)
    assert draws.shape == (4000, 10)
    assert (draws.sum(axis=1) == 10).all()
    # A week is left out of a resample with probability 0.9^10 and occurs once on average.
    assert (draws == 0).mean() == pytest.approx(0.9**10, abs=0.01)
    assert draws.mean(axis=0) == pytest.approx(np.ones(10), abs=0.07)


def test_the_seed_decides_the_draws():
    first, again, other = (draw_weeks(8, n_resamples=20, seed=s) for s in (3, 3, 4))
    assert (first == again).all()
    assert (first != other).any()


def test_an_empty_bootstrap_is_refused():
    with pytest.raises(ValueError, match="0 weeks with 5 resamples"):
        draw_weeks(0, n_resamples=5, seed=0)


def test_ratio_weighs_weeks_by_how_often_they_are_drawn():
    draws = np.array([[2.0, 0.0], [1.0, 1.0], [0.0, 2.0]])
    found = ratio_replicates(draws, np.array([3.0, 1.0]), np.array([6.0, 0.0]))
    assert found[:2].tolist() == [0.5, 4 / 6]
    assert math.isnan(found[2])


def test_interval_leaves_undefined_resamples_out():
    replicates = np.append(np.arange(101.0), [math.nan] * 50)
    assert percentile_interval(replicates) == pytest.approx((2.5, 97.5))
    assert all(math.isnan(end) for end in percentile_interval(np.full(3, math.nan)))


def test_interval_covers_the_true_ratio_about_as_often_as_it_says():
    # 26 weeks whose days share a random level, which an interval by cell-day would ignore.
    rng = np.random.default_rng(11)
    covered, too_narrow = 0, 0
    n_worlds = 300
    for seed in range(n_worlds):
        level = np.repeat(rng.gamma(25, 1 / 25, 26), 7)
        counts = rng.poisson(20.0 * level).astype(float)
        draws = draw_weeks(26, n_resamples=300, seed=seed)
        ratio = ratio_replicates(draws, sum_by_week(counts), sum_by_week(np.ones(182)))
        low, high = percentile_interval(ratio)
        covered += low <= 20.0 <= high
        half = 1.96 * math.sqrt(counts.mean() / 182)
        too_narrow += abs(counts.mean() - 20.0) <= half
    assert 0.88 <= covered / n_worlds <= 0.98
    assert too_narrow / n_worlds < 0.75
