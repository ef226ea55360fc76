"""Rolling origins see what was before them and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.evaluation.series_rolling import RollingForecasts, roll
from htrisk_dagster.models.series.hierarchical_smoothing import HierarchicalSmoothing
from htrisk_dagster.models.series.panel import SeriesPanel, next_starts
from htrisk_dagster.models.series.univariate import TrailingMean, Univariate


def panel(counts: np.ndarray) -> SeriesPanel:
    areas = tuple(map(str, range(counts.shape[1])))
    return SeriesPanel(
        areas, next_starts(np.datetime64("2010-01-01"), len(counts), "month"), counts
    )


COUNTS = np.random.default_rng(1).poisson(40.0, (84, 2)).astype(float)


@pytest.mark.parametrize("model", [HierarchicalSmoothing(), TrailingMean(), Univariate("ets")])
def test_what_comes_after_an_origin_moves_no_forecast_from_it(model) -> None:
    later = COUNTS.copy()
    later[76:] = 500.0
    one, other = (roll(model, panel(c), [60, 72], 84, horizon=3) for c in (COUNTS, later))
    # Origin 76 is number 16; it stands before period 76.
    assert (one[:17] == other[:17]).all()
    assert (one[17:] != other[17:]).any()


def test_a_forecast_from_an_origin_is_that_of_the_model_fitted_before() -> None:
    model = HierarchicalSmoothing()
    rolled = roll(model, panel(COUNTS), [60, 72], 75, horizon=2)
    fitted = model.fit(panel(COUNTS[:72]))
    assert (rolled[14] == fitted.forecast(panel(COUNTS[:74]), 2)).all()


def test_targets_truths_and_what_is_known() -> None:
    rolled = RollingForecasts(panel(COUNTS), np.array([81, 82]), {"m": np.ones((2, 3, 2))})
    assert rolled.targets().tolist() == [[81, 82, 83], [82, 83, 84]]
    assert (rolled.truths()[0, 2] == COUNTS[83]).all()
    assert np.isnan(rolled.truths()[1, 2]).all()
    assert rolled.known_at(83).tolist() == [[True, True, False], [True, False, False]]
    assert rolled.from_origin(82).origins.tolist() == [82]
