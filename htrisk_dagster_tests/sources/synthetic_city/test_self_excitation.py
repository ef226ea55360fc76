from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.sources.synthetic_city.self_excitation import (
    Spread,
    excitation,
    stationary_rate,
    with_offspring,
)

SIDE = 12
ROW, COL = (a.ravel() for a in np.indices((SIDE, SIDE)))
SPREAD = Spread.over(COL, ROW)
MIDDLE = 5 * SIDE + 5


def by_loop(occurred, known, cell, weight, shape, kappa) -> np.ndarray:
    """The definition, incident by incident and day by day."""
    n_days = shape[0]
    found = np.zeros(shape)
    for o, k, c, w in zip(occurred, known, cell, weight, strict=True):
        for day in range(k + 1, n_days):
            lag = (1 / 7) * (6 / 7) ** (day - o - 1)
            for move, share in enumerate(SPREAD.shares):
                found[day, SPREAD.target[move, c]] += w * kappa * lag * share
    return found


def test_excitation_against_the_definition() -> None:
    rng = np.random.default_rng(2)
    occurred = rng.integers(0, 20, 40)
    known = occurred + rng.integers(0, 5, 40)
    cell, weight = rng.integers(0, SIDE**2, 40), rng.uniform(1, 4, 40)
    found = excitation(occurred, known, cell, weight, (25, SIDE**2), 0.3, SPREAD)
    expected = by_loop(occurred, known, cell, weight, (25, SIDE**2), 0.3)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-9)


def test_moves_are_those_of_200_m_in_a_cell_of_500_m() -> None:
    rng = np.random.default_rng(3)
    x = rng.uniform(0, 500, 400_000) + rng.normal(0, 200, 400_000)
    # A Gaussian from a uniform place: share of the cell itself, and of the cells to each side.
    assert np.mean((x >= 0) & (x < 500)) == pytest.approx(0.68, abs=0.01)
    moved = SPREAD.move(np.full(200_000, MIDDLE), rng)
    assert np.mean(moved == MIDDLE) == pytest.approx(0.68**2, abs=0.005)
    assert np.mean(moved == MIDDLE + 1) == pytest.approx(0.68 * 0.16, abs=0.004)
    assert np.mean(moved == MIDDLE + SIDE - 1) == pytest.approx(0.16**2, abs=0.003)
    assert SPREAD.shares.sum() == pytest.approx(1)


def test_offspring_stay_on_land() -> None:
    alone = Spread.over(np.array([3, 9]), np.array([4, 4]))
    assert alone.move(np.zeros(500, dtype=np.int64), np.random.default_rng(1)).max() == 0
    np.testing.assert_allclose(alone.matrix.toarray(), np.eye(2))


def test_clusters_are_as_large_and_as_long_as_they_should_be() -> None:
    rng = np.random.default_rng(4)
    count = 50_000
    day, cell = with_offspring(
        np.zeros(count, dtype=np.int64), np.full(count, MIDDLE), 10_000, 0.3, SPREAD, rng
    )
    # A branching process with mean offspring k has 1 / (1 - k) members and variance k / (1 - k)^3.
    assert len(day) / count == pytest.approx(1 / 0.7, abs=4 * np.sqrt(0.3 / 0.7**3 / count))
    assert (day[:count] == 0).all()
    assert (day[count:] > 0).all()
    # The mean day of a first generation is 7; over all generations 7 / (1 - k).
    assert day[count:].mean() == pytest.approx(7 / 0.7, rel=0.03)
    assert len(cell) == len(day)


def test_nothing_is_triggered_after_the_last_day_or_with_kappa_0() -> None:
    rng = np.random.default_rng(4)
    day, cell = np.zeros(1000, dtype=np.int64), np.full(1000, MIDDLE)
    assert with_offspring(day, cell, 3, 0.9, SPREAD, rng)[0].max() <= 2
    assert len(with_offspring(day, cell, 1000, 0.0, SPREAD, rng)[0]) == 1000


def test_stationary_rate_solves_the_linear_system() -> None:
    background = np.random.default_rng(5).uniform(0, 1, SIDE**2)
    dense = SPREAD.matrix.toarray()
    expected = np.linalg.solve(np.eye(SIDE**2) - 0.3 * dense.T, background)
    np.testing.assert_allclose(stationary_rate(background, 0.3, SPREAD), expected, rtol=1e-8)
    assert expected.sum() == pytest.approx(background.sum() / 0.7)
