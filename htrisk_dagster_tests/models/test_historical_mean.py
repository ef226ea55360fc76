from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from htrisk_dagster.models.historical_mean import HistoricalMean, mean_rates


def test_worked_example():
    """Two cells hit once, two never: they share min(1/2, 2/2) = 1/2 each, the total stays 12."""
    rates = mean_rates(np.array([10.0, 1.0, 1.0, 0.0, 0.0]), n_days=100)
    scale = Fraction(12, 13) / 100
    wanted = [10 * scale, scale, scale, scale / 2, scale / 2]
    np.testing.assert_allclose(rates, [float(w) for w in wanted], rtol=1e-15)


def test_never_hit_cells_get_what_robbins_says():
    """1,000 cells, 10 of them hit once: the others together expect 10 x 30 / 40 incidents."""
    totals = np.zeros(1000)
    totals[:10] = 1
    totals[10:20] = 2
    rates = mean_rates(totals, n_days=50)
    assert rates[20:].sum() * 50 == pytest.approx(10 * 30 / 40)
    assert rates.sum() * 50 == pytest.approx(30)


def test_robbins_rate_against_simulation():
    """Over many cells, those never hit in one year have in the next what the floor expects."""
    rng = np.random.default_rng(0)
    truth = rng.gamma(0.3, 1.0, size=200_000)
    first, second = rng.poisson(truth), rng.poisson(truth)
    never = first == 0
    rates = mean_rates(first.astype(float), n_days=1)
    unscaled = rates[never].sum() * (first.sum() + (first == 1).sum()) / first.sum()
    assert unscaled == pytest.approx(second[never].sum(), rel=0.02)


def test_all_hit_is_the_plain_mean():
    np.testing.assert_allclose(mean_rates(np.array([3.0, 5.0]), n_days=10), [0.3, 0.5])


def test_a_city_without_incidents_expects_half_of_one():
    rates = mean_rates(np.zeros(4), n_days=10)
    np.testing.assert_allclose(rates, 0.5 / 4 / 10)


def test_order_of_cells_is_that_of_their_totals(small_city):
    block = small_city.block
    model = HistoricalMean()
    model.fit(block, seed=0)
    rates = model.predict(block.without_truth())[0]
    totals = block.counts.sum(axis=0)
    order = np.argsort(totals, kind="stable")
    assert np.all(np.diff(rates[order]) >= 0)
    assert np.all((np.diff(rates[order]) > 0) == (np.diff(totals[order]) > 0))
