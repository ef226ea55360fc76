"""Errors of forecast series: what readers of monthly and precinct totals ask for.

Belongs here: MAPE, WAPE, MASE, R squared and directional accuracy. Does not: MAE and RMSE, which
are the same for series as for cell-days (`count_scores`), nor what noise alone gives
(`noise_floors`), beside which every number here must stand.

Series are arrays of shape (T, S): T consecutive periods by S series, with the signature of every
metric, `metric(counts, expected, *, <own options>) -> float`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from htrisk_dagster.evaluation.pairs import checked_pair, ratio


def mape(counts: ArrayLike, expected: ArrayLike) -> float:
    """Mean absolute percentage error, as a share: the mean of |count - expected| / count.

    Over the counts above 0, since it is undefined at 0; never use it on cells. NaN without one.
    """
    observed, forecast = checked_pair(counts, expected)
    some = observed > 0
    errors = np.abs(observed[some] - forecast[some]) / observed[some]
    return ratio(float(errors.sum()), errors.size)


def wape(counts: ArrayLike, expected: ArrayLike) -> float:
    """Weighted absolute percentage error, as a share: sum of |count - expected| over all counts.

    One less this is what reports call "volume accuracy". NaN without an incident.
    """
    observed, forecast = checked_pair(counts, expected)
    return ratio(float(np.abs(observed - forecast).sum()), float(observed.sum()))


def seasonal_naive_mae(training: ArrayLike, *, season: int) -> float:
    """Mean absolute difference of counts one season apart, over the training periods (T, S).

    Raises
    ------
    ValueError
        Where the season is not at least 1 or the training part is not longer than it.
    """
    past = np.asarray(training, dtype=np.float64)
    if not 1 <= season < len(past):
        raise ValueError(
            f"A season of {season} periods needs 1 or more, and a training part longer than it; "
            f"this one has {len(past)} periods."
        )
    return float(np.abs(past[season:] - past[:-season]).mean())


def mase(counts: ArrayLike, expected: ArrayLike, *, training: ArrayLike, season: int) -> float:
    """Mean absolute error over that of the seasonal naive forecast in the training part.

    Hyndman and Koehler 2006, doi 10.1016/j.ijforecast.2006.03.001. Under 1 is better than
    repeating the season before. NaN where the training part repeats itself exactly.

    Parameters
    ----------
    training : array, shape (T', S)
        Counts before the scored periods.
    season : int
        Periods in a season; 1 is the plain naive forecast.
    """
    observed, forecast = checked_pair(counts, expected)
    return ratio(
        ratio(float(np.abs(observed - forecast).sum()), observed.size),
        seasonal_naive_mae(training, season=season),
    )


def r_squared(counts: ArrayLike, expected: ArrayLike) -> float:
    """One less the squared error over that of the block's own mean; NaN where counts do not vary.

    Below 0 where the mean, known only afterwards, would have been better.
    """
    observed, forecast = checked_pair(counts, expected)
    spread = float(np.square(observed - observed.mean()).sum()) if observed.size else 0.0
    return 1.0 - ratio(float(np.square(observed - forecast).sum()), spread)


def directional_accuracy(counts: ArrayLike, expected: ArrayLike) -> float:
    """Share of changes from one period to the next whose direction was forecast.

    The forecast's direction is from the count of the period before to what was expected. Periods
    without a change are left out. Pure noise gives 3/4 to whoever forecasts its mean: see
    `noise_floors.directional_accuracy_of_noise`. NaN where no count changes.
    """
    observed, forecast = checked_pair(counts, expected)
    change = np.sign(observed[1:] - observed[:-1])
    foretold = np.sign(forecast[1:] - observed[:-1])
    moved = change != 0
    return ratio(int((change == foretold)[moved].sum()), int(moved.sum()))
