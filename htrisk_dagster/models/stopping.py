"""How long to learn: the fewest steps that are not surely worse than the best.

Belongs here: the rule that trees and epochs share, and the loss it is fed. Does not: which days
judge (`training_rows`), the learners.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.models.training_rows import Rows

_WEEK = 7


def weekly_loss(
    rows: Rows, log_expected: NDArray[np.floating], n_cells: int
) -> NDArray[np.float64]:
    """Weighted Poisson negative log likelihood of each week, less what no forecast changes.

    Weeks are counted from the first row's day, so that all forecasts of the same rows agree.

    Parameters
    ----------
    rows : Rows
        n cell-days.
    log_expected : float, shape (n,)
    n_cells : int
        Cells of the block the rows are numbered in.

    Returns
    -------
    float64, shape (W,)
    """
    losses = rows.weights * (np.exp(log_expected) - rows.counts * log_expected)
    day = rows.index // n_cells
    return np.bincount((day - day[0]) // _WEEK, losses).astype(np.float64)


def fewest_steps(losses: NDArray[np.float64]) -> int:
    """Smallest number of steps whose loss is within one standard error of the lowest.

    The differences to the best are paired week by week: weeks differ far more than models do, and
    days within a week are alike. Where a target is so rare that the gain of learning lies within
    one standard error, the answer is 0 and the offset stands (the one-standard-error rule of
    Breiman et al. 1984, on paired blocks).

    Parameters
    ----------
    losses : float64, shape (T + 1, W)
        Loss by number of steps from 0 to T, and week.

    Returns
    -------
    int
        From 0 to T.

    References
    ----------
    Breiman, L., Friedman, J., Olshen, R. and Stone, C. (1984). Classification and Regression
    Trees, section 3.4.3.
    """
    best = int(np.argmin(losses.sum(axis=1)))
    excess = losses[: best + 1] - losses[best]
    n_weeks = excess.shape[1]
    error = excess.std(axis=1, ddof=1) * math.sqrt(n_weeks) if n_weeks > 1 else np.inf
    return int(np.argmax(excess.sum(axis=1) <= error))
