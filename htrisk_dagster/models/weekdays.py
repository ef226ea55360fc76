"""The rhythm of the week: weekdays of days, and a multiplier for each.

Belongs here: what the models that are static within a week share. Does not: calendar features
(`features/calendar.py`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.models.shrinkage import shrunk_ratio


def weekday_of(days: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """Weekday of each day, Monday 0 to Sunday 6."""
    # Day 0 of the epoch, 1970-01-01, was a Thursday.
    return (days.astype("datetime64[D]").astype(np.int64) + 3) % 7


def weekday_multipliers(
    days: NDArray[np.datetime64],
    observed: NDArray[np.float64],
    expected: NDArray[np.float64],
) -> tuple[NDArray[np.float64], float]:
    """Multiplier of each weekday, shrunk towards 1, with mean 1 over what was expected.

    Parameters
    ----------
    days : datetime64[D], shape (D,)
    observed, expected : float64, shape (D,)
        Incidents of the whole city on each day, and what was expected (above 0).

    Returns
    -------
    multipliers : float64, shape (7,)
        Monday first; 1 for a weekday that does not occur.
    strength : float
        Of the prior, in incidents; inf where weekdays differ no more than chance.
    """
    weekday = weekday_of(days)
    due = np.bincount(weekday, expected, minlength=7).astype(np.float64)
    happened = np.bincount(weekday, observed, minlength=7).astype(np.float64)
    seen = due > 0
    ratio = np.ones(7)
    ratio[seen], strength = shrunk_ratio(happened[seen], due[seen])
    mean = float(np.average(ratio, weights=due))
    return np.where(seen, ratio / mean, 1.0), strength
