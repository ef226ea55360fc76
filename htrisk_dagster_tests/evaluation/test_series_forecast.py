"""The coming year: its bands on a known world, what it needs, and what short histories get."""

from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.evaluation.series_bands import SeriesBands
from htrisk_dagster.evaluation.series_forecast import forecast_panel, least_periods
from htrisk_dagster.models.series.hierarchical_smoothing import HierarchicalSmoothing
from htrisk_dagster.models.series.panel import SeriesPanel, next_starts
from htrisk_dagster.models.series.univariate import SeasonalNaive

MODELS = (HierarchicalSmoothing(), SeasonalNaive())


def world(n: int, seed: int = 1) -> SeriesPanel:
    rng = np.random.default_rng(seed)
    season = np.exp(0.2 * np.sin(2 * np.pi * np.arange(n) / 12))[:, None]
    counts = rng.poisson(season * np.geomspace(50.0, 800.0, 30)).astype(float)
    starts = next_starts(np.datetime64("2015-01-01"), n, "month")
    return SeriesPanel(tuple(map(str, range(30))), starts, counts)


def test_a_year_of_a_known_world_is_forecast_and_its_bands_hold() -> None:
    panel = world(96)
    made = forecast_panel(panel.until(84), MODELS, seed=1)
    truth = panel.counts[84:]
    assert set(made.choice.names) == {"hierarchical"}
    assert np.abs(made.expected - truth).mean() < 0.85 * np.abs(made.naive - truth).mean()
    assert ((truth >= made.low) & (truth <= made.high)).mean() == pytest.approx(0.95, abs=0.035)
    assert made.blind == 60
    assert [*made.scores] == ["hierarchical", "seasonal_naive", "champion"]


def test_a_short_history_has_bands_for_every_month_and_too_short_a_one_is_refused() -> None:
    made = forecast_panel(world(40), MODELS, seed=1)
    assert made.expected.shape == (12, 30)
    assert (made.low < made.expected).all()
    assert (made.high > made.expected).all()
    with pytest.raises(ValueError, match=f"give {least_periods('month')}"):
        forecast_panel(world(35), MODELS, seed=1)


def test_bands_beyond_the_known_grow_as_a_random_walk_s() -> None:
    bands = SeriesBands(np.array([0.01, 0.02]), np.array([-2.0, -2.1]), np.array([1.9, 2.0]))
    more = bands.extended(4)
    assert more.variance == pytest.approx([0.01, 0.02, 0.03, 0.04])
    assert more.low.tolist() == [-2.0, -2.1, -2.1, -2.1]
    assert bands.extended(2).high.tolist() == [1.9, 2.0]
