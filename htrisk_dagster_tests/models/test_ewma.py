from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.models.ewma import EWMA, HALF_LIVES_DAYS, floored_mean
from htrisk_dagster.models.historical_mean import mean_rates
from htrisk_dagster.models.recent_history import RecentHistory
from htrisk_dagster_tests.models.as_of_panel import panel_block
from scipy.stats import poisson


def test_a_hand_worked_case():
    """Half-life 1 day: one incident yesterday is worth 1/2, two of three days ago 2/8."""
    panel = np.zeros((400, 3))
    panel[399 - 1, 0] = 1
    panel[399 - 3, 0] = 2
    panel[399 - 2, 1] = 1
    history = RecentHistory.of_block(panel_block(panel, 1, 3), "ewma")
    mean = floored_mean(history, 1.0, np.array([0.5, 0.1, 0.02]))
    np.testing.assert_allclose(mean, [[1 / 2 + 2 / 8, 1 / 4, 0.02]], rtol=1e-6)


@pytest.fixture(scope="module")
def wandering():
    """820 days of 60 cells whose rates are redrawn every 56 days, and those rates."""
    rng = np.random.default_rng(3)
    rates = 0.5 * rng.gamma(1.5, 1 / 1.5, size=(25, 60))[np.arange(364 + 820) // 56]
    return panel_block(rng.poisson(rates), 820, 10), rates[-820:]


def test_half_life_is_the_likeliest_by_scipy(wandering):
    block, _ = wandering
    model = EWMA()
    params = model.fit(block, seed=0).params
    later = block.between(block.days[547], block.days[-1] + 1)
    before = block.counts[:547].sum(axis=0, dtype=float)
    history = RecentHistory.of_block(later, "ewma")
    scores = []
    for half_life in HALF_LIVES_DAYS:
        mean = floored_mean(history, half_life, mean_rates(before, 547))
        mean *= later.counts.sum() / mean.sum()
        scores.append(poisson.logpmf(later.counts, mean).sum())
    assert params["half_life_days"] == HALF_LIVES_DAYS[int(np.argmax(scores))]
    assert 7 <= params["half_life_days"] <= 28


def test_rates_that_stand_still_are_remembered():
    rng = np.random.default_rng(4)
    rates = 0.3 * rng.gamma(1.0, size=60)
    block = panel_block(rng.poisson(rates, (364 + 600, 60)), 600, 10)
    model = EWMA()
    assert model.fit(block, seed=0).params["half_life_days"] >= 224
    expected = model.predict(block.without_truth())
    assert expected.mean(axis=0) == pytest.approx(rates, rel=0.15, abs=0.06)


def test_it_follows_what_the_historical_mean_cannot(wandering):
    block, truth = wandering
    train = block.between(block.days[0], block.days[700])
    test = block.between(block.days[700], block.days[-1] + 1)
    model = EWMA()
    model.fit(train, seed=0)
    expected = model.predict(test.without_truth())
    still = mean_rates(train.counts.sum(axis=0, dtype=float), 700)

    def error(mean):
        return float(np.square(mean - truth[700:]).mean())

    assert error(expected) < 0.7 * error(np.tile(still, (120, 1)))
    assert expected.sum() == pytest.approx(truth[700:].sum(), rel=0.1)
