"""Months of an invented city with a known season, for the tests of series models.

Belongs here: counts with a known mean. Does not: a test.
"""

from __future__ import annotations

import numpy as np
from htrisk_dagster.models.series.panel import SeriesPanel, days_in, next_starts

SEASON = 0.2 * np.sin(2 * np.pi * np.arange(12) / 12)


def months(
    n_years: int,
    *,
    rates: np.ndarray,
    season: np.ndarray = SEASON,
    seed: int | None = None,
    level: np.ndarray | None = None,
) -> SeriesPanel:
    """Panel from January 2010; rates a day (S,), log season (12,) or (12, S), log level (T,) or None.

    Exact means without a seed, Poisson counts with one.
    """
    starts = next_starts(np.datetime64("2010-01-01"), 12 * n_years, "month")
    terms = np.tile(season.reshape(12, -1), (n_years, 1))
    drift = np.zeros(len(starts)) if level is None else level
    mean = days_in(starts, "month")[:, None] * np.exp(terms + drift[:, None]) * rates
    counts = mean if seed is None else np.random.default_rng(seed).poisson(mean)
    areas = tuple(str(i) for i in range(len(rates)))
    return SeriesPanel(areas, starts, np.asarray(counts, dtype=np.float64))
