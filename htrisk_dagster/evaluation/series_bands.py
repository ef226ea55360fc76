"""Bands of series forecasts that hold: conformal, by horizon, from errors that were known.

Belongs here: standardised errors, their quantiles with time-ordered weights, the ends of a band.
Does not: forecasts (`series_rolling`), bands of cells and days (`intervals`, `count_intervals`).

An error is the difference of logarithms of the count and of the forecast, half a report added to both, over
sqrt(p + v_h): p, the Poisson variance of such a logarithm, which areas small and large do not share, and
what is beyond it h periods ahead, estimated robustly from the errors of all areas. Half a report on
both sides keeps the logarithm of a rare count near to the count itself: without it the band of a beat with
one report in twenty days would reach to hundreds. The band's ends
are quantiles of these errors from origins whose truth was known (split conformal prediction, with
weights that fall with age since errors of series drift: Barber et al. 2023, doi 10.1214/23-AOS2276). A
shock of the whole area, which makes all its errors alike, counts as often as there are areas; so the
number of origins, not that of errors, says how sure a quantile is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.evaluation.series_rolling import Array, RollingForecasts
from htrisk_dagster.models.series.seasonal_pattern import HALF_A_REPORT

LEVEL = 0.95
HALF_LIVES = (6.0, 12.0, 24.0, 48.0)
"""Ages in periods at which an error counts half, from which one is chosen on blind origins."""
LEAST_ORIGINS = 12
_TRIED_EVERY = 3  # origins: bands change little from one to the next


@dataclass(frozen=True, eq=False)
class SeriesBands:
    """Band by horizon.

    Parameters
    ----------
    variance : float64, shape (H,)
        Variance of log errors beyond Poisson's.
    low, high : float64, shape (H,)
        Quantiles of the standardised errors.
    level : float
        Share of counts that a band is to hold.
    """

    variance: Array
    low: Array
    high: Array
    level: float = LEVEL

    def ends(self, expected: Array) -> tuple[Array, Array]:
        """Lower and upper end of forecasts (..., H, S), of the same shape; lower is 0 or more."""
        scale = np.sqrt(poisson_variance(expected) + self.variance[:, None])
        low, high = (
            np.maximum((expected + HALF_A_REPORT) * np.exp(q[:, None] * scale) - HALF_A_REPORT, 0.0)
            for q in (self.low, self.high)
        )
        return low, high

    def extended(self, horizon: int) -> SeriesBands:
        """Bands of more periods ahead: the last one's variance grows as that of a random walk."""
        n = len(self.variance)
        more = np.arange(n + 1, horizon + 1) / n
        variance = np.concatenate([self.variance, self.variance[-1] * more])
        low, high = (np.concatenate([q, np.full(len(more), q[-1])]) for q in (self.low, self.high))
        return SeriesBands(variance, low, high, self.level)


def log_errors(truths: Array, expected: Array) -> Array:
    """Log of the count less that of the forecast, half a report added to both; any shape."""
    return np.asarray(np.log(truths + HALF_A_REPORT) - np.log(expected + HALF_A_REPORT))


def poisson_variance(expected: Array) -> Array:
    """Variance of the log of a Poisson count, half a report added, to first order; 1 / mean where large."""
    return np.asarray(expected / np.square(expected + HALF_A_REPORT))


def weighted_quantile(values: Array, weights: Array, level: float) -> float:
    """Least value whose cumulative weight reaches `level` of all."""
    order = np.argsort(values, kind="stable")
    cumulative = np.cumsum(weights[order])
    at = int(np.searchsorted(cumulative, level * cumulative[-1]))
    return float(values[order][min(at, len(values) - 1)])


def fit_bands(
    rolled: RollingForecasts,
    model: str,
    *,
    origin: int,
    half_life: float,
    level: float = LEVEL,
) -> SeriesBands:
    """Fit bands on the forecasts of `model` whose truth was known at an origin.

    Parameters
    ----------
    rolled : RollingForecasts
        Of earlier origins; later ones are not read.
    model : str
        Whose bands.
    origin : int
        Where the bands are to be used.
    half_life : float
        Periods of age at which an error counts half.
    level : float
        Share of counts a band is to hold.

    Raises
    ------
    ValueError
        Where a horizon has fewer than `LEAST_ORIGINS` errors over time.
    """
    known = rolled.known_at(origin) & (rolled.targets() < rolled.panel.n_periods)
    errors = log_errors(rolled.truths(), rolled.expected[model])
    poisson = poisson_variance(rolled.expected[model])
    age = (origin - rolled.targets()).astype(np.float64)
    ends = []
    for h in range(rolled.horizon):
        chosen = known[:, h]
        if chosen.sum() < LEAST_ORIGINS:
            raise ValueError(
                f"Horizon {h + 1} has {int(chosen.sum())} blind origins before period {origin}; a "
                f"band needs {LEAST_ORIGINS}. Begin the blind origins earlier."
            )
        weights = np.repeat(0.5 ** (age[chosen, h] / half_life), errors.shape[2])
        error, noise = errors[chosen, h].ravel(), poisson[chosen, h].ravel()
        # Median of squared errors over that of a squared standard normal.
        square = weighted_quantile(np.square(error), weights, 0.5) / 0.4549
        variance = max(square - weighted_quantile(noise, weights, 0.5), 0.0)
        standardised = error / np.sqrt(noise + variance)
        tail = (1.0 - level) / 2.0
        ends.append(
            (
                variance,
                weighted_quantile(standardised, weights, tail),
                weighted_quantile(standardised, weights, 1.0 - tail),
            )
        )
    of_horizon = np.array(ends)
    return SeriesBands(of_horizon[:, 0], of_horizon[:, 1], of_horizon[:, 2], level)


def rolling_bands(
    rolled: RollingForecasts, model: str, origins: Sequence[int], *, half_life: float
) -> tuple[Array, Array]:
    """Ends of the bands from each of `origins`, fitted there, both of shape (O, H, S)."""
    ends = []
    for origin in origins:
        bands = fit_bands(rolled, model, origin=origin, half_life=half_life)
        at = int(np.searchsorted(rolled.origins, origin))
        ends.append(bands.ends(rolled.expected[model][at]))
    low, high = zip(*ends, strict=True)
    return np.stack(low), np.stack(high)


def covered(truths: Array, low: Array, high: Array) -> NDArray[np.bool_]:
    """Whether each count lies in its band; missing truths do not."""
    return np.asarray((truths >= low) & (truths <= high))


def choose_half_life(
    rolled: RollingForecasts, model: str, *, first: int, known_before: int
) -> float:
    """Half-life whose bands, used from origin `first` on, came nearest to their level.

    Parameters
    ----------
    first : int
        First origin at which bands are tried.
    known_before : int
        Only truths before this period are read.
    """
    tried = [int(o) for o in rolled.origins if first <= o < known_before][::_TRIED_EVERY]
    at = np.searchsorted(rolled.origins, tried)
    known, truths = rolled.known_at(known_before)[at], rolled.truths()[at]
    misses = {}
    for half_life in HALF_LIVES:
        low, high = rolling_bands(rolled, model, tried, half_life=half_life)
        hits = covered(truths, low, high)[known]
        misses[half_life] = abs(float(hits.mean()) - LEVEL)
    return min(misses, key=lambda h: (round(misses[h], 4), -h))
