"""A bracket around the ceiling where the true intensity is not known: an estimate, no ceiling.

Belongs here: two estimates of the intensity of a block from its own counts, one too low in skill
and one too high. Does not: ceilings of a known intensity (`ceilings`), the alarm above the bracket
(`ceiling_alarm`).

Both estimates use hindsight: counts before *and after* each day. Each cell's rate in the weeks
around the day is shrunk to its rate over the whole history and that to the city's, times the factor
of the weekday. They differ in one thing:

* *cross-fitted*: the week of a day is left out of its own estimate. What it scores can really be
  known of the block, if with hindsight: a lower end of the ceiling.
* *in-sample*: the week counts. The estimate has seen the very counts it is scored on: an upper end.

How strongly to shrink and how many weeks to look around is chosen for the lower end by its own
cross-fitted likelihood; it smooths, so a model may lie a little above it without a fault. The upper
end takes the loosest choice: shrunk as the lower one it would follow its own counts too little to
lie above the truth. For rare incidents it is far too high, and the bracket says that it is wide.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike, NDArray

from htrisk_dagster.evaluation.bootstrap import WEEK_DAYS
from htrisk_dagster.evaluation.count_scores import poisson_log_score
from htrisk_dagster.evaluation.pairs import checked_pair

Array = NDArray[np.float64]

LOWER, UPPER = "plug_in_cross_fitted", "plug_in_in_sample"

WEEKS_AROUND = (4, 13)
# Weights of the prior, in weeks of the cell's own rate, and in incidents of the city's.
LOCAL_WEEKS = (4.0, 26.0, 260.0)
PLACE_INCIDENTS = (0.5, 4.0)
# The upper end: the week and its two neighbours, and a prior of one week.
_LOOSEST = (1, 1.0, 0.5)


@dataclass(frozen=True)
class PlugInBracket:
    """Two estimates of the intensity of the scored days, shape (D, C) each.

    Parameters
    ----------
    cross_fitted, in_sample : float64, shape (D, C)
        Lower and upper end, in skill.
    weeks_around : int
        Weeks before and after that count as near, at the lower end.
    local_weeks, place_incidents : float
        Strength of the two priors that was chosen for the lower end.
    """

    cross_fitted: Array
    in_sample: Array
    weeks_around: int
    local_weeks: float
    place_incidents: float

    def forecasts(self) -> dict[str, Array]:
        """Both ends by the name under which tables show them."""
        return {LOWER: self.cross_fitted, UPPER: self.in_sample}


def plug_in_bracket(counts: ArrayLike, *, scored_days: int) -> PlugInBracket:
    """Bracket the intensity of the last days of a history.

    Parameters
    ----------
    counts : array, shape (T, C)
        Reported incidents of consecutive days, as known in the end.
    scored_days : int
        D, the days at the end that are scored; the others only inform.

    Raises
    ------
    ValueError
        Where there are not three weeks, no incident, or no such number of days to score.
    """
    observed = checked_pair(counts, np.ones(np.shape(counts)))[0]
    n_days = len(observed)
    if not 1 <= scored_days <= n_days or n_days < 3 * WEEK_DAYS or not observed.any():
        raise ValueError(
            f"A bracket of {scored_days} days from a history of {n_days} days with "
            f"{observed.sum():.0f} incidents cannot be made; give three weeks and one incident."
        )
    # Weeks are counted back from the end, so that the scored block is made of whole ones.
    week = (n_days - 1 - np.arange(n_days)) // WEEK_DAYS
    week = week.max() - week
    scored = slice(n_days - scored_days, None)
    weekly = np.zeros((int(week[-1]) + 1, observed.shape[1]))
    np.add.at(weekly, week, observed)
    days = np.bincount(week).astype(np.float64)
    factor = _weekday_factor(observed)

    def estimate(around: int, local: float, place: float, *, left_out: bool) -> Array:
        rate = _rates(weekly, days, around, local, place, left_out=left_out)
        return np.asarray(rate[week[scored]] * factor[scored, None])

    options = list(product(WEEKS_AROUND, LOCAL_WEEKS, PLACE_INCIDENTS))
    losses = [
        poisson_log_score(observed[scored], estimate(*option, left_out=True)) for option in options
    ]
    best = options[int(np.argmin(losses))]
    upper = estimate(*_LOOSEST, left_out=False)
    return PlugInBracket(estimate(*best, left_out=True), upper, *best)


def _weekday_factor(observed: Array) -> Array:
    """Factor of each day by its place in the week, mean 1, from the whole city, shape (T,)."""
    place = np.arange(len(observed)) % WEEK_DAYS
    total, days = np.bincount(place, observed.sum(axis=1)), np.bincount(place)
    # A day of the week without any incident keeps a little: no day is impossible.
    rate = (total + 0.5) / days
    return np.asarray((rate / rate.mean())[place], dtype=np.float64)


def _rates(
    weekly: Array, days: Array, around: int, local: float, place: float, *, left_out: bool
) -> Array:
    """Expected incidents a day of each week and cell, shape (W, C)."""
    out = 1.0 if left_out else 0.0
    history = weekly.sum(axis=0) - out * weekly
    history_days = (days.sum() - out * days)[:, None]
    city = history.mean(axis=1, keepdims=True) / history_days
    # A city without an incident outside the week is given half of one.
    city = np.maximum(city, 0.5 / (history_days * weekly.shape[1]))
    long = (history + place) / (history_days + place / city)
    near = _moving_sum(weekly, around) - out * weekly
    near_days = _moving_sum(days[:, None], around) - out * days[:, None]
    prior_days = local * WEEK_DAYS
    return np.asarray((near + prior_days * long) / (near_days + prior_days))


def _moving_sum(values: Array, around: int) -> Array:
    """Sum over each row and the `around` rows before and after it."""
    upto = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0)])
    at = np.arange(len(values))
    last = np.minimum(at + around + 1, len(values))
    return np.asarray(upto[last] - upto[np.maximum(at - around, 0)])
