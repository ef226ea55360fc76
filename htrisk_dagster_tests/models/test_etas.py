from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.models.etas import (
    ETAS,
    HALF_LIVES_DAYS,
    SIGMAS_CELLS,
    BackgroundShape,
    excitation,
)
from htrisk_dagster.models.recent_history import exponential_weights
from htrisk_dagster_tests.models.as_of_panel import panel_block
from htrisk_dagster_tests.models.static_world import lattice_of, smooth_field
from scipy.stats import norm

N = 20


def hawkes(*, theta: float, half_life: float, sigma: float, per_day: float, seed: int):
    """500 days of a self-exciting city of 20 x 20 cells: block, intensity, background."""
    rng = np.random.default_rng(seed)
    lattice = lattice_of(N)
    background = np.exp(smooth_field(rng, N, 3.0))
    background *= per_day * (1 - theta) / background.sum()
    weights = exponential_weights(half_life, 28)
    weights = weights[::-1] / weights.sum()
    counts = np.zeros((364 + 500, N * N))
    intensity = np.tile(background, (len(counts), 1))
    for day in range(28, len(counts)):
        recent = weights @ counts[day - 28 : day]
        intensity[day] += theta * lattice.spread(recent, sigma)
        counts[day] = rng.poisson(intensity[day])
    return panel_block(counts, 500, N), intensity[-500:], background


@pytest.fixture(scope="module")
def excited():
    return hawkes(theta=0.3, half_life=2.8, sigma=0.7, per_day=40, seed=1)


def test_excitation_by_hand():
    """One incident three days ago: half-life 1 day, its mass shared by scipy's normal."""
    panel = np.zeros((400, 25))
    panel[399 - 3, 12] = 1
    value = excitation(panel_block(panel, 1, 5), lattice_of(5), 1.0, 0.8)[0].reshape(5, 5)
    line = norm.cdf(np.arange(-2, 3) + 0.5, scale=0.8) - norm.cdf(np.arange(-2, 3) - 0.5, scale=0.8)
    wanted = np.outer(line, line) / line.sum() ** 2 * (1 / 8) / (1 - 0.5**28)
    np.testing.assert_allclose(value, wanted, rtol=1e-5)


def test_parameters_are_recovered(excited):
    """20,000 incidents: the branching ratio within .06, decay and distance to a step of the grid."""
    block, _, background = excited
    model = ETAS()
    params = model.fit(block, seed=0).params
    assert params["branching_ratio"] == pytest.approx(0.3, abs=0.06)
    for name, grid, truth in (
        ("half_life_days", HALF_LIVES_DAYS, 2.8),
        ("sigma_cells", SIGMAS_CELLS, 0.7),
    ):
        assert abs(grid.index(params[name]) - grid.index(truth)) <= 1
    assert params["background_share"] == pytest.approx(1 - params["branching_ratio"], abs=0.02)
    assert np.corrcoef(np.log(model._background), np.log(background))[0, 1] > 0.97


def test_a_city_without_excitation_has_a_branching_ratio_near_0():
    block, _, _ = hawkes(theta=0.0, half_life=2.8, sigma=0.7, per_day=40, seed=2)
    assert ETAS().fit(block, seed=0).params["branching_ratio"] < 0.06


def test_forecasts_are_near_the_true_intensity(excited):
    block, intensity, background = excited
    train = block.between(block.days[0], block.days[400])
    test = block.between(block.days[400], block.days[-1] + 1)
    model = ETAS()
    model.fit(train, seed=0)
    expected = model.predict(test.without_truth())
    truth = intensity[400:]
    assert expected.sum() == pytest.approx(truth.sum(), rel=0.05)

    def score(mean):
        return float((truth * np.log(mean) - mean).sum())

    # Of what the true background at the true level, the best static map, leaves to be known.
    static = score(np.tile(background * truth.sum() / (100 * background.sum()), (100, 1)))
    assert (score(expected) - static) / (score(truth) - static) > 0.5


def test_background_is_the_two_ratios_by_hand():
    lattice = lattice_of(6)
    totals = np.random.default_rng(3).poisson(2.0, 36) * (lattice.row > 2) + 1.0
    shape = BackgroundShape.chosen_on(totals, lattice)
    even = np.full(36, totals.mean())
    k = shape.around.strength
    if np.isfinite(k):
        h = shape.around.bandwidth_cells
        around = lattice.sum_around(np.stack([totals, even]), h)
        even = even * (k + around[0]) / (k + around[1])
    if np.isfinite(shape.cell_strength):
        even = even * (shape.cell_strength + totals) / (shape.cell_strength + even)
    np.testing.assert_allclose(shape.surface(totals, lattice), even)
    # Many at once are each by itself.
    both = shape.surface(np.stack([totals, 2 * totals]), lattice)
    np.testing.assert_allclose(both[1], shape.surface(2 * totals, lattice))
