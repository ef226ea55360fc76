"""How good the probability of any incident was: Brier score and log loss of y = (count > 0).

Belongs here: proper scores of the event that a cell-day has an incident. Does not: scores of the
count (`count_scores`, `predictive_distribution`), ranking (`discrimination`).

The probability comes from the expected count, 1 - exp(-expected) under a Poisson. For rare events
both scores lie near those of the prevalence whatever the model, so read the skill, and beside it
its ceiling (`ceilings`).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from htrisk_dagster.evaluation.pairs import checked_pair, ratio
from htrisk_dagster.evaluation.predictive_distribution import log_probability_of_none


def brier_terms(
    counts: NDArray[np.float64], expected: NDArray[np.float64], size: ArrayLike = math.inf
) -> NDArray[np.float64]:
    """Squared difference of each cell-day between 1 or 0 and the probability of any incident."""
    probability = -np.expm1(log_probability_of_none(expected, size))
    return np.asarray(np.square((counts > 0) - probability))


def log_loss_terms(
    counts: NDArray[np.float64], expected: NDArray[np.float64], size: ArrayLike = math.inf
) -> NDArray[np.float64]:
    """Give -log of the probability of what happened, incident or none, of each cell-day, in nats."""
    log_none = log_probability_of_none(expected, size)
    some = np.nonzero(counts > 0)
    terms = -log_none
    terms[some] = -np.log(-np.expm1(log_none[some]))
    return terms


def brier(counts: ArrayLike, expected: ArrayLike, *, size: ArrayLike = math.inf) -> float:
    """Mean squared error of the probability of any incident; lower is better.

    Brier 1950, doi 10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2. NaN without cell-days.
    """
    observed, forecast = checked_pair(counts, expected)
    return ratio(float(brier_terms(observed, forecast, size).sum()), observed.size)


def brier_skill(counts: ArrayLike, expected: ArrayLike, *, size: ArrayLike = math.inf) -> float:
    """One less the Brier score over that of the block's own prevalence; 0 is no skill, 1 perfect.

    The prevalence is known only afterwards, so the reference is a little better than any forecast
    of one number. NaN where all cell-days have an incident or none has.
    """
    observed, forecast = checked_pair(counts, expected)
    share = ratio(int(np.count_nonzero(observed)), observed.size)
    unskilled = share * (1.0 - share) * observed.size
    return 1.0 - ratio(float(brier_terms(observed, forecast, size).sum()), unskilled)


def log_loss(counts: ArrayLike, expected: ArrayLike, *, size: ArrayLike = math.inf) -> float:
    """Mean of -log of the probability of what happened, in nats per cell-day; lower is better.

    NaN without cell-days.
    """
    observed, forecast = checked_pair(counts, expected)
    return ratio(float(log_loss_terms(observed, forecast, size).sum()), observed.size)
