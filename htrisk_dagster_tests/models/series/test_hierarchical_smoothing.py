"""Levels of the whole and shares of areas, against statsmodels and known worlds."""

from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.models.series.hierarchical_smoothing import (
    FittedHierarchicalSmoothing,
    HierarchicalSmoothing,
    smoothed,
)
from htrisk_dagster.models.series.panel import SeriesPanel, next_starts
from htrisk_dagster_tests.models.series.city_of_months import months
from statsmodels.tsa.holtwinters import SimpleExpSmoothing

RATES = np.array([2.0, 5.0, 20.0])


def test_levels_are_statsmodels_own() -> None:
    values = np.random.default_rng(1).normal(size=30)
    fit = SimpleExpSmoothing(values, initialization_method="known", initial_level=values[0]).fit(
        smoothing_level=0.3, optimized=False
    )
    assert smoothed(values, 0.3)[-1] == pytest.approx(fit.forecast(1)[0])


def test_a_season_without_noise_is_continued() -> None:
    panel = months(10, rates=RATES)
    ahead = FittedHierarchicalSmoothing(0.4, 0.2).forecast(panel.until(108), 12)
    assert ahead == pytest.approx(panel.counts[108:], rel=0.01)


def test_noise_asks_for_small_constants_and_wandering_for_large() -> None:
    steady = HierarchicalSmoothing().fit(months(14, rates=RATES, seed=1))
    assert steady.of_total <= 0.4
    assert steady.of_area <= 0.1
    walk = np.cumsum(np.random.default_rng(2).normal(scale=0.1, size=14 * 12))
    wandering = HierarchicalSmoothing().fit(months(14, rates=10 * RATES, seed=3, level=walk))
    assert wandering.of_total >= 0.8


def test_it_beats_each_area_by_itself_where_all_share_what_moves() -> None:
    walk = np.cumsum(np.random.default_rng(4).normal(scale=0.06, size=12 * 12))
    panel = months(12, rates=np.full(40, 1.0), seed=5, level=walk)
    fitted = HierarchicalSmoothing().fit(panel.until(108))
    alone = [FittedHierarchicalSmoothing(c, c) for c in (0.2, 0.4, 0.6)]

    def error(model: FittedHierarchicalSmoothing) -> float:
        ahead = [model.forecast(panel.until(o), 1)[0] for o in range(108, 144, 3)]
        return float(np.abs(panel.counts[108::3] - ahead).mean())

    assert error(fitted) < min(map(error, alone))


def test_days_of_few_reports_are_neither_forecast_low_nor_by_their_last() -> None:
    counts = np.random.default_rng(6).poisson(1.0, (700, 3)).astype(float)
    starts = next_starts(np.datetime64("2022-01-03"), 700, "day")
    panel = SeriesPanel(("a", "b", "c"), starts, counts, "day")
    fitted = HierarchicalSmoothing().fit(panel)
    assert fitted.of_total <= 0.05
    assert fitted.of_area <= 0.05
    # The mean of log(count + 1/2) would be a seventh below the log of the mean.
    assert fitted.forecast(panel, 28).sum() == pytest.approx(3.0 * 28, rel=0.08)


def test_an_area_without_a_report_has_a_small_forecast_above_0() -> None:
    panel = months(5, rates=np.array([0.0, 10.0]))
    ahead = HierarchicalSmoothing().fit(panel).forecast(panel, 3)
    assert (ahead[:, 0] > 0).all()
    assert (ahead[:, 0] < 0.1).all()
