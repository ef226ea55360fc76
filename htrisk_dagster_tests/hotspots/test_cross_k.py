"""Cross-K: pi r^2 without a relation, an alarm with one, and the stated rate of false ones."""

from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.hotspots.cross_k import cross_k

BOX = (1000.0, 2000.0, 11_000.0, 12_000.0)
RADII = np.array([100.0, 300.0, 600.0])


def clustered(n: int, seed: int) -> np.ndarray:
    """Clusters of one pattern, on the torus."""
    rng = np.random.default_rng(seed)
    parents = rng.uniform(0, 10_000, (40, 2))
    points = parents[rng.integers(0, 40, n)] + rng.normal(scale=300.0, size=(n, 2))
    return points % 10_000 + np.array(BOX[:2])


def test_independent_patterns_have_pi_r_squared() -> None:
    rng = np.random.default_rng(1)
    one, other = (rng.uniform(0, 10_000, (3000, 2)) + np.array(BOX[:2]) for _ in range(2))
    found = cross_k(one, other, BOX, RADII, n_shifts=39, seed=1)
    assert found.k == pytest.approx(np.pi * RADII**2, rel=0.05)


def test_two_clustered_patterns_that_ignore_each_other_alarm_at_the_stated_rate() -> None:
    alarms = sum(
        cross_k(
            clustered(300, 2 * i), clustered(60, 2 * i + 1), BOX, RADII, n_shifts=39, seed=i
        ).p_value
        <= 0.05
        for i in range(80)
    )
    # Binomial(80, .05): 10 or more has probability .005.
    assert alarms < 10


def test_incidents_around_stores_are_found() -> None:
    rng = np.random.default_rng(3)
    stores = clustered(80, 4)
    near = stores[rng.integers(0, 80, 400)] + rng.normal(scale=100.0, size=(400, 2))
    near = (near - np.array(BOX[:2])) % 10_000 + np.array(BOX[:2])
    found = cross_k(near, stores, BOX, RADII, n_shifts=99, seed=5)
    assert found.p_value == pytest.approx(0.01)
    assert (found.k > found.high).all()


def test_points_outside_and_large_radii_are_refused() -> None:
    inside = np.array([[2000.0, 3000.0]])
    with pytest.raises(ValueError, match="outside the box"):
        cross_k(inside, np.zeros((1, 2)), BOX, RADII, seed=1)
    with pytest.raises(ValueError, match="over half"):
        cross_k(inside, inside, BOX, np.array([6000.0]), seed=1)
