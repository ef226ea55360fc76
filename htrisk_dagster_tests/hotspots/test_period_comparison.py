from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.hotspots.period_comparison import pattern_similarity, rate_change
from scipy import stats


def test_rate_change_is_the_exact_binomial_test():
    base, test = np.array([10, 3, 0, 50, 0]), np.array([22, 3, 4, 20, 0])
    found = rate_change(base, test)
    for cell, (before, after) in enumerate(zip(base, test, strict=True)):
        if before + after:
            tails = [
                stats.binomtest(after, before + after, 0.5, alternative=side).pvalue
                for side in ("less", "greater")
            ]
            assert found.p_value[cell] == pytest.approx(min(1, 2 * min(tails)))
    # 22 of 32 or more, by hand.
    assert found.p_value[0] == pytest.approx(2 * stats.binom.sf(21, 32, 0.5))
    np.testing.assert_allclose(found.ratio, [2.2, 1, np.inf, 0.4, np.nan])
    assert found.p_value[4] == 1
    np.testing.assert_allclose(
        found.fdr_p_value[:4], stats.false_discovery_control(found.p_value[:4])
    )
    assert np.isnan(found.fdr_p_value[4])


def test_rate_change_allows_for_the_length_of_periods():
    found = rate_change(np.array([30, 30]), np.array([10, 30]), base_length=3, test_length=1)
    np.testing.assert_allclose(found.ratio, [1, 3])
    assert found.p_value[0] == 1
    assert found.p_value[1] == pytest.approx(2 * stats.binom.sf(29, 60, 0.25))


def test_rate_change_holds_its_level_when_nothing_changed():
    rng = np.random.default_rng(0)
    base, test = rng.poisson(3.0, (2, 4000))
    assert 0.005 < (rate_change(base, test).p_value <= 0.05).mean() <= 0.05


def test_the_interval_is_that_of_a_binomial_share():
    """One cell's share of a multinomial sample is binomial, whose quantiles are known."""
    test = np.array([120, 300, 180, 400])
    found = pattern_similarity(test, test, seed=3, n_samples=20_000)
    law = stats.binom(850, test / 1000)
    np.testing.assert_allclose(found.lower_pct, 100 * law.ppf(0.025) / 850, atol=0.13)
    np.testing.assert_allclose(found.upper_pct, 100 * law.ppf(0.975) / 850, atol=0.13)
    assert found.is_similar.all()


def test_s_index_counts_cells_by_hand():
    # Shares of the base: 50, 50, 0, 0; of the test: 0, 50, 50, 0. The interval of an empty cell is 0.
    base, test = np.array([100, 100, 0, 0]), np.array([0, 500, 500, 0])
    found = pattern_similarity(base, test, seed=1)
    assert found.is_similar.tolist() == [False, True, False, True]
    assert found.s_index == 0.5
    assert found.active_s_index == pytest.approx(1 / 3)


def test_totals_do_not_matter_to_the_pattern():
    base = np.array([10, 20, 30, 40])
    assert pattern_similarity(base, base * 50, seed=1).s_index == 1.0
    assert pattern_similarity(base * 50, base, seed=1).s_index == 1.0


def test_most_cells_of_one_pattern_are_similar():
    """The base's own noise widens the truth, so fewer than 95%; chance alone keeps most."""
    rng = np.random.default_rng(5)
    rate = rng.gamma(1.0, 20.0, 500)
    found = pattern_similarity(rng.poisson(rate), rng.poisson(rate), seed=2)
    assert 0.75 < found.s_index < 0.95
    moved = pattern_similarity(rng.poisson(rate), rng.poisson(rng.permutation(rate)), seed=2)
    assert moved.s_index < 0.3


def test_the_same_seed_gives_the_same_interval():
    counts = np.random.default_rng(1).poisson(4.0, 50)
    one, same, other = (pattern_similarity(counts, counts, seed=s).lower_pct for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_a_period_without_incidents_has_no_pattern():
    with pytest.raises(ValueError, match="0 and 3 incidents"):
        pattern_similarity(np.zeros(3, int), np.ones(3, int), seed=0)
