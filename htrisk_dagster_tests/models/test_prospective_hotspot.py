from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.models.prospective_hotspot import (
    ProspectiveHotspot,
    mixture,
    prospective_surface,
)
from htrisk_dagster_tests.models.as_of_panel import panel_block
from htrisk_dagster_tests.models.static_world import lattice_of
from scipy.optimize import minimize
from scipy.stats import poisson


def test_weights_by_hand_on_5_by_5_cells():
    """One incident yesterday in the middle, two of 8 days ago in a corner, one of 29 days ago."""
    panel = np.zeros((400, 25))
    panel[399 - 1, 12] = 1
    panel[399 - 8, 0] = 2
    panel[399 - 29, 24] = 5
    surface = prospective_surface(panel_block(panel, 1, 5), lattice_of(5)).reshape(5, 5)
    half, third = 1 / 2, 1 / 3
    middle = np.array(
        [
            [third, third, third, third, third],
            [third, half, half, half, third],
            [third, half, 1, half, third],
            [third, half, half, half, third],
            [third, third, third, third, third],
        ]
    )
    corner = np.zeros((5, 5))
    corner[:3, :3], corner[:2, :2], corner[0, 0] = third, half, 1
    # Two incidents of the week before last weigh a half each.
    np.testing.assert_allclose(surface, middle + 2 * half * corner, rtol=1e-6)


@pytest.mark.parametrize(
    ("lag", "weight"),
    [(1, 1), (7, 1), (8, 1 / 2), (14, 1 / 2), (15, 1 / 3), (22, 1 / 4), (28, 1 / 4)],
)
def test_weeks_are_counted_from_the_last_known_day(lag, weight):
    panel = np.zeros((400, 25))
    panel[399 - lag, 3] = 1
    surface = prospective_surface(panel_block(panel, 1, 5), lattice_of(5))
    assert surface[0, 3] == pytest.approx(weight)


def test_mixture_against_a_direct_maximisation():
    rng = np.random.default_rng(1)
    background, surface = rng.gamma(1.0, size=40), rng.gamma(0.5, size=(30, 40))
    counts = rng.poisson(0.4 * background + 0.7 * surface)

    def loss(weights):
        return -poisson.logpmf(counts, weights[0] * background + weights[1] * surface).sum()

    best = minimize(loss, [0.5, 0.5], bounds=[(1e-6, 9)] * 2, tol=1e-12).x
    found = mixture(counts, background, surface)
    np.testing.assert_allclose(found, best, rtol=1e-3)
    expected = found[0] * background + found[1] * surface
    assert expected.sum() == pytest.approx(counts.sum(), rel=1e-9)


def test_mixture_of_nothing_is_the_background():
    assert mixture(np.zeros((3, 2)), np.ones(2), np.ones((3, 2))) == (1.0, 0.0)
    assert mixture(np.ones((3, 2)), np.full(2, 0.5), np.zeros((3, 2))) == (2.0, 0.0)


def test_bursts_are_followed_and_a_still_city_is_not():
    rng = np.random.default_rng(2)
    rates = 0.05 * rng.gamma(1.0, size=100)
    still = rng.poisson(rates, (364 + 400, 100))
    # For two weeks each, a cell and its neighbours have 0.4 a day more.
    bursts = np.zeros((364 + 400, 10, 10))
    for start in range(0, 764, 3):
        row, col = rng.integers(0, 10, 2)
        bursts[start : start + 14, max(row - 1, 0) : row + 2, max(col - 1, 0) : col + 2] += 0.4
    moving = rng.poisson(rates + bursts.reshape(-1, 100))
    shares = []
    for panel in (still, moving):
        params = ProspectiveHotspot().fit(panel_block(panel, 400, 10), seed=0).params
        shares.append(params["surface_share"])
    assert shares[0] < 0.25
    assert shares[1] > 0.6
