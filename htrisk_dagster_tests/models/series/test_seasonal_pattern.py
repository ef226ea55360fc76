"""A known season is found, and noise is not taken for one."""

from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.models.series.panel import SeriesPanel
from htrisk_dagster.models.series.seasonal_pattern import (
    _by_phase,
    detrended,
    fit_seasonal_pattern,
    log_rates,
)
from htrisk_dagster_tests.models.series.city_of_months import SEASON, months
from scipy.stats import trim_mean
from statsmodels.tsa.seasonal import seasonal_decompose

LARGE = np.full(20, 50.0)


def test_a_known_season_is_found() -> None:
    pattern = fit_seasonal_pattern(months(8, rates=LARGE))
    assert pattern.total == pytest.approx(SEASON - SEASON.mean(), abs=1e-3)


def test_the_moving_average_is_statsmodels_own() -> None:
    panel = months(6, rates=LARGE, seed=1)
    values = log_rates(panel.counts[:, 0], panel.days.astype(float))
    expected = values - seasonal_decompose(values, period=12).trend
    found = detrended(values, 12)
    assert np.isnan(found).sum() == 12
    assert found[6:-6] == pytest.approx(expected[6:-6])


def test_a_year_unlike_the_others_moves_little() -> None:
    panel = months(10, rates=LARGE)
    counts = panel.counts.copy()
    counts[62:66] *= 0.5
    odd = fit_seasonal_pattern(SeriesPanel(panel.areas, panel.starts, counts))
    assert np.abs(odd.total - fit_seasonal_pattern(panel).total).max() < 0.01


def test_departures_that_are_noise_are_dropped_and_those_that_last_are_kept() -> None:
    noise = fit_seasonal_pattern(months(12, rates=np.full(40, 2.0), seed=2))
    assert noise.kept < 0.15
    own = SEASON[:, None] + 0.2 * np.random.default_rng(3).normal(size=(12, 20))
    lasting = fit_seasonal_pattern(months(12, rates=LARGE, season=own, seed=4))
    assert lasting.kept > 0.9


def test_less_than_two_seasons_have_no_pattern() -> None:
    pattern = fit_seasonal_pattern(months(1, rates=LARGE))
    assert not pattern.total.any()
    assert not pattern.areas.any()


def test_phases_have_the_trimmed_mean_of_scipy() -> None:
    rng = np.random.default_rng(4)
    values, phase = rng.normal(size=(57, 3)), np.arange(57) % 5
    values[:4] = np.nan
    found = _by_phase(values, phase, 6)
    for k in range(5):
        of_phase = values[4:][phase[4:] == k]
        assert found[k] == pytest.approx(trim_mean(of_phase, 0.2, axis=0))
    assert (found[5] == 0).all()
