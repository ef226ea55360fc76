"""How long to learn: not at all unless it surely helps, else as briefly as does nearly as well.

Belongs here: the rule that trees and epochs share, and the loss it is fed. Does not: which days
judge (`training_rows`), the learners.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.models.training_rows import Rows

_WEEK = 7
# Standard errors within which no step does as well as the best, and a lesser number of steps.
_SURELY, _NEARLY = 1.0, 0.5


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
    """Number of steps to learn, 0 where learning does not surely lower the loss.

    The one-standard-error rule of Breiman et al. (1984), on paired blocks: differences to the best
    number are paired week by week, since weeks differ far more than models do and days within a
    week are alike. Where the gain over no step lies within one standard error, as it does for a
    very rare target, the answer is 0 and the offset stands. Else it is the smallest number within
    half a standard error of the best: the judged fits have seen two thirds of the days, so that a
    whole one would stop short of what all days support (in simulated cities of 0.5 incidents a day
    half an error gained 0.01 to 0.02 of the oracle's skill over a whole one).

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
    if n_weeks < 2:
        return 0
    error = excess.std(axis=1, ddof=1) * math.sqrt(n_weeks)
    total = excess.sum(axis=1)
    if total[0] <= _SURELY * error[0]:
        return 0
    return int(np.argmax(total <= _NEARLY * error))
