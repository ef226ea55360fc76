"""From an expected count to a probability and an interval: the negative binomial around a mean.

Belongs here: dispersion, P(at least one), central intervals. Does not: the means (the models),
recalibration of probabilities or coverage (`evaluation`).

The size r is the negative binomial's: variance = mean + mean^2 / r, and r = inf is the Poisson.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Sizes outside are, for any data met here, indistinguishable from the ends.
_SMALLEST_SIZE, _LARGEST_SIZE = 1e-4, 1e7


def estimate_dispersion(counts: NDArray[Any], mean: NDArray[Any]) -> float:
    """Maximum-likelihood size r of a negative binomial with known means.

    The Poisson is a local maximum of the likelihood exactly where the score for 1/r at 0,
    sum((y - mean)^2 - y) / 2, is not positive (Dean and Lawless 1989); then r is inf.

    Parameters
    ----------
    counts : array of any shape
        Observed counts y, whole numbers.
    mean : array of the same shape
        Expected counts, 0 or above; 0 only where the count is 0.

    Returns
    -------
    float
        Size r above 0, or inf.

    Raises
    ------
    ValueError
        Where an incident was counted although none was expected, or a value is not finite.

    References
    ----------
    Dean, C. and Lawless, J. F. (1989). Tests for detecting overdispersion in Poisson regression
    models. JASA 84.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import gammaln

    y = np.asarray(counts, dtype=np.float64).ravel()
    mu = np.asarray(mean, dtype=np.float64).ravel()
    if not np.isfinite(mu).all() or np.any((mu <= 0) & ((mu < 0) | (y > 0))):
        raise ValueError("Expected counts must be finite, and above 0 wherever a count is.")
    if np.sum((y - mu) ** 2 - y) <= 0:
        return math.inf
    hit = y > 0
    y_hit, mu_hit = y[hit], mu[hit]

    def loss(log_size: float) -> float:
        r = math.exp(log_size)
        # Terms free of r are left out; the gamma functions differ from 0 only where y > 0.
        of_hits = gammaln(y_hit + r) - gammaln(r) - y_hit * np.log(r + mu_hit)
        return float(r * np.log1p(mu / r).sum() - of_hits.sum())

    bounds = (math.log(_SMALLEST_SIZE), math.log(_LARGEST_SIZE))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6})
    return math.exp(float(found.x))


def probability_of_any(mean: NDArray[np.float64], size: float) -> NDArray[np.float64]:
    """P(at least one incident), 1 - (1 + mean / r)^-r, exact for means near 0.

    Parameters
    ----------
    mean : float64, any shape
        Expected counts, 0 or above.
    size : float
        Size r; inf is the Poisson.
    """
    exponent = mean if math.isinf(size) else size * np.log1p(mean / size)
    return np.asarray(-np.expm1(-exponent), dtype=np.float64)


def quantile(mean: NDArray[np.float64], size: float, probability: float) -> NDArray[np.int32]:
    """Smallest k with P(Y <= k) at least `probability`, for each mean.

    P(Y <= k) falls as the mean grows, so k is right for all means up to the one at which P(Y <= k)
    equals `probability`. That mean has a closed form in the inverse incomplete gamma (Poisson) or
    beta function, so a table of a few thresholds serves millions of cell-days.
    """
    from scipy.special import betaincinv, gammainccinv
    from scipy.stats import nbinom, poisson

    if mean.size == 0:
        return np.zeros(mean.shape, dtype=np.int32)
    top = float(mean.max())
    poisson_like = math.isinf(size)
    largest = (
        poisson.ppf(probability, top)
        if poisson_like
        else nbinom.ppf(probability, size, size / (size + top))
    )
    k = np.arange(int(largest) + 1, dtype=np.float64)
    if poisson_like:
        thresholds = gammainccinv(k + 1, probability)
    else:
        success = betaincinv(size, k + 1, probability)
        with np.errstate(divide="ignore"):
            thresholds = size * (1 - success) / success
    return np.searchsorted(thresholds, mean, side="left").astype(np.int32)


def central_interval(
    mean: NDArray[np.float64], size: float, level: float
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Give the ends of the central interval of each mean, both counts included.

    Parameters
    ----------
    mean : float64, any shape
        Expected counts, above 0.
    size : float
        Size r; inf is the Poisson.
    level : float
        Probability inside, such as 0.5 or 0.95; counts are whole, so at least that much is inside.

    Returns
    -------
    lower, upper : int32, shape of `mean`
    """
    if not 0 < level < 1:
        raise ValueError(f"The level of an interval lies between 0 and 1, not at {level}.")
    tail = (1 - level) / 2
    return quantile(mean, size, tail), quantile(mean, size, 1 - tail)
