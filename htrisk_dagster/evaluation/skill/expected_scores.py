"""Scores of a forecast in expectation over the counts, where the true intensity is known.

Belongs here: what chance is taken out of. Does not: scores of the counts that came about (the
modules of `evaluation`), the best that can be had (`ceilings`).

At half an incident a day a test block of nine months holds 40 incidents, and the AUC of one draw of
them has a standard error of 0.04, more than what parts the models. Given the intensity, every
forecast can be scored over all draws at once. A forecast for a day depends on the days before it
alone, as the intensity does, so the mean of these scores is the mean of the scores of counts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from htrisk_dagster.evaluation.calibration import calibration_slope
from htrisk_dagster.evaluation.count_scores import information_gain
from htrisk_dagster.evaluation.pairs import checked_pair, probability_of_any, ratio


def expected_auc(intensity: ArrayLike, expected: ArrayLike) -> float:
    """Chance that a cell-day with an incident has the higher forecast, over all draws of counts.

    The sum over pairs of p_i (1 - p_j) [1(e_i > e_j) + 1/2 1(e_i = e_j)] over that of
    p_i (1 - p_j), where p is the probability of any incident under the intensity and e the
    forecast. Ranked by the intensity itself it is `ceilings.auc_ceiling`.
    """
    true, forecast = checked_pair(intensity, expected)
    order = np.argsort(-forecast, axis=None, kind="stable")
    ranked, p = forecast.ravel()[order], probability_of_any(true).ravel()[order]
    starts = np.flatnonzero(np.append(True, np.diff(ranked) != 0))
    hit, none = (np.add.reduceat(values, starts) for values in (p, 1 - p))
    beneath = none.sum() - np.cumsum(none)
    # A cell-day is no pair with itself.
    itself = float((p * (1 - p)).sum())
    won = float(hit @ (beneath + none / 2)) - itself / 2
    return ratio(won, float(p.sum() * (1 - p).sum()) - itself)


def expected_information(intensity: ArrayLike, expected: ArrayLike, reference: ArrayLike) -> float:
    """Bits per incident over a reference forecast; the log-likelihood is linear in the counts."""
    return information_gain(intensity, expected, reference=reference)


def expected_slope(intensity: ArrayLike, expected: ArrayLike) -> float:
    """Calibration slope; the score equations of the Poisson regression are linear in the counts."""
    return calibration_slope(intensity, expected)
