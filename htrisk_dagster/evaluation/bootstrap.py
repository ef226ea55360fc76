"""Intervals of a metric from resampled weeks.

Belongs here: which weeks a resample holds, and the interval of its replicates. Does not: what a
metric is in a resample (`week_replicates`).

Days of one week share weather, events and reporting, so single days are no independent draws;
whole weeks are resampled with replacement (block bootstrap, Künsch 1989, doi
10.1214/aos/1176347265; weekly blocks, field.md 1.3). Blocks of 7 days run from the first day; the
last, shorter one is kept. Every model meets the same resamples, so differences are paired.
Intervals run from the 2.5th to the 97.5th percentile; with few weeks they are too narrow.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

WEEK_DAYS = 7


def week_of_day(n_days: int) -> NDArray[np.int64]:
    """0-based week of each of `n_days` consecutive days, shape (D,)."""
    return np.arange(n_days) // WEEK_DAYS


def sum_by_week(by_day: NDArray[np.float64]) -> NDArray[np.float64]:
    """Add up values by day within each week; shape (D, ...) becomes (W, ...)."""
    starts = np.arange(0, len(by_day), WEEK_DAYS)
    return np.asarray(np.add.reduceat(by_day, starts, axis=0))


def draw_weeks(n_weeks: int, *, n_resamples: int, seed: int) -> NDArray[np.float64]:
    """How often each week occurs in each resample, shape (R, W); rows sum to W.

    Drawing W weeks with replacement makes the tallies multinomial, so they are drawn directly.

    Raises
    ------
    ValueError
        Where there is no week or no resample.
    """
    if n_weeks < 1 or n_resamples < 1:
        raise ValueError(
            f"A bootstrap of {n_weeks} weeks with {n_resamples} resamples is empty; "
            "give one of each at least."
        )
    rng = np.random.default_rng(seed)
    tallies = rng.multinomial(n_weeks, np.full(n_weeks, 1.0 / n_weeks), size=n_resamples)
    return np.asarray(tallies, dtype=np.float64)


def ratio_replicates(
    draws: NDArray[np.float64],
    numerator_by_week: NDArray[np.float64],
    denominator_by_week: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Ratio of two sums in each resample, shape (R,); NaN where the denominator is 0."""
    numerator, denominator = draws @ numerator_by_week, draws @ denominator_by_week
    defined = denominator != 0
    return np.where(defined, numerator / np.where(defined, denominator, 1.0), np.nan)


def percentile_interval(replicates: NDArray[np.float64]) -> tuple[float, float]:
    """Central 95% interval of the replicates; resamples where the metric is undefined are left out.

    Both ends are NaN where no resample defines it.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "All-NaN slice encountered", RuntimeWarning)
        low, high = np.nanquantile(replicates, [0.025, 0.975])
    return float(low), float(high)
