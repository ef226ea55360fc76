"""What pure counting noise leaves of an error measure, even where the true mean is known.

Belongs here: the least error, or the accuracy that comes for nothing, of each series metric. Does
not: the metrics (`series_errors`, `count_scores`), ceilings of metrics on cells (`ceilings`).

All take the true or estimated mean of each period and series, shape (T, S), and the overdispersion
phi = variance / mean; 1 is the Poisson. With phi above 1 a count is negative binomial of size
mean / (phi - 1). A reported error *below* its floor is no skill but a leak, a luck of few periods,
or a mean that was wrong.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from htrisk_dagster.evaluation.pairs import ratio
from htrisk_dagster.evaluation.predictive_distribution import cumulative
from htrisk_dagster.evaluation.series_errors import directional_accuracy

Array = NDArray[np.float64]

IID_DIRECTIONAL_ACCURACY = 0.75
"""Share of changes whose direction the mean forecasts in independent, symmetric noise: exactly 3/4.

The mean calls a fall after a value above it. Of two independent ranks u then v, the call is right
unless v lies between u and the middle: probability E|u - 1/2| = 1/4.
"""


def _checked(intensity: ArrayLike, overdispersion: float) -> Array:
    mean = np.asarray(intensity, dtype=np.float64)
    if mean.ndim != 2 or not (np.isfinite(mean) & (mean > 0)).all():
        raise ValueError("Means must be an array of shape (periods, series), all above 0.")
    if not 1 <= overdispersion < math.inf:
        raise ValueError(
            f"An overdispersion of {overdispersion} is not a variance over a mean of at least 1."
        )
    return mean


def _sizes(mean: Array, overdispersion: float) -> Array:
    """Size r of each mean; inf is the Poisson."""
    if overdispersion == 1.0:
        return np.full(mean.shape, math.inf)
    return np.asarray(mean / (overdispersion - 1.0))


def mean_absolute_deviation(intensity: ArrayLike, *, overdispersion: float = 1.0) -> Array:
    """E|count - mean| of each period and series, exact, shape (T, S).

    Poisson: 2 exp(-m) m^(k+1) / k! with k = floor(m) (Crow 1958). Negative binomial: 2 (k + 1)
    p(k + 1) (1 + m / r) (Johnson, Kemp and Kotz 2005, section 5.4).
    """
    from scipy.special import gammaln

    mean = _checked(intensity, overdispersion)
    k = np.floor(mean)
    if overdispersion == 1.0:
        return np.asarray(2.0 * np.exp((k + 1) * np.log(mean) - mean - gammaln(k + 1)))
    r = _sizes(mean, overdispersion)
    log_p = (
        gammaln(k + 1 + r) - gammaln(r) - gammaln(k + 2)
        + r * np.log(r / (r + mean)) + (k + 1) * np.log(mean / (r + mean))
    )  # fmt: skip
    return np.asarray(2.0 * (k + 1) * np.exp(log_p) * (1.0 + mean / r))


def mae_floor(intensity: ArrayLike, *, overdispersion: float = 1.0) -> float:
    """Least expected MAE of a forecast of the mean: the mean of E|count - mean|, in incidents."""
    return float(mean_absolute_deviation(intensity, overdispersion=overdispersion).mean())


def rmse_floor(intensity: ArrayLike, *, overdispersion: float = 1.0) -> float:
    """Least expected RMSE, sqrt of the mean of phi x mean, in incidents."""
    return math.sqrt(overdispersion * float(_checked(intensity, overdispersion).mean()))


def mape_floor(intensity: ArrayLike, *, overdispersion: float = 1.0) -> float:
    """MAPE*: the mean of E|count - mean| / mean, about 0.798 sqrt(phi / mean), as a share.

    A MAPE divides by the count, not by the mean: from a mean of 30 on the two differ by less than
    a tenth, below that MAPE means little.
    """
    mean = _checked(intensity, overdispersion)
    return float((mean_absolute_deviation(mean, overdispersion=overdispersion) / mean).mean())


def wape_floor(intensity: ArrayLike, *, overdispersion: float = 1.0) -> float:
    """WAPE*: the sum of E|count - mean| over the sum of means, as a share."""
    mean = _checked(intensity, overdispersion)
    deviation = mean_absolute_deviation(mean, overdispersion=overdispersion)
    return ratio(float(deviation.sum()), float(mean.sum()))


def r_squared_ceiling(intensity: ArrayLike, *, overdispersion: float = 1.0) -> float:
    """Highest R squared to expect: the variance of the means over it and the noise, 0 to 1."""
    mean = _checked(intensity, overdispersion)
    signal, noise = float(mean.var()), overdispersion * float(mean.mean())
    return signal / (signal + noise)


def mean_absolute_difference(
    first: ArrayLike, second: ArrayLike, *, overdispersion: float = 1.0
) -> Array:
    """E|Y - Y'| of independent counts with the two means, exact, shape (T, S).

    The sum over k of P(Y <= k < Y') + P(Y' <= k < Y).
    """
    one, other = (_checked(m, overdispersion) for m in (first, second))
    total = np.zeros(np.broadcast_shapes(one.shape, other.shape))
    highest = float(max(one.max(), other.max()))
    # Ten standard deviations and the skew of a small mean: what lies above adds nothing.
    last = math.ceil(highest + 10 * math.sqrt(overdispersion * highest) + 20 * overdispersion)
    for k in range(last + 1):
        below, under = (
            cumulative(np.full(m.shape, float(k)), m, _sizes(m, overdispersion))
            for m in (one, other)
        )
        total += below * (1 - under) + under * (1 - below)
    return total


def mase_floor(
    intensity: ArrayLike, *, training: ArrayLike, season: int, overdispersion: float = 1.0
) -> float:
    """Least MASE to expect: E|count - mean| over E|count - count one season before|.

    About 1 / sqrt(2) for independent counts of one mean, less where the training part's means
    change from season to season.

    Parameters
    ----------
    training : array, shape (T', S)
        Means of the training periods.
    season : int
        As in `series_errors.mase`.
    """
    past = _checked(training, overdispersion)
    naive = mean_absolute_difference(past[season:], past[:-season], overdispersion=overdispersion)
    return ratio(mae_floor(intensity, overdispersion=overdispersion), float(naive.mean()))


def directional_accuracy_of_noise(
    intensity: ArrayLike, *, overdispersion: float = 1.0, n_draws: int = 200, seed: int
) -> float:
    """Directional accuracy that the true means give on counts drawn from them, simulated.

    For a constant mean it is `IID_DIRECTIONAL_ACCURACY`, up to the steps of small counts.
    """
    mean = _checked(intensity, overdispersion)
    rng = np.random.default_rng(seed)
    r = _sizes(mean, overdispersion)
    scores = []
    for _ in range(n_draws):
        rate = mean if overdispersion == 1.0 else rng.gamma(r, overdispersion - 1.0)
        scores.append(directional_accuracy(rng.poisson(rate), mean))
    return float(np.nanmean(scores))
