"""What becomes known of what happens: the share that is reported, and when.

Belongs here: reporting by area and its delay. Does not: where a report is put on the map
(`incidents`).

The share of a family's incidents that is reported is logistic in one covariate of the precinct,
its reserve towards the police, from -2 to 2::

    logit pi_f(precinct) = logit mean_f - 0.45 reserve(precinct)

The means are about those of the National Crime Victimization Survey of 2022; for offences that
hide, which no survey counts, a mean of 0.38 gives shares from 0.2 to 0.6.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RESERVE_SLOPE = 0.45
_RESERVE_LIMIT = 2.0
_BUSINESS_WEIGHT = 0.6
# Days from occurrence to report, and the share reported by then; even between the knots.
_DELAY_DAYS = (-1, 0, 1, 7, 30, 200, 1500)
_DELAY_SHARES = (0.0, 0.80, 0.85, 0.905, 0.95, 0.99, 1.0)
_DELAY_UNITS = 1_000_000
_SHARE_UNITS = 10_000


def precinct_reserve(
    business: NDArray[np.float64], precinct: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw how reserved the people of each precinct are towards the police.

    Parameters
    ----------
    business : ndarray of float64, shape (C,)
        How busy a cell is: busy precincts are the more reserved.
    precinct : ndarray of int64, shape (C,)
        Index of each cell's precinct; every precinct has a cell.

    Returns
    -------
    ndarray of float64, shape (P,)
        Near standard normal, within -2 and 2.
    """
    mean = np.bincount(precinct, np.log(business)) / np.bincount(precinct)
    score = (mean - mean.mean()) / mean.std()
    drawn = rng.standard_normal(len(mean)) * np.sqrt(1 - _BUSINESS_WEIGHT**2)
    reserve: NDArray[np.float64] = _BUSINESS_WEIGHT * score + drawn
    clipped = np.clip(reserve, -_RESERVE_LIMIT, _RESERVE_LIMIT)
    return np.asarray(np.round(clipped, 3), dtype=np.float64)


def reported_share(mean: float, reserve: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of incidents that is reported, four decimals.

    Parameters
    ----------
    mean : float
        Share where the reserve is 0.
    reserve : ndarray of float64
        From `precinct_reserve`.
    """
    odds: NDArray[np.float64] = mean / (1 - mean) * np.exp(-RESERVE_SLOPE * reserve)
    return np.round(odds / (1 + odds), 4)


def is_reported(share: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Draw which incidents are reported, each with its own share, shape (n,)."""
    ticket = rng.integers(0, _SHARE_UNITS, len(share))
    return ticket < np.rint(share * _SHARE_UNITS).astype(np.int64)


def draw_delays(days_left: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Days to the report, given that it comes within `days_left` days (1: the same day)."""
    shares = np.interp(np.arange(_DELAY_DAYS[-1] + 1), _DELAY_DAYS, _DELAY_SHARES)
    upper = np.round(shares * _DELAY_UNITS).astype(np.int64)
    ticket = rng.integers(0, upper[np.minimum(days_left, len(upper)) - 1])
    delay: NDArray[np.int64] = np.searchsorted(upper, ticket, side="right")
    return delay
