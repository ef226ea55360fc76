"""What a place in the season does to a series, with areas shrunk to the whole.

Belongs here: seasonal multipliers of the total and of each area. Does not: levels and forecasts
(`hierarchical_smoothing`), tests of a season (`decomposition`, `peaks`).

Rates a day, on the log scale, less their centred moving average over one season (the classical
decomposition, with half weights at the ends where the season is even); over the years the mean without
the lowest and highest fifth, so that one year unlike the others, such as a lockdown, moves little. An
area's departures from the total's pattern are its own only in part: they are shrunk to 0 by the slope
with which its earlier years foretell its next, one number for all areas (what Copas 1983, doi
10.1111/j.2517-6161.1983.tb01258.x, calls the shrinkage of a prediction).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.models.series.panel import Array, SeriesPanel

HALF_A_REPORT = 0.5
"""Added to every count before its logarithm is taken."""
_TRIMMED = 0.2
_LEAST_YEARS = 3  # of an area's past, before a departure is asked to foretell the next


@dataclass(frozen=True, eq=False)
class SeasonalPattern:
    """Seasonal terms on the log scale.

    Parameters
    ----------
    total : float64, shape (K,)
        Of all areas together, by place in the season; mean 0.
    areas : float64, shape (K, S)
        Of each area, the total's included.
    kept : float
        Share of an area's own departures that was kept, 0 to 1.
    """

    total: Array
    areas: Array
    kept: float


def log_rates(counts: Array, days: Array) -> Array:
    """Log of reports a day, half a report added; shape as `counts`, (T, ...)."""
    shape = (-1,) + (1,) * (counts.ndim - 1)
    return np.asarray(np.log((counts + HALF_A_REPORT) / np.reshape(days, shape)))


def detrended(values: Array, season: int) -> Array:
    """`values` (T, ...) less their centred moving average; NaN for half a season at the ends."""
    width = season + 1 - season % 2
    weights = np.full(width, 1.0 / season)
    if season % 2 == 0:
        weights[[0, -1]] /= 2
    half = width // 2
    out = np.full(values.shape, np.nan)
    if len(values) < width:
        return out
    windows = np.lib.stride_tricks.sliding_window_view(values, width, axis=0)
    out[half : len(values) - half] = values[half : len(values) - half] - windows @ weights
    return out


def fit_seasonal_pattern(panel: SeriesPanel) -> SeasonalPattern:
    """Fit the pattern of a panel; all 0 where it is shorter than two seasons.

    Places in the season that were never seen with a whole moving average are 0.
    """
    season, phase = panel.season, panel.phase
    n_areas = len(panel.areas)
    if panel.n_periods < 2 * season:
        return SeasonalPattern(np.zeros(season), np.zeros((season, n_areas)), 0.0)
    days = panel.days.astype(np.float64)
    whole = detrended(log_rates(panel.counts.sum(axis=1), days), season)
    own = detrended(log_rates(panel.counts, days), season) - whole[:, None]
    total = _centred(_by_phase(whole[:, None], phase, season))[:, 0]
    departures = _centred(_by_phase(own, phase, season))
    kept = _share_kept(own, phase, season)
    return SeasonalPattern(total, total[:, None] + kept * departures, kept)


def _by_phase(values: Array, phase: NDArray[np.int64], season: int) -> Array:
    """Trimmed mean over the years, shape (K, S); 0 where a phase was never seen.

    As `scipy.stats.trim_mean`, whose checks of its arguments take a hundred times as long for such short
    columns.
    """
    seen = np.isfinite(values[:, 0])
    rows, phases = values[seen], phase[seen]
    out = np.zeros((season, values.shape[1]))
    for k in range(season):
        years = np.sort(rows[phases == k], axis=0)
        if len(years):
            cut = int(_TRIMMED * len(years))
            out[k] = years[cut : len(years) - cut].mean(axis=0)
    return out


def _centred(values: Array) -> Array:
    return np.asarray(values - values.mean(axis=0))


def _share_kept(own: Array, phase: NDArray[np.int64], season: int) -> float:
    """Slope, 0 to 1, of a year's departures on the mean of the years before."""
    seen = np.isfinite(own[:, 0])
    product = square = 0.0
    for k in range(season):
        years = own[seen & (phase == k)]
        if len(years) <= _LEAST_YEARS:
            continue
        past = np.cumsum(years, axis=0)[_LEAST_YEARS - 1 : -1]
        past = past / np.arange(_LEAST_YEARS, len(years))[:, None]
        product += float((past * years[_LEAST_YEARS:]).sum())
        square += float(np.square(past).sum())
    return float(np.clip(product / square, 0.0, 1.0)) if square else 0.0
