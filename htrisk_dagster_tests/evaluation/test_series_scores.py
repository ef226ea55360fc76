"""The table of a series' metrics, beside noise and the seasonal naive forecast."""

from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.evaluation.noise_floors import mape_floor
from htrisk_dagster.evaluation.series_scores import (
    overdispersion_between_neighbours,
    r_squared_within,
    score_series,
)
from htrisk_dagster.models.series.panel import SeriesPanel, next_starts


def weeks(counts: np.ndarray) -> SeriesPanel:
    starts = next_starts(np.datetime64("2020-01-06"), len(counts), "week")
    return SeriesPanel(
        tuple(map(str, range(counts.shape[1]))), starts, counts.astype(float), "week"
    )


def test_scatter_between_neighbours_is_found_through_a_trend_and_a_season() -> None:
    rng = np.random.default_rng(1)
    t = np.arange(520)[:, None]
    mean = 150.0 * np.exp(0.002 * t + 0.3 * np.sin(2 * np.pi * t / 52)) * np.ones((1, 30))
    assert overdispersion_between_neighbours(weeks(rng.poisson(mean))) == pytest.approx(1, abs=0.05)
    # Negative binomial of variance 3 times its mean.
    threefold = rng.poisson(rng.gamma(mean / 2.0, 2.0))
    assert overdispersion_between_neighbours(weeks(threefold)) == pytest.approx(3, rel=0.05)
    assert np.isnan(overdispersion_between_neighbours(weeks(rng.poisson(np.ones((20, 3))))))


def test_r_squared_within_knows_nothing_of_differences_between_areas() -> None:
    counts = np.array([[1.0, 101.0], [3.0, 103.0]])
    assert r_squared_within(counts, np.array([[2.0, 102.0], [2.0, 102.0]])) == pytest.approx(0.0)
    assert r_squared_within(counts, counts) == pytest.approx(1.0)


def test_every_metric_of_true_means_stands_near_what_noise_leaves() -> None:
    rng = np.random.default_rng(2)
    season = np.exp(0.3 * np.sin(2 * np.pi * np.arange(12) / 12))
    mean = np.tile(season, 10)[:, None] * np.geomspace(50, 1000, 60)
    counts = rng.poisson(mean).astype(float)
    starts = next_starts(np.datetime64("2010-01-01"), 120, "month")
    panel = SeriesPanel(tuple(map(str, range(60))), starts, counts)
    scores = {
        s.metric: s
        for s in score_series(counts[96:], mean[96:], counts[84:108], panel.until(96), seed=1)
    }
    assert [*scores] == ["mae", "rmse", "mape", "mase", "r_squared", "directional_accuracy"]
    for score in scores.values():
        assert score.value == pytest.approx(score.noise, rel=0.06), score
    # Independent counts of one mean: 1 / sqrt(2), and the seasonal naive forecast has 1.
    assert scores["mase"].value == pytest.approx(1 / np.sqrt(2), rel=0.05)
    assert scores["mase"].naive == pytest.approx(1.0, rel=0.05)
    large = counts[:96].mean(axis=0) > 100
    assert scores["mape"].noise == pytest.approx(mape_floor(mean[96:, large]))
