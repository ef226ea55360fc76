from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.models.cell_lattice import CellLattice
from htrisk_dagster.models.kde import (
    BANDWIDTHS_CELLS,
    EVEN_SHARE,
    KernelDensity,
    choose_bandwidth,
    density,
)
from htrisk_dagster_tests.models.static_world import lattice_of, smooth_field
from scipy.special import gammaln
from scipy.stats import norm, poisson


def brute_force(counts, lattice, bandwidth):
    """Cell by cell, by scipy's normal: each kernel over the mass of it that falls on land."""
    due = np.zeros(len(counts))
    for i, count in enumerate(counts):
        mass = lattice.land.copy()
        for place in (lattice.row, lattice.col):
            step = place - place[i]
            mass *= norm.cdf(step + 0.5, scale=bandwidth) - norm.cdf(step - 0.5, scale=bandwidth)
        due += count * mass / mass.sum()
    even = lattice.land / lattice.land.sum()
    mixed = (1 - EVEN_SHARE) * due + (EVEN_SHARE * counts.sum() + 0.5) * even
    return mixed * counts.sum() / mixed.sum()


@pytest.fixture
def coast() -> CellLattice:
    """A corner of land on a lattice of 6 x 7 squares, its shore half water."""
    row, col = np.divmod(np.arange(42), 7)
    keep = row + col < 9
    land = np.where(row + col == 8, 0.5, 1.0)
    return CellLattice(row[keep], col[keep], land[keep])


@pytest.mark.parametrize("bandwidth", [0.35, 1.0, 4.0])
def test_density_against_a_loop_over_cells(coast, bandwidth):
    counts = np.random.default_rng(1).poisson(0.7, len(coast.row)).astype(float)
    wanted = brute_force(counts, coast, bandwidth)
    np.testing.assert_allclose(density(counts, coast, bandwidth), wanted, rtol=1e-9)


@pytest.mark.parametrize("bandwidth", BANDWIDTHS_CELLS)
def test_mass_stays_on_cells(coast, bandwidth):
    counts = np.random.default_rng(2).poisson(0.3, (3, len(coast.row))).astype(float)
    smoothed = density(counts, coast, bandwidth)
    np.testing.assert_allclose(smoothed.sum(axis=1), counts.sum(axis=1), rtol=1e-12)
    assert smoothed.min() > 0


def test_nothing_becomes_half_an_incident_by_land(coast):
    smoothed = density(np.zeros(len(coast.row)), coast, 1.0)
    np.testing.assert_allclose(smoothed, 0.5 * coast.land / coast.land.sum())


def test_bandwidth_scores_against_scipys_poisson(coast):
    counts = np.random.default_rng(3).poisson(0.01, (90, len(coast.row))).astype(np.float32)
    chosen, scores = choose_bandwidth(counts, coast)
    parts = counts.reshape(10, 9, -1).sum(axis=1)
    for bandwidth in (0.5, 2.0, 8.0):
        likelihood = 0.0
        for part in parts:
            mean = brute_force(parts.sum(axis=0) - part, coast, bandwidth) * 9 / 81
            # The model leaves out the factorial.
            likelihood += (poisson.logpmf(part, mean) + gammaln(part + 1)).sum()
        assert scores[bandwidth] == pytest.approx(likelihood / parts.sum(), rel=1e-9)
    assert scores[chosen] == max(scores.values())


@pytest.mark.parametrize(("events", "scale"), [(400, 3.0), (4000, 3.0), (1000, 1.0)])
def test_chosen_bandwidth_is_nearly_the_best_in_hindsight(events, scale):
    """On a planted smooth surface, no candidate is much nearer to the truth than the chosen."""
    rng = np.random.default_rng(4)
    lattice = lattice_of(40)
    truth = np.exp(1.2 * smooth_field(rng, 40, scale))
    truth *= events / truth.sum()
    counts = rng.poisson(truth / 112, (112, len(truth))).astype(np.float32)
    chosen, _ = choose_bandwidth(counts, lattice)
    totals = counts.sum(axis=0, dtype=float)

    def skill(bandwidth):
        return float((truth * np.log(density(totals, lattice, bandwidth))).sum())

    flat = float((truth * np.log(truth.mean())).sum())
    best = max(skill(b) for b in BANDWIDTHS_CELLS)
    assert (skill(chosen) - flat) / (best - flat) > 0.95


def test_more_events_ask_for_less_smoothing():
    rng = np.random.default_rng(5)
    lattice = lattice_of(30)
    truth = np.exp(1.2 * smooth_field(rng, 30, 2.0))
    chosen = []
    for events in (200, 20_000):
        mean = truth * events / truth.sum() / 56
        chosen.append(choose_bandwidth(rng.poisson(mean, (56, 900)).astype(float), lattice)[0])
    assert chosen[0] >= 1.0 > chosen[1]


def test_fit_reports_the_bandwidth_and_keeps_the_total(small_city):
    block = small_city.block
    model = KernelDensity()
    params = model.fit(block, seed=0).params
    # Neighbours of the test city have nothing in common: smoothing can only harm.
    assert params["bandwidth_cells"] == BANDWIDTHS_CELLS[0]
    expected = model.predict(block.without_truth())
    assert expected.sum() == pytest.approx(block.counts.sum())
