from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.models.cell_lattice import CellLattice
from htrisk_dagster.models.recency import CELL_STRENGTHS, Recency, choose_recency
from htrisk_dagster_tests.models.as_of_panel import panel_block
from htrisk_dagster_tests.models.static_world import lattice_of
from scipy.stats import poisson

N = 12


def drifting(seed: int, sd: float) -> tuple[CellDayBlock, np.ndarray, np.ndarray]:
    """600 days of 144 cells whose log rates walk `sd` each 28 days; block, truth, first rates."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(size=(22, N * N)) * sd
    steps[0] = 0
    rates = 0.15 * np.exp(np.cumsum(steps, axis=0))[np.arange(600) // 28]
    return panel_block(rng.poisson(rates), 200, N), rates[-200:], rates[0]


def test_multiplier_by_hand():
    """Half-life 1 day, so a day counts 2 x 1/2, 2 x 1/4, ... : 4 yesterday are worth 4."""
    counts = np.zeros((400, 3))
    counts[399 - 1, 0] = 4
    counts[399 - 2, 1] = 2
    block = panel_block(counts, 1, 3)
    rates = np.array([0.1, 0.2, 0.1])
    recency = Recency(cell_strength=5.0, cell_half_life_days=1.0)
    # Five of late, of which a quarter, a half and a quarter were due.
    ratio = np.array([(5 + 4) / (5 + 1.25), (5 + 1) / (5 + 2.5), 5 / (5 + 1.25)])
    wanted = ratio * 0.4 / (ratio @ rates)
    np.testing.assert_allclose(recency.multipliers(block, rates, None)[0], wanted, rtol=1e-6)

    city = replace(recency, cell_strength=math.inf, city_strength=10.0, city_known=0.5)
    due = 28 * 0.4 * 0.5
    np.testing.assert_allclose(city.multipliers(block, rates, None), (10 + 6) / (10 + due))


def test_neighbours_last_weeks_count():
    counts = np.zeros((400, 3))
    counts[390, 0] = 3
    lattice = CellLattice(np.zeros(3, dtype=int), np.array([0, 1, 9]), np.ones(3))
    recency = Recency(cell_strength=2.0, reach_cells=1.4)
    near, next_to, far = recency.multipliers(panel_block(counts, 1, 3), np.full(3, 0.1), lattice)[0]
    assert near > next_to > far


def test_a_city_that_stands_still_is_left_alone():
    for seed in range(3):
        block, _, first = drifting(seed, sd=0.0)
        recency = choose_recency(block, first, np.ones((200, 1)), lattice_of(N))
        assert math.isinf(recency.cell_strength)
        assert math.isinf(recency.city_strength)
        np.testing.assert_array_equal(recency.multipliers(block, first, lattice_of(N)), 1)


def test_a_city_that_drifts_is_followed():
    block, truth, first = drifting(4, sd=0.25)
    recency = choose_recency(block, first, np.ones((200, 1)), lattice_of(N))
    assert recency.cell_strength in CELL_STRENGTHS
    assert recency.reach_cells == 0
    moved = first * recency.multipliers(block.without_truth(), first, lattice_of(N))
    assert moved.sum() == pytest.approx(truth.sum(), rel=0.1)

    def score(mean):
        return poisson.logpmf(block.counts, mean).sum()

    won = (score(moved) - score(np.tile(first, (200, 1)))) / (
        score(truth) - score(first + 0 * truth)
    )
    assert won > 0.6


def test_reports_still_to_come_are_allowed_for():
    """A tenth of incidents arrives after the windows: the city's level must not sink by it."""
    block, _, first = drifting(5, sd=0.0)
    late = replace(block, features=block.features * np.float32(0.9))
    recency = choose_recency(late, first, np.ones((200, 1)), None)
    assert recency.city_known == pytest.approx(0.9, abs=0.01)
    kept = replace(recency, city_strength=100.0, cell_strength=math.inf)
    assert kept.multipliers(late, first, None).mean() == pytest.approx(1, abs=0.03)


def test_without_an_incident_or_a_window_nothing_moves():
    block, _, first = drifting(6, sd=0.25)
    empty = replace(block, counts=np.zeros_like(block.counts))
    assert choose_recency(empty, first, np.ones((200, 1)), None) == Recency()
    bare = replace(block, features=block.features[:, :, :0], names=())
    assert choose_recency(bare, first, np.ones((200, 1)), None) == Recency()
