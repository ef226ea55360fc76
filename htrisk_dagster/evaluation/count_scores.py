"""How close the expected counts were: proper scores first, then errors in incidents.

Belongs here: scores summed over cell-days. Does not: ranking (`discrimination`,
`hotspot_accuracy`), whether the level is right (`calibration`).

Scores are *means per cell-day*, not sums, so that a longer test block or a finer grid does not
look worse by itself. MAE and RMSE are reported because readers ask for them; on counts that are
nearly all 0, MAE is least for a forecast of 0 everywhere, so neither chooses a model.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from htrisk_dagster.evaluation.pairs import checked_pair, ratio


def deviance_terms(
    counts: NDArray[np.float64], expected: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Poisson deviance of each cell-day, 2 (y log(y / mu) - y + mu), with 0 log 0 = 0.

    McCullagh and Nelder 1989, Generalized Linear Models, section 2.3.
    """
    safe = np.where(counts > 0, counts, 1.0)
    return np.asarray(2.0 * (counts * np.log(safe / expected) * (counts > 0) - counts + expected))


def poisson_deviance(counts: ArrayLike, expected: ArrayLike) -> float:
    """Mean Poisson deviance per cell-day; lower is better, 0 is perfect.

    Proper: no forecast but the true intensity has a lower expectation. NaN without cell-days.
    """
    observed, forecast = checked_pair(counts, expected)
    return ratio(float(deviance_terms(observed, forecast).sum()), observed.size)


def log_score_terms(
    counts: NDArray[np.float64], expected: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Give -log p(count) of each cell-day under a Poisson, in nats."""
    from scipy.special import gammaln

    return np.asarray(expected - counts * np.log(expected) + gammaln(counts + 1.0))


def poisson_log_score(counts: ArrayLike, expected: ArrayLike) -> float:
    """Mean of -log p(count) under a Poisson, in nats per cell-day; lower is better.

    Gneiting and Raftery 2007, doi 10.1198/016214506000001437. NaN without cell-days.
    """
    observed, forecast = checked_pair(counts, expected)
    return ratio(float(log_score_terms(observed, forecast).sum()), observed.size)


def information_terms(
    counts: NDArray[np.float64], expected: NDArray[np.float64], reference: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Poisson log-likelihood of each cell-day less that under `reference`, in bits."""
    return np.asarray((counts * np.log(expected / reference) - expected + reference) / math.log(2))


def information_gain(counts: ArrayLike, expected: ArrayLike, *, reference: ArrayLike) -> float:
    """Bits per reported incident gained over a reference forecast; higher is better.

    Rhoades et al. 2011, doi 10.2478/s11600-011-0013-5: the difference of the two Poisson
    log-likelihoods over the number of events. One bit: the incidents fell where the forecast
    was twice the reference. NaN without an incident.
    """
    observed, forecast = checked_pair(counts, expected)
    _, base = checked_pair(counts, reference)
    return ratio(float(information_terms(observed, forecast, base).sum()), float(observed.sum()))


def mae(counts: ArrayLike, expected: ArrayLike) -> float:
    """Mean absolute error per cell-day, in incidents, over all cell-days, zeros included.

    NaN without cell-days.
    """
    observed, forecast = checked_pair(counts, expected)
    return ratio(float(np.abs(observed - forecast).sum()), observed.size)


def rmse(counts: ArrayLike, expected: ArrayLike) -> float:
    """Root of the mean squared error per cell-day, in incidents. NaN without cell-days."""
    observed, forecast = checked_pair(counts, expected)
    return math.sqrt(ratio(float(np.square(observed - forecast).sum()), observed.size))
