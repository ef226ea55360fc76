from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from htrisk_dagster.hotspots.getis_ord import gi_star, with_self
from htrisk_dagster.hotspots.permutation import drawn_permutations, exact_permutations
from scipy.sparse import csr_array
from scipy.spatial.distance import cdist
from scipy.stats import hypergeom


def lattice(side: int) -> csr_array:
    places = np.argwhere(np.ones((side, side)))
    return with_self(csr_array(cdist(places, places) < 1.5))


def all_permutations_p(values: np.ndarray, weights: csr_array) -> list[float]:
    """Two-sided p-values over every arrangement of the other cells, one by one."""
    found = []
    for cell in range(len(values)):
        others = [v for i, v in enumerate(values) if i != cell]
        places = [i for i in range(len(values)) if i != cell]
        near = weights.toarray()[cell].astype(bool)
        observed = values[near].sum()
        sums = np.array(
            [
                values[cell] + sum(v for v, place in zip(order, places, strict=True) if near[place])
                for order in permutations(others)
            ]
        )
        upper, lower = (sums >= observed).mean(), (sums <= observed).mean()
        found.append(min(1.0, 2 * min(upper, lower)))
    return found


def test_exact_is_the_share_of_all_arrangements():
    line = csr_array(np.diag(np.ones(6), 1) + np.diag(np.ones(6), -1))
    weights = with_self(line)
    values = np.array([5, 3, 1, 0, 0, 1, 2])
    found = exact_permutations(values[None, :], weights)
    np.testing.assert_allclose(found.p_value[0], all_permutations_p(values, weights), atol=1e-12)


def test_exact_is_hypergeometric_where_counts_are_0_and_1():
    weights = lattice(15)
    rng = np.random.default_rng(4)
    values = (rng.random((3, 225)) < [[0.02], [0.1], [0.6]]).astype(int)
    found = exact_permutations(values, weights).p_value
    for period, row in enumerate(values):
        near = weights @ row - row
        draws = np.asarray(weights.sum(axis=1)).astype(int) - 1
        law = hypergeom(224, row.sum() - row, draws)
        expected = np.minimum(1, 2 * np.minimum(law.cdf(near), law.sf(near - 1)))
        np.testing.assert_allclose(found[period], expected, atol=1e-11)


def test_drawn_agrees_with_exact_within_its_noise():
    weights = lattice(9)
    panel = np.random.default_rng(6).poisson([[0.2], [3.0]], (2, 81))
    exact = exact_permutations(panel, weights).p_value
    drawn = drawn_permutations(panel, weights, n_permutations=4_000, seed=1).p_value
    # A tail of probability p has a standard error of sqrt(p (1 - p) / 4000); doubled, 4.5 of them.
    noise = 9 * np.sqrt(np.maximum(exact, 0.001) / 2 * (1 - exact / 2) / 4_000)
    assert (np.abs(drawn - exact) <= noise + 1e-3).all()


def test_drawn_is_seeded_and_counts_one_more_than_it_draws():
    weights = lattice(6)
    panel = np.random.default_rng(1).random((2, 36))
    first, again, other = (
        drawn_permutations(panel, weights, n_permutations=99, seed=seed).p_value
        for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    np.testing.assert_allclose(first * 50, np.round(first * 50), atol=1e-9)
    assert first.min() >= 0.02
    # A cell that no arrangement beats: its neighbours hold all the largest values.
    values = np.zeros(36)
    values[weights.toarray()[14] > 0] = np.arange(100, 109)
    top = drawn_permutations(values[None, :], weights, n_permutations=99, seed=5)
    assert top.p_value[0, 14] == pytest.approx(2 / 100)


@pytest.mark.parametrize("test", [exact_permutations, drawn_permutations])
def test_a_flat_period_has_no_p_value(test):
    panel = np.vstack([np.ones(25, dtype=int), np.arange(25) % 3])
    options = {} if test is exact_permutations else {"n_permutations": 9, "seed": 0}
    found = test(panel, lattice(5), **options)
    assert np.isnan(found.p_value[0]).all()
    assert np.isfinite(found.fdr_p_value[1]).all()
    assert not found.hot(np.ones((2, 25)), 1.0)[0].any()


def test_false_alarms_of_rare_incidents():
    """Twenty incidents anywhere: each makes nine cells hot by the normal law, none by permutation."""
    rng = np.random.default_rng(11)
    panel = np.stack([np.bincount(rng.integers(0, 900, 20), minlength=900) for _ in range(60)])
    weights = lattice(30)
    analytic = gi_star(panel, weights)
    exact = exact_permutations(panel, weights)
    assert analytic.hot(0.05).any(axis=1).mean() == 1.0
    assert exact.hot(analytic.z, 0.05).any(axis=1).mean() <= 0.05
    assert (exact.p_value <= 0.05).mean() <= 0.05


def test_a_lone_pile_is_not_a_hot_spot():
    values = np.random.default_rng(3).poisson(2.0, 400)
    pile = 210
    weights = lattice(20)
    near = weights.toarray()[pile] > 0
    values[near], values[pile] = 0, 60
    z = gi_star(values[None, :], weights).z
    found = exact_permutations(values[None, :], weights)
    assert z[0, pile] > 3
    assert found.p_value[0, pile] < 0.01
    assert not found.is_above[0, pile]
    assert not found.hot(z, 1.0)[0, pile]
    assert not found.cold(z, 1.0)[0, pile]


def test_deep_tails_stop_at_rounding():
    values = np.zeros(400, dtype=int)
    weights = lattice(20)
    values[weights.toarray()[210] > 0] = 50
    p = exact_permutations(values[None, :], weights).p_value
    # 1 / (399 choose 8) in truth.
    assert p[0, 210] == pytest.approx(2e-12, rel=0.5)
    assert (p > 0).all()
