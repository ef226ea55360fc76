"""Whether as much is reported as the champion expects, over the last weeks and day by day.

Belongs here: a band for the count of some weeks, and cumulative sums with a stated time to a false
alarm. Does not: calibration of a test block (`calibration`), drift of features (`input_drift`).

City totals of a day scatter as a negative binomial with variance `overdispersion` x mean, which the
folds tell. The band finds a level that is off now; the cumulative sums (Page 1954; for counts, Lucas
1985, doi 10.1080/00401706.1985.10488030) find a lasting change of half as much again, or of a third
less, soonest for a given average run length between false alarms. That run length is computed, not
simulated: the sum is a Markov chain on a grid (Brook and Evans 1972, doi 10.1093/biomet/59.3.539).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.evaluation.bootstrap import WEEK_DAYS

Array = NDArray[np.float64]

BAND, RISE, FALL = "observed over expected, 4 weeks", "cumulative rise", "cumulative fall"
BAND_WEEKS = 4
BAND_LEVEL = 0.99
RUN_LENGTH_DAYS = 730.0
RATIO = 1.5

_N_STATES = 150


def calibration_drift(
    counts: NDArray[np.floating],
    expected: Array,
    *,
    overdispersion: float,
    level: float = BAND_LEVEL,
    run_length_days: float = RUN_LENGTH_DAYS,
) -> pl.DataFrame:
    """Compare city totals with what was expected.

    Parameters
    ----------
    counts, expected : arrays, shape (D,)
        Reported incidents and their expectation in the whole area, on consecutive days whose
        reports are in.
    overdispersion : float
        Variance of a day's total over its mean, 1 or above.
    level : float
        Probability that the band holds the count where nothing changed.
    run_length_days : float
        Mean number of days to a false alarm of the cumulative sums, both together.

    Returns
    -------
    DataFrame
        `measure`, `statistic`, `lower`, `upper` and `is_alarm`: the row `BAND` in units of observed over
        expected, the rows `RISE` and `FALL` in incidents.

    Raises
    ------
    ValueError
        Where there is no day, or a day expects nothing.
    """
    if not len(expected) or not (expected > 0).all():
        raise ValueError(
            "Drift of calibration is seen over one day at least, each with a forecast."
        )
    recent = slice(-BAND_WEEKS * WEEK_DAYS, None)
    total, wanted = float(counts[recent].sum()), float(expected[recent].sum())
    low, high = count_band(wanted, overdispersion, level)
    rows = [
        {
            "measure": BAND,
            "statistic": total / wanted,
            "lower": low / wanted,
            "upper": high / wanted,
            "is_alarm": not low <= total <= high,
        }
    ]
    mean = float(expected.mean())
    for name, ratio, sign in ((RISE, RATIO, 1.0), (FALL, 1 / RATIO, -1.0)):
        reach = cumulative_sum(sign * (counts - expected * slack(ratio)))
        # Two sums watch: each may be wrong half as often.
        limit = decision_limit(mean, overdispersion, ratio, run_length=2 * run_length_days)
        rows.append(
            {"measure": name, "statistic": reach, "lower": None, "upper": limit,
             "is_alarm": reach >= limit}
        )  # fmt: skip
    return pl.DataFrame(rows, schema_overrides={"lower": pl.Float64}, infer_schema_length=None)


def count_band(mean: float, overdispersion: float, level: float) -> tuple[float, float]:
    """Ends of the central band of a total, both included."""
    tail = (1 - level) / 2
    law = _law(mean, overdispersion)
    return float(law.ppf(tail)), float(law.ppf(1 - tail))


def slack(ratio: float) -> float:
    """Share of the expectation that a sum subtracts: (ratio - 1) / log(ratio), Lucas 1985.

    The sum is then that of log-likelihood ratios of `ratio` times the expectation against itself.
    """
    return (ratio - 1) / math.log(ratio)


def cumulative_sum(excess: Array) -> float:
    """Last value of S_t = max(0, S_(t-1) + excess_t), from 0: the sum since its lowest point."""
    path = np.concatenate([[0.0], np.cumsum(excess)])
    return float(path[-1] - path.min())


@cache
def decision_limit(mean: float, overdispersion: float, ratio: float, *, run_length: float) -> float:
    """Smallest limit, to 1%, at which the sum takes `run_length` days on average to a false alarm.

    Parameters
    ----------
    mean : float
        Expected incidents a day.
    overdispersion : float
        Variance of a day's total over its mean.
    ratio : float
        Change that is sought, above or below 1.
    run_length : float
        Days.
    """
    increment = _increments(mean, overdispersion, ratio)
    low, high = 0.0, max(1.0, math.sqrt(mean * overdispersion))
    while average_run_length(high, increment) < run_length:
        low, high = high, 2 * high
    while high - low > 0.01 * high:
        middle = (low + high) / 2
        if average_run_length(middle, increment) < run_length:
            low = middle
        else:
            high = middle
    return high


def average_run_length(limit: float, increment: Callable[[Array], Array]) -> float:
    """Mean number of steps of S = max(0, S + increment) from 0 until it reaches `limit`.

    Parameters
    ----------
    limit : float
    increment : callable
        Distribution function of one increment.
    """
    width = limit / _N_STATES
    # States: 0 itself, then cells of even width, each at its middle.
    middle = np.concatenate([[0.0], (np.arange(_N_STATES) + 0.5) * width])
    upper = np.concatenate([[0.0], (np.arange(_N_STATES) + 1) * width])
    reached = increment(upper[None, :] - middle[:, None])
    move = np.diff(reached, axis=1, prepend=0.0)
    stay = np.eye(_N_STATES + 1) - move
    return float(np.linalg.solve(stay, np.ones(_N_STATES + 1))[0])


def _increments(mean: float, overdispersion: float, ratio: float) -> Callable[[Array], Array]:
    law, taken = _law(mean, overdispersion), mean * slack(ratio)
    # P(Y < k) for k = 0, 1, ... up to where it is 1: looked up, since it is asked for by the million.
    below = np.concatenate([[0.0], law.cdf(np.arange(law.isf(1e-13) + 1)), [1.0]])

    def less_than(k: Array) -> Array:
        return np.asarray(below[np.clip(k, 0, len(below) - 1).astype(np.int64)])

    if ratio > 1:
        return lambda x: less_than(np.floor(x + taken + 1e-9) + 1)
    # P(taken - Y <= x) = 1 - P(Y < taken - x).
    return lambda x: 1 - less_than(np.ceil(taken - x - 1e-9))


def _law(mean: float, overdispersion: float) -> Any:
    from scipy.stats import nbinom, poisson

    if overdispersion <= 1 + 1e-9:
        return poisson(mean)
    return nbinom(mean / (overdispersion - 1), 1 / overdispersion)
