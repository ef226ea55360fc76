"""Bands of series hold what they say, on worlds that are known, from errors that were known."""

from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.evaluation.series_bands import (
    HALF_LIVES,
    SeriesBands,
    choose_half_life,
    covered,
    fit_bands,
    rolling_bands,
    weighted_quantile,
)
from htrisk_dagster.evaluation.series_rolling import RollingForecasts
from htrisk_dagster.models.series.panel import SeriesPanel, next_starts

T, S, H = 90, 40, 2


def world(spread: float, *, seed: int, shift: np.ndarray | None = None) -> RollingForecasts:
    """True means as forecasts of counts with log-normal scatter beyond Poisson's."""
    rng = np.random.default_rng(seed)
    mean = np.repeat(np.geomspace(20.0, 2000.0, S)[None], T + H, axis=0)
    sd = np.full(T + H, spread) if shift is None else shift
    counts = rng.poisson(mean * np.exp(sd[:, None] * rng.normal(size=mean.shape))).astype(float)
    starts = next_starts(np.datetime64("2010-01-01"), T + H, "month")
    panel = SeriesPanel(tuple(map(str, range(S))), starts, counts)
    expected = np.repeat(mean[:T, None], H, axis=1)
    return RollingForecasts(panel, np.arange(T), {"m": expected})


@pytest.mark.parametrize("spread", [0.0, 0.1])
def test_bands_hold_95_of_100_for_small_and_large_areas(spread: float) -> None:
    rolled = world(spread, seed=1)
    bands = fit_bands(rolled, "m", origin=60, half_life=96.0)
    later = rolled.from_origin(60)
    low, high = bands.ends(later.expected["m"])
    hits = covered(later.truths(), low, high)
    assert hits.mean() == pytest.approx(0.95, abs=0.01)
    assert hits[:, :, :10].mean() == pytest.approx(0.95, abs=0.025)
    assert hits[:, :, -10:].mean() == pytest.approx(0.95, abs=0.035)
    assert bands.variance == pytest.approx(spread**2, abs=0.004)


def test_bands_of_rare_counts_hold_and_do_not_run_away() -> None:
    rng = np.random.default_rng(7)
    mean = np.repeat(np.geomspace(0.05, 5.0, S)[None], 200, axis=0)
    counts = rng.poisson(mean).astype(float)
    starts = next_starts(np.datetime64("2024-01-01"), 200, "day")
    panel = SeriesPanel(tuple(map(str, range(S))), starts, counts, "day")
    rolled = RollingForecasts(panel, np.arange(200), {"m": mean[:, None]})
    bands = fit_bands(rolled, "m", origin=150, half_life=96.0)
    later = rolled.from_origin(150)
    low, high = bands.ends(later.expected["m"])
    # A band of whole numbers holds 95 of 100 or more.
    assert 0.93 < covered(later.truths(), low, high).mean() < 0.99
    assert (low == 0.0)[..., 0].all()
    # 97.5 of 100 counts are at most 1, 3 and 10 where 0.05, 1 and 5 are expected.
    ends = bands.ends(np.array([[0.05, 1.0, 5.0]]))[1][0]
    assert ends[0] < 2.0
    assert 2.0 < ends[1] < 7.0
    assert 8.0 < ends[2] < 14.0


def test_errors_that_were_not_known_move_no_band() -> None:
    rolled = world(0.1, seed=2)
    counts = rolled.panel.counts.copy()
    counts[60:] = 5000.0
    changed = RollingForecasts(
        SeriesPanel(rolled.panel.areas, rolled.panel.starts, counts),
        rolled.origins,
        rolled.expected,
    )
    one, other = (fit_bands(r, "m", origin=60, half_life=12.0) for r in (rolled, changed))
    assert (one.low == other.low).all()
    assert (one.high == other.high).all()


def test_where_scatter_has_grown_a_short_half_life_is_chosen() -> None:
    growing = np.linspace(0.05, 0.45, T + H)
    assert choose_half_life(world(0, seed=3, shift=growing), "m", first=40, known_before=T) == min(
        HALF_LIVES
    )


def test_rolling_bands_are_those_fitted_at_each_origin() -> None:
    rolled = world(0.1, seed=4)
    low, high = rolling_bands(rolled, "m", [50, 70], half_life=24.0)
    at = fit_bands(rolled, "m", origin=70, half_life=24.0).ends(rolled.expected["m"][70])
    assert (low[1] == at[0]).all()
    assert (high[1] == at[1]).all()


def test_an_end_by_hand_and_never_below_0() -> None:
    bands = SeriesBands(np.array([0.03]), np.array([-2.0]), np.array([1.0]))
    low, high = bands.ends(np.array([[100.0, 0.2]]))
    scale = np.sqrt(100 / 100.5**2 + 0.03)
    assert high[0, 0] == pytest.approx(100.5 * np.exp(scale) - 0.5)
    assert low[0, 1] == 0.0


def test_a_weighted_quantile_is_that_of_repeated_values() -> None:
    values, weights = np.array([3.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0])
    repeated = np.repeat(values, weights.astype(int))
    for level in (0.1, 0.4, 0.5, 0.9):
        expected = np.quantile(repeated, level, method="inverted_cdf")
        assert weighted_quantile(values, weights, level) == expected


def test_too_few_origins_are_an_error() -> None:
    with pytest.raises(ValueError, match="Horizon 1 has 5 blind origins"):
        fit_bands(world(0.1, seed=5), "m", origin=5, half_life=12.0)
