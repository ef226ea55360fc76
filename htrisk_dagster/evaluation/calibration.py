"""Whether the level of a forecast is right: overall, along the forecast, and by risk decile.

Belongs here: calibration of expected counts. Does not: order (`discrimination`), width of
intervals (`intervals`).

Slope and intercept are those of a Poisson regression of the counts on log(expected), after Cox
1958 (doi 10.1093/biomet/45.3-4.562): log E[count] = intercept + slope x log(expected). A slope of
1 and an intercept of 0 are calibrated; a slope under 1 says that high forecasts are too high and
low ones too low, the mark of overfitting.
"""

from __future__ import annotations

import math

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from htrisk_dagster.evaluation.pairs import checked_pair, ratio

_MAX_STEPS = 200
# Slopes are sought up to this, in units of the spread of log(expected).
_STEEPEST = 100.0


def expected_over_observed(counts: ArrayLike, expected: ArrayLike) -> float:
    """Sum of expected counts over that of counts; above 1 is too many. NaN without an incident."""
    observed, forecast = checked_pair(counts, expected)
    return ratio(float(forecast.sum()), float(observed.sum()))


def solve_slope(
    log_expected: NDArray[np.float64],
    cell_days: NDArray[np.float64],
    mean_at_events: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Slopes b of R Poisson regressions at once, by Newton's method kept inside a bracket.

    The intercept drops out of the score equations: b is where the mean of x = log(expected),
    weighted by exp(b x), equals the mean of x over the events. That mean rises with b, and its
    derivative is the weighted variance of x.

    Parameters
    ----------
    log_expected : float64, shape (B,)
        Values of x.
    cell_days : float64, shape (R, B)
        Number of cell-days at each value.
    mean_at_events : float64, shape (R,)
        Mean of x over events; NaN without events.

    Returns
    -------
    float64, shape (R,)
        NaN where no finite slope exists: no events, one value of x only, or all events at the
        highest or the lowest value.
    """
    slope = np.full(mean_at_events.shape, np.nan)
    spread = float(log_expected.std()) if log_expected.size else 0.0
    if spread < 1e-12:
        return slope
    centre = log_expected.mean()
    x, target = (log_expected - centre) / spread, (mean_at_events - centre) / spread
    highest = np.where(cell_days > 0, x, -np.inf).max(axis=1)
    lowest = np.where(cell_days > 0, x, np.inf).min(axis=1)
    # NaN compares as False: rows without events drop out here.
    solvable = np.flatnonzero((target < highest - 1e-9) & (target > lowest + 1e-9))
    if not solvable.size:
        return slope
    target = target[solvable]
    b = np.full(target.shape, spread)
    low, high = np.full(target.shape, -_STEEPEST), np.full(target.shape, _STEEPEST)
    for _ in range(_MAX_STEPS):
        tilt = np.outer(b, x)
        # The largest exponent is taken out, so nothing overflows; it cancels in the mean.
        weights = cell_days[solvable] * np.exp(tilt - tilt.max(axis=1, keepdims=True))
        total = weights.sum(axis=1)
        mean = weights @ x / total
        variance = np.maximum(weights @ (x * x) / total - mean**2, 1e-300)
        low, high = np.where(mean < target, b, low), np.where(mean < target, high, b)
        step = b - (mean - target) / variance
        following = np.where((step > low) & (step < high), step, (low + high) / 2)
        moved = np.abs(following - b)
        b = following
        if (moved < 1e-13 * np.maximum(1.0, np.abs(b))).all():
            break
    slope[solvable] = np.where(np.abs(b) < 0.99 * _STEEPEST, b / spread, np.nan)
    return slope


def calibration_line(counts: ArrayLike, expected: ArrayLike) -> tuple[float, float]:
    """Intercept and slope of the Poisson regression of counts on log(expected).

    Both NaN where no finite slope exists; see `solve_slope`.
    """
    observed, forecast = checked_pair(counts, expected)
    x, y = np.log(forecast).ravel(), observed.ravel()
    mean_at_events = np.array([ratio(float((y * x).sum()), float(y.sum()))])
    slope = float(solve_slope(x, np.ones((1, x.size)), mean_at_events)[0])
    if math.isnan(slope):
        return math.nan, math.nan
    top = float((slope * x).max())
    total = float(np.exp(slope * x - top).sum())
    return math.log(float(y.sum()) / total) - top, slope


def calibration_intercept(counts: ArrayLike, expected: ArrayLike) -> float:
    """Intercept of the calibration line, in log incidents; 0 is calibrated where the slope is 1."""
    return calibration_line(counts, expected)[0]


def calibration_slope(counts: ArrayLike, expected: ArrayLike) -> float:
    """Slope of the calibration line; 1 is calibrated, NaN where no finite slope exists."""
    return calibration_line(counts, expected)[1]


def risk_groups(expected: ArrayLike, *, n_groups: int) -> NDArray[np.int32]:
    """Group of each cell-day by its expected count, 1 lowest to `n_groups` highest, same shape.

    A group is the share of cell-days with at most that expectation, rounded up to a whole group.
    Equal expectations stay together, so groups may differ in size and some may be empty.
    """
    forecast = np.asarray(expected, dtype=np.float64)
    _, code, size = np.unique(forecast, return_inverse=True, return_counts=True)
    # Whole numbers until the end: a share of exactly 3 in 10 must not round into group 4.
    upper = -(-np.cumsum(size) * n_groups // forecast.size)
    return np.asarray(upper[code].reshape(forecast.shape), dtype=np.int32)


def reliability_table(
    counts: ArrayLike, expected: ArrayLike, *, n_groups: int = 10
) -> pl.DataFrame:
    """Tabulate expected and observed incidents by risk decile, or by another number of groups.

    Returns
    -------
    DataFrame
        `risk_group` (1 lowest), `cell_days_count`, `expected_count`, `observed_count` (sums over
        the group) and `observed_over_expected`. Groups that are empty have no row.
    """
    observed, forecast = checked_pair(counts, expected)
    frame = pl.DataFrame(
        {
            "risk_group": risk_groups(forecast, n_groups=n_groups).ravel(),
            "expected_count": forecast.ravel(),
            "observed_count": observed.ravel(),
        }
    )
    return (
        frame.group_by("risk_group")
        .agg(
            pl.len().cast(pl.Int64).alias("cell_days_count"),
            pl.col("expected_count").sum(),
            pl.col("observed_count").sum().round().cast(pl.Int64),
        )
        .sort("risk_group")
        .with_columns(
            (pl.col("observed_count") / pl.col("expected_count")).alias("observed_over_expected")
        )
    )


def expected_calibration_error(
    counts: ArrayLike, expected: ArrayLike, *, bins_per_decade: int = 4
) -> float:
    """Mean |observed - expected| over log-spaced bins of the forecast, in incidents per cell-day.

    Each bin weighs by its cell-days. Bins end at 10^(i / `bins_per_decade`) and hold their lower
    end, so that rare risks, which even bins would pile into one, are told apart. Chance alone
    keeps it above 0: about sqrt(2 x expected / pi) a bin. NaN without cell-days.
    """
    observed, forecast = checked_pair(counts, expected)
    code = np.floor(np.log10(forecast) * bins_per_decade + 1e-9).astype(np.int64).ravel()
    if not code.size:
        return math.nan
    gap = np.bincount(code - code.min(), weights=(observed - forecast).ravel())
    return ratio(float(np.abs(gap).sum()), observed.size)
