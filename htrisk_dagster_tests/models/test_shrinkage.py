from __future__ import annotations

import math

import numpy as np
import pytest
from htrisk_dagster.models.cell_lattice import CellLattice
from htrisk_dagster.models.shrinkage import (
    Neighbourhood,
    choose_neighbourhood,
    marginal_likelihood,
    ratio_of_others,
    shrunk_ratio,
)
from htrisk_dagster_tests.models.static_world import lattice_of, smooth_field
from scipy.special import gammaln
from scipy.stats import nbinom, poisson


def test_one_level_against_the_closed_form():
    """Given k, the posterior of a gamma prior is a gamma: integrate it on a grid instead."""
    observed = np.array([0.0, 1.0, 2.0, 9.0, 0.0, 14.0, 3.0, 0.0])
    expected = np.array([2.0, 3.0, 1.0, 4.0, 5.0, 6.0, 3.0, 0.5])
    ratio, k = shrunk_ratio(observed, expected)
    log_theta = np.linspace(-40, 5, 200_001)[:, None]
    theta = np.exp(log_theta)
    # Over log theta, hence k + observed and not k - 1 + observed.
    log_density = (k + observed) * log_theta - (k + expected) * theta
    density = np.exp(log_density - log_density.max(axis=0))
    by_integration = (theta * density).sum(axis=0) / density.sum(axis=0)
    np.testing.assert_allclose(ratio, by_integration, rtol=1e-8)


def test_strength_maximises_scipys_marginal_likelihood():
    rng = np.random.default_rng(4)
    expected = rng.uniform(0.5, 6, size=3000)
    observed = rng.poisson(expected * rng.gamma(2.0, 1 / 2.0, size=3000)).astype(float)
    _, k = shrunk_ratio(observed, expected)
    grid = np.exp(np.linspace(math.log(0.5), math.log(8), 400))
    likelihood = [nbinom.logpmf(observed, g, g / (g + expected)).sum() for g in grid]
    assert k == pytest.approx(grid[int(np.argmax(likelihood))], rel=0.01)
    assert k == pytest.approx(2.0, rel=0.15)


def test_units_that_differ_by_chance_alone_are_pooled_whole():
    ratio, k = shrunk_ratio(np.array([5.0, 5.0, 6.0]), np.array([5.0, 6.0, 5.0]))
    assert math.isinf(k)
    np.testing.assert_array_equal(ratio, 1)


def test_a_cell_is_left_out_of_its_own_precinct():
    unit = np.array([0, 0, 0, 1, 1, 2])
    observed = np.array([9.0, 0.0, 1.0, 2.0, 0.0, 7.0])
    expected = np.array([2.0, 1.0, 1.0, 3.0, 1.0, 2.0])
    ratio, k = ratio_of_others(unit, observed, expected)
    assert k == shrunk_ratio(np.array([10.0, 2.0, 7.0]), np.array([4.0, 4.0, 2.0]))[1]
    others, due = np.array([1.0, 10, 9, 0, 2, 0]), np.array([2.0, 3, 3, 1, 3, 0])
    np.testing.assert_allclose(ratio, (k + others) / (k + due))


def test_neighbours_weigh_by_a_gaussian_of_their_distance():
    """Three cells in a row and one two steps north of the first, by hand."""
    lattice = CellLattice(np.array([0, 0, 0, 2]), np.array([0, 1, 2, 0]), np.ones(4))
    observed, expected = np.array([3.0, 1.0, 0.0, 2.0]), np.array([1.0, 2.0, 1.0, 4.0])
    one, two, root5, root8 = (math.exp(-d2 / 2) for d2 in (1, 4, 5, 8))
    around = np.array(
        [
            [one * 1 + two * 2, one * 3 + root5 * 2, two * 3 + one + root8 * 2, two * 3 + root5],
            [
                one * 2 + two * 1 + two * 4,
                one * 1 + one * 1 + root5 * 4,
                two * 1 + one * 2 + root8 * 4,
                two * 1 + root5 * 2 + root8 * 1,
            ],
        ]
    )
    ratio = Neighbourhood(1.0, 4.0).ratio(observed, expected, lattice)
    np.testing.assert_allclose(ratio, (4 + around[0]) / (4 + around[1]))


def test_marginal_likelihood_against_scipy():
    rng = np.random.default_rng(6)
    mean = rng.uniform(0.1, 3, 500)
    spread = rng.poisson(mean * rng.gamma(1.5, 1 / 1.5, 500)).astype(float)
    even = np.round(mean)
    by_scipy = max(
        nbinom.logpmf(spread, g, g / (g + mean)).sum() for g in np.geomspace(0.5, 5, 400)
    )
    factorials = gammaln(spread + 1).sum()
    assert marginal_likelihood(spread, mean) == pytest.approx(by_scipy + factorials, abs=0.01)
    by_scipy = poisson.logpmf(even, mean).sum() + gammaln(even + 1).sum()
    assert marginal_likelihood(even, mean) == pytest.approx(by_scipy)


def test_neighbours_count_where_they_are_alike_and_not_where_they_are_not():
    rng = np.random.default_rng(7)
    lattice = lattice_of(30)
    field = 0.8 * smooth_field(rng, 30, 3.0)
    smooth = rng.poisson(np.exp(field)).astype(float)
    expected = np.full(900, smooth.mean())
    found, score = choose_neighbourhood(smooth, expected, lattice)
    assert 0.5 < found.bandwidth_cells < 3
    assert score > marginal_likelihood(smooth, expected) + 20
    ratio = found.ratio(smooth, expected, lattice)
    assert np.corrcoef(np.log(ratio), field)[0, 1] > 0.7

    shuffled = rng.permutation(smooth)
    found, score = choose_neighbourhood(shuffled, expected, lattice)
    # 54 candidates: the best of them may gain a little by chance.
    assert score < marginal_likelihood(shuffled, expected) + 4
    assert np.abs(np.log(found.ratio(shuffled, expected, lattice))).max() < 0.35


def test_no_incident_leaves_all_ratios_at_1():
    found, _ = choose_neighbourhood(np.zeros(9), np.full(9, 0.1), lattice_of(3))
    np.testing.assert_array_equal(found.ratio(np.zeros(9), np.full(9, 0.1), lattice_of(3)), 1)
