from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from htrisk_dagster.models.recent_history import (
    RecentHistory,
    exponential_weights,
    lagged,
    later_days,
    level_of,
    poisson_score,
)
from htrisk_dagster_tests.models.as_of_panel import panel_block
from scipy.stats import poisson


@pytest.fixture(scope="module")
def panel():
    return np.random.default_rng(1).poisson(0.4, (420, 6)).astype(float)


def test_shares_by_hand():
    np.testing.assert_allclose(exponential_weights(1.0, 4), [1 / 2, 1 / 4, 1 / 8, 1 / 16])
    assert exponential_weights(14.0, 28).sum() == pytest.approx(3 / 4)


def test_lags_run_from_the_last_known_day_back(panel):
    block = panel_block(panel, 5, 3)
    weights = np.arange(28.0)
    wanted = [
        [weights @ panel[415 + d - 1 : 415 + d - 29 : -1, c] for c in range(6)] for d in range(5)
    ]
    np.testing.assert_allclose(lagged(block, weights), wanted, rtol=1e-6)
    # The same where the lags lie in another order, and where one is absent.
    order = np.random.default_rng(0).permutation(len(block.names))
    mixed = replace(
        block, features=block.features[:, :, order], names=tuple(block.names[i] for i in order)
    )
    np.testing.assert_allclose(lagged(mixed, weights), wanted, rtol=1e-6)
    features = block.features.copy()
    features[2, :, block.names.index("target_lag_28")] = np.nan
    without = lagged(replace(block, features=features), weights)
    np.testing.assert_allclose(without[2], wanted[2] - 27 * panel[417 - 28], rtol=1e-6)
    np.testing.assert_allclose(without[3], wanted[3], rtol=1e-6)


def test_weighted_mean_against_the_sum_over_days(panel):
    block = panel_block(panel, 3, 3)
    older = np.linspace(0.1, 0.6, 6)
    for half_life in (3.0, 28.0, 300.0):
        alpha = 0.5 ** (1 / half_life)
        share = (1 - alpha) * alpha ** np.arange(364)
        # By definition the two windows weigh by their mean share.
        share[28:91], share[91:] = share[28:91].mean(), share[91:].mean()
        mean = RecentHistory.of_block(block, "ewma").weighted_mean(half_life, older)
        for day in range(3):
            newest_first = panel[417 + day - 364 : 417 + day][::-1]
            wanted = share @ newest_first + alpha**364 * older
            np.testing.assert_allclose(mean[day], wanted, rtol=2e-5)


def test_a_missing_column_is_named(panel):
    block = panel_block(panel, 3, 3)
    fewer = replace(block, features=block.features[:, :, 1:], names=block.names[1:])
    with pytest.raises(ValueError, match="'ewma' needs feature 'target_lag_1'"):
        RecentHistory.of_block(fewer, "ewma")


def test_later_days_are_the_last_third_and_never_more_than_a_year(panel):
    block = panel_block(panel, 30, 3)
    earlier, later = later_days(block)
    assert (earlier.n_days, later.n_days) == (20, 10)
    assert later.days[0] == earlier.days[-1] + 1
    np.testing.assert_array_equal(later.counts, block.counts[20:])
    day = replace(block, days=block.days[:1], features=block.features[:1], counts=block.counts[:1])
    assert [part.n_days for part in later_days(day)] == [1, 1]


def test_score_and_level_against_scipy():
    counts = np.array([[0.0, 1.0], [1.0, 0.0]])
    mean = np.array([[0.2, 0.7], [0.4, 0.3]])
    assert poisson_score(counts, mean) == pytest.approx(poisson.logpmf(counts, mean).sum())
    assert level_of(counts, mean) == pytest.approx(2 / 1.6)
    assert level_of(0 * counts, mean) == pytest.approx(0.5 / 1.6)
