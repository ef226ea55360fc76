"""Exponential smoothing in two levels: that of all areas together, and each area's share of it.

Belongs here: fit and forecast of the pooled model. Does not: the seasonal pattern it takes out
(`seasonal_pattern`), models of one series at a time (`univariate`).

What moves a whole city shows at once in the sum of its areas, where counting noise is small; what
moves one area shows only slowly. So the level of the total and the shares of the areas are
smoothed apart, each with its own constant (top-down forecasting with forecast proportions:
Athanasopoulos, Ahmed and Hyndman 2009, doi 10.1016/j.ijforecast.2008.07.004; simple exponential
smoothing: Hyndman and Athanasopoulos, Forecasting, chapter 8). Shares are smoothed as counts, so
that an area without a report is no trouble. Both constants are those with the least one-step
absolute error on the log scale in the training periods, a mean that a few odd months cannot rule.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from htrisk_dagster.models.series.panel import Array, SeriesPanel, days_in, phase_of
from htrisk_dagster.models.series.seasonal_pattern import (
    HALF_A_REPORT,
    fit_seasonal_pattern,
    log_rates,
)

TOTAL_CONSTANTS = (0.2, 0.4, 0.6, 0.8, 1.0)
AREA_CONSTANTS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
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
        season = panel.season
        total, shares, _ = _levels(panel)
        # The first season only warms the levels up.
        first = min(season, panel.n_periods - 1)
        errors = {
            constant: float(np.abs(total[first + 1 :] - smoothed(total, constant)[first:-1]).mean())
            for constant in TOTAL_CONSTANTS
            if panel.n_periods > first + 1
        }
        of_total = min(errors, key=lambda c: errors[c]) if errors else 0.4
        share_errors = {}
        for constant in AREA_CONSTANTS:
            before = smoothed(shares, constant)[first:-1]
            share_errors[constant] = float(
                np.abs(np.sqrt(shares[first + 1 :]) - np.sqrt(before)).sum()
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
        total, shares, pattern = _levels(panel)
        level = smoothed(total, self.of_total)[-1]
        share = smoothed(shares, self.of_area)[-1]
        coming = panel.coming(horizon)
        days = days_in(coming, panel.frequency).astype(np.float64)[:, None]
        phase = phase_of(coming, panel.frequency)
        rate = np.exp(level + pattern[phase]) * share
        return np.asarray(np.maximum(rate, LEAST_RATE) * days)


def _levels(panel: SeriesPanel) -> tuple[Array, Array, Array]:
    """Deseasonalised log rate of the total (T,), shares (T, S), terms of the areas (K, S)."""
    pattern = fit_seasonal_pattern(panel)
    days = panel.days.astype(np.float64)
    total = log_rates(panel.counts.sum(axis=1), days) - pattern.total[panel.phase]
    # Each area's count as it would be without its season, in terms of that of the total.
    adjusted = panel.counts * np.exp(-pattern.areas[panel.phase])
    whole = (panel.counts.sum(axis=1) + HALF_A_REPORT) * np.exp(-pattern.total[panel.phase])
    return total, adjusted / whole[:, None], pattern.areas
