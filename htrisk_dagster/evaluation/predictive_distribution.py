"""Scores of the whole distribution around an expected count: Poisson, or negative binomial.

Belongs here: cumulative probabilities, CRPS, the log score of a negative binomial, the probability
integral transform. Does not: scores of the mean alone (`count_scores`), whether anything happened
(`occurrence_scores`), intervals (`intervals`).

`size` is the r of the negative binomial, variance = mean + mean^2 / r; inf is the Poisson. It is a
number, or an array that broadcasts to (D, C): a size by cell, by risk group or by day.

Counts are whole, so the transform F(y) of a count has steps. Its randomised form draws a point
evenly from [F(y - 1), F(y)], which is uniform where the forecast is right (Smith 1985). Every
number here that rests on it is the exact expectation over that draw (Czado, Gneiting and Held
2009, doi 10.1111/j.1541-0420.2009.01191.x), so nothing is random.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from htrisk_dagster.evaluation.pairs import checked_pair, ratio

Array = NDArray[np.float64]


def broadcast_size(size: ArrayLike, shape: tuple[int, ...]) -> Array:
    """Sizes r as an array of `shape`.

    Raises
    ------
    ValueError
        Where a size is not above 0, or does not broadcast to the shape.
    """
    sizes = np.asarray(size, dtype=np.float64)
    if not (sizes > 0).all():
        raise ValueError("The size r of a negative binomial must be above 0; inf is the Poisson.")
    return np.broadcast_to(sizes, shape)


def log_probability_of_none(expected: Array, size: ArrayLike) -> Array:
    """Log P(no incident): -mean for the Poisson, -r log(1 + mean / r) otherwise."""
    sizes = broadcast_size(size, expected.shape)
    is_poisson = np.isinf(sizes)
    r = np.where(is_poisson, 1.0, sizes)
    return np.asarray(np.where(is_poisson, -expected, -r * np.log1p(expected / r)))


def cumulative(counts: Array, expected: Array, size: ArrayLike) -> Array:
    """P(Y <= count), 0 for a count below 0; the special functions only where a count is above 0."""
    from scipy.special import betainc, gammaincc

    result = np.where(counts < 0, 0.0, np.exp(log_probability_of_none(expected, size)))
    some = np.nonzero(counts > 0)
    k, mean, r = counts[some], expected[some], broadcast_size(size, expected.shape)[some]
    is_poisson = np.isinf(r)
    r = np.where(is_poisson, 1.0, r)
    result[some] = np.where(
        is_poisson, gammaincc(k + 1.0, mean), betainc(r, k + 1.0, r / (r + mean))
    )
    return result


def negative_binomial_log_score(
    counts: ArrayLike, expected: ArrayLike, *, size: ArrayLike
) -> float:
    """Mean of -log p(count), in nats per cell-day; lower is better.

    With a size of inf it is `count_scores.poisson_log_score`. NaN without cell-days.
    """
    from scipy.special import gammaln

    observed, forecast = checked_pair(counts, expected)
    r = broadcast_size(size, observed.shape)
    is_poisson = np.isinf(r)
    r = np.where(is_poisson, 1.0, r)
    growth = np.where(
        is_poisson,
        observed * np.log(forecast),
        gammaln(observed + r) - gammaln(r) + observed * np.log(forecast / (r + forecast)),
    )
    terms = gammaln(observed + 1.0) - growth - log_probability_of_none(forecast, size)
    return ratio(float(terms.sum()), observed.size)


def half_mean_difference(expected: Array, size: ArrayLike) -> Array:
    """Half of E|Y - Y'| of two independent counts: what the CRPS of the right forecast expects.

    Poisson: m exp(-2m) (I0(2m) + I1(2m)). Negative binomial: m (1 + m/r) 2F1(r + 1, 1/2; 2;
    -4 (m/r)(1 + m/r)) (Wei and Held 2014, doi 10.1007/s11749-014-0380-8).
    """
    from scipy.special import hyp2f1, ive

    sizes = broadcast_size(size, expected.shape)
    result = expected * (ive(0, 2 * expected) + ive(1, 2 * expected))
    some = np.nonzero(np.isfinite(sizes))
    if some[0].size:
        mean, r = expected[some], sizes[some]
        odds = mean / r
        series = hyp2f1(r + 1.0, 0.5, 2.0, -4.0 * odds * (1.0 + odds))
        result[some] = mean * (1.0 + odds) * series
    return np.asarray(result)


def crps(counts: ArrayLike, expected: ArrayLike, *, size: ArrayLike = math.inf) -> float:
    """Mean continuous ranked probability score, in incidents per cell-day; lower is better.

    The sum over k of (P(Y <= k) - 1[count <= k])^2, in closed form: E|Y - count| less half of
    E|Y - Y'|. The MAE of a forecast that is a distribution. NaN without cell-days.
    """
    observed, forecast = checked_pair(counts, expected)
    if not observed.size:
        return math.nan
    r = broadcast_size(size, observed.shape)
    # E[Y; Y <= y] is the mean times P(Y' <= y - 1), Y' with size r + 1 and the same odds.
    below = cumulative(observed - 1.0, forecast * (1.0 + 1.0 / r), r + 1.0)
    distance = observed * (2 * cumulative(observed, forecast, r) - 1) - forecast * (2 * below - 1)
    return ratio(float((distance - half_mean_difference(forecast, r)).sum()), observed.size)


def pit_bounds(counts: Array, expected: Array, size: ArrayLike) -> tuple[Array, Array]:
    """P(Y <= count - 1) and P(Y <= count) of each cell-day: the step on which the transform lies."""
    return cumulative(counts - 1.0, expected, size), cumulative(counts, expected, size)


def pit_mass(lower: Array, upper: Array, level: float) -> Array:
    """Share of each step [lower, upper] that lies at or below `level`, 0 to 1."""
    width = upper - lower
    inside = np.clip(level - lower, 0.0, width)
    # A step without width is a count so far out that both ends round to the same number.
    return np.asarray(np.where(width > 0, inside / np.where(width > 0, width, 1.0), lower <= level))


def randomised_pit(
    counts: ArrayLike, expected: ArrayLike, *, size: ArrayLike = math.inf, seed: int
) -> Array:
    """One draw of the randomised transform of each cell-day, shape (D, C); uniform where right."""
    observed, forecast = checked_pair(counts, expected)
    lower, upper = pit_bounds(observed, forecast, size)
    draw = np.random.default_rng(seed).random(observed.shape)
    return np.asarray(lower + draw * (upper - lower))


def pit_histogram(
    counts: ArrayLike, expected: ArrayLike, *, size: ArrayLike = math.inf, n_bins: int = 10
) -> Array:
    """Share of the transform's mass in each of `n_bins` even bins, shape (n_bins,).

    1 / n_bins each where the forecast is right; a U says too narrow, a hump too wide. NaN without
    cell-days.
    """
    observed, forecast = checked_pair(counts, expected)
    lower, upper = pit_bounds(observed, forecast, size)
    edges = np.arange(1, n_bins) / n_bins
    below = [ratio(float(pit_mass(lower, upper, e).sum()), observed.size) for e in edges]
    whole = 1.0 if observed.size else math.nan
    return np.diff(np.array([0.0, *below, whole]))


def pit_deviation(
    counts: ArrayLike, expected: ArrayLike, *, size: ArrayLike = math.inf, n_bins: int = 10
) -> float:
    """Share of the transform's mass that lies in the wrong bin; 0 is right, NaN without cell-days.

    Half the sum of |share - 1 / n_bins| over the bins of `pit_histogram`.
    """
    histogram = pit_histogram(counts, expected, size=size, n_bins=n_bins)
    return float(np.abs(histogram - 1.0 / n_bins).sum() / 2)
