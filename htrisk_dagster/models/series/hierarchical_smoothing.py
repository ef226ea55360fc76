"""Exponential smoothing in two levels: that of all areas together, and each area's share of it.

Belongs here: fit and forecast of the pooled model. Does not: the seasonal pattern it takes out
(`seasonal_pattern`), models of one series at a time (`univariate`).

What moves a whole city shows at once in the sum of its areas, where counting noise is small; what
moves one area shows only slowly. So the level of the total and the shares of the areas are
smoothed apart, each with its own constant (top-down forecasting with forecast proportions:
Athanasopoulos, Ahmed and Hyndman 2009, doi 10.1016/j.ijforecast.2008.07.004; simple exponential
smoothing: Hyndman and Athanasopoulos, Forecasting, chapter 8). Both are smoothed as counts and not as
logarithms or ratios, whose means are not those of small counts, and no report is no trouble. The
constants are those with the least one-step absolute error in the training periods, of the total on the
log scale and of shares on that of square roots: a mean that a few odd months cannot rule.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from htrisk_dagster.models.series.panel import Array, SeriesPanel, days_in, phase_of
from htrisk_dagster.models.series.seasonal_pattern import (
    HALF_A_REPORT,
    fit_seasonal_pattern,
)

TOTAL_CONSTANTS = (0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0)
AREA_CONSTANTS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
"""The smallest are for days, of which a month has thirty."""
LEAST_RATE = 1e-3
"""Reports a day under which no forecast goes: one in three years is never impossible."""


def smoothed(values: Array, constant: float) -> Array:
    """Levels after each period of simple exponential smoothing along axis 0, shape as `values`.

    The first period is the first level.
    """
    from scipy.signal import lfilter

    first = (1.0 - constant) * values[:1]
    levels, _ = lfilter([constant], [1.0, constant - 1.0], values, axis=0, zi=first)
    return np.asarray(levels)


@dataclass(frozen=True)
class HierarchicalSmoothing:
    """The model before it is fitted; it has no option."""

    name: str = "hierarchical"

    def fit(self, panel: SeriesPanel) -> FittedHierarchicalSmoothing:
        """Choose both constants on the periods of `panel`."""
        levels = _Levels.of(panel)
        # The first season only warms the levels up.
        first = min(panel.season, panel.n_periods - 1)
        rate = np.log(levels.rate + levels.half)
        errors = {}
        for constant in TOTAL_CONSTANTS if panel.n_periods > first + 1 else ():
            before = np.log(smoothed(levels.rate, constant)[first:-1] + levels.half)
            errors[constant] = float(np.abs(rate[first + 1 :] - before).mean())
        of_total = min(errors, key=lambda c: errors[c]) if errors else 0.4
        share_errors = {}
        for constant in AREA_CONSTANTS:
            before = levels.shares(constant)[first:-1] * levels.whole[first + 1 :, None]
            share_errors[constant] = float(
                np.abs(np.sqrt(levels.areas[first + 1 :]) - np.sqrt(before)).sum()
            )
        of_area = min(share_errors, key=lambda c: share_errors[c])
        return FittedHierarchicalSmoothing(of_total, of_area)


@dataclass(frozen=True)
class FittedHierarchicalSmoothing:
    """The model with its two constants.

    Parameters
    ----------
    of_total, of_area : float
        Weight of the newest period in the level of the total and in an area's share, 0 to 1.
    """

    of_total: float
    of_area: float

    def forecast(self, panel: SeriesPanel, horizon: int) -> Array:
        """Expected counts of the `horizon` periods after the panel's last, shape (H, S)."""
        levels = _Levels.of(panel)
        level = smoothed(levels.rate, self.of_total)[-1]
        share = levels.shares(self.of_area)[-1]
        coming = panel.coming(horizon)
        days = days_in(coming, panel.frequency).astype(np.float64)[:, None]
        phase = phase_of(coming, panel.frequency)
        rate = level * np.exp(levels.pattern[phase]) * share
        return np.asarray(np.maximum(rate, LEAST_RATE) * days)


@dataclass(frozen=True, eq=False)
class _Levels:
    """Counts as they would be without their seasons, and what is smoothed of them.

    Parameters
    ----------
    areas, whole : float64, shape (T, S) and (T,)
        Deseasonalised counts of each area, and of all.
    rate : float64, shape (T,)
        The latter a day.
    half : float
        Half a report in the mean period as a rate: added before a logarithm is taken.
    pattern : float64, shape (K, S)
        Seasonal terms of the areas.
    """

    areas: Array
    whole: Array
    rate: Array
    half: float
    pattern: Array

    @classmethod
    def of(cls, panel: SeriesPanel) -> _Levels:
        pattern = fit_seasonal_pattern(panel)
        areas = panel.counts * np.exp(-pattern.areas[panel.phase])
        whole = panel.counts.sum(axis=1) * np.exp(-pattern.total[panel.phase])
        half = HALF_A_REPORT / float(panel.days.mean())
        return cls(areas, whole, whole / panel.days, half, pattern.areas)

    def shares(self, constant: float) -> Array:
        """Smoothed counts of each area over that of all, so that periods weigh by their reports, (T, S)."""
        whole = np.maximum(smoothed(self.whole, constant), LEAST_RATE)
        return np.asarray(smoothed(self.areas, constant) / whole[:, None])
