from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from htrisk_dagster.models.ewma import HALF_LIVES_DAYS
from htrisk_dagster.models.kde import BANDWIDTHS_CELLS, KernelDensity, density
from htrisk_dagster.models.kde_ewma import KDEEWMA
from htrisk_dagster.models.recent_history import RecentHistory
from htrisk_dagster.models.weekdays import weekday_of
from htrisk_dagster_tests.models.as_of_panel import panel_block
from htrisk_dagster_tests.models.static_world import lattice_of, smooth_field
from scipy.stats import poisson

N = 16
WEEK = np.array([0.7, 0.8, 0.9, 1.0, 1.1, 1.4, 1.1])


def field_city(*, redrawn_every: int, seed: int):
    """Smooth log rates on 16 x 16 cells, drawn anew every so many days; block and truth."""
    rng = np.random.default_rng(seed)
    n_days = 364 + 500
    fields = [smooth_field(rng, N, 3.0) for _ in range(n_days // redrawn_every + 1)]
    rates = 0.05 * np.exp(1.2 * np.stack(fields))[np.arange(n_days) // redrawn_every]
    days = np.datetime64("2015-01-01") + np.arange(n_days) - 364
    rates *= WEEK[weekday_of(days)][:, None]
    return panel_block(rng.poisson(rates), 500, N), rates[-500:]


@pytest.fixture(scope="module")
def moving():
    return field_city(redrawn_every=80, seed=1)


def test_half_life_and_bandwidth_are_the_likeliest_of_all_pairs_by_scipy(moving):
    block, _ = moving
    model = KDEEWMA()
    params = model.fit(block, seed=0).params
    later = block.between(block.days[334], block.days[-1] + 1)
    older = block.counts[:334].mean(axis=0, dtype=float)
    history = RecentHistory.of_block(later, "kde_ewma")
    weekday = model._weekday[weekday_of(later.days)][:, None]
    scores = {}
    for half_life in HALF_LIVES_DAYS:
        rates = history.weighted_mean(half_life, older)
        for bandwidth in BANDWIDTHS_CELLS:
            mean = weekday * density(rates * 500, lattice_of(N), bandwidth)
            mean *= later.counts.sum() / mean.sum()
            scores[half_life, bandwidth] = poisson.logpmf(later.counts, mean).sum()
    assert (params["half_life_days"], params["bandwidth_cells"]) == max(scores, key=scores.get)
    assert 7 <= params["half_life_days"] <= 56
    assert 0.7 <= params["bandwidth_cells"] <= 2.8


def test_it_beats_the_kernel_density_where_places_change(moving):
    block, truth = moving
    train = block.between(block.days[0], block.days[400])
    test = block.between(block.days[400], block.days[-1] + 1).without_truth()
    scores = {}
    for model in (KernelDensity(), KDEEWMA()):
        model.fit(train, seed=0)
        mean = model.predict(test)
        scores[model.name] = float((truth[400:] * np.log(mean) - mean).sum())
        assert mean.sum() == pytest.approx(truth[400:].sum(), rel=0.15)
    flat = np.full_like(truth[400:], train.counts.mean())
    floor = float((truth[400:] * np.log(flat) - flat).sum())
    assert scores["kde_ewma"] - floor > 1.5 * (scores["kde"] - floor)


def test_weekdays_are_found(moving):
    block, _ = moving
    model = KDEEWMA()
    model.fit(block, seed=0)
    np.testing.assert_allclose(model._weekday, WEEK / WEEK.mean(), rtol=0.1)


def test_a_forecast_uses_the_days_columns_and_not_the_training_days(moving):
    """Two incidents in a far corner on the last known day raise its forecast, and only there."""
    block, _ = moving
    model = KDEEWMA()
    model.fit(block.between(block.days[0], block.days[400]), seed=0)
    day = block.between(block.days[450], block.days[451]).without_truth()
    features = day.features.copy()
    for w in (1, 91, 364):
        column = "target_lag_1" if w == 1 else f"target_mean_{w}"
        features[0, 0, day.names.index(column)] += 2 / w
    before = model.predict(day)[0].reshape(N, N)
    after = model.predict(replace(day, features=features))[0].reshape(N, N)
    assert after[0, 0] > before[0, 0] * 1.2
    assert after[0, 0] / before[0, 0] > after[2, 2] / before[2, 2]
    assert after[15, 15] == pytest.approx(before[15, 15], rel=0.01)
