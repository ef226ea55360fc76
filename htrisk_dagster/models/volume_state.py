"""What is known of each agency's volume at the end of a day, kept up day by day.

Belongs here: the level, the recent past, and the features they give for the next day. Does not:
learning from them (`volume_forecast`).

Training and forecasting walk the same state forward, one through counts, the other through its own
expectations: a feature cannot mean one thing here and another there. The walk is a loop over days,
since each day of a recursive forecast needs the one before; a year of a hundred agencies takes a
twentieth of a second.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.features.agency_days import DAY, weekday

Array = NDArray[np.float64]

FEATURES = (
    "weekday", "is_holiday", "is_day_before_holiday", "is_day_after_holiday", "is_first_of_month",
    "log_level", "yesterday", "week_before", "mean_7_days", "mean_28_days", "same_weekday",
    "state_mean_7_days", "log_residents",
)  # fmt: skip
KEPT_DAYS = 28
# The level counts as much as this many days at the rate of all agencies by residents.
_PRIOR_DAYS = 14.0
# Half an incident keeps the ratio of two small numbers from running away.
_EASE = 0.5
_WEEKDAY_HALF_LIFE = 8.0
_SMALLEST_RATE = 1e-4


@dataclass
class VolumeState:
    """Exponentially weighted level of each agency, its last 28 days, and its weekdays.

    Parameters
    ----------
    residents : float64, shape (S,)
        Residents; 0 where an agency has none.
    half_life_days : float
        Days after which a day counts half in the level.
    """

    residents: Array
    half_life_days: float
    _sum: Array = field(init=False, repr=False)
    _weight: float = field(init=False, repr=False, default=0.0)
    _recent: Array = field(init=False, repr=False)
    _by_weekday: Array = field(init=False, repr=False)
    _weekday_weight: Array = field(init=False, repr=False)

    def __post_init__(self) -> None:
        n = len(self.residents)
        self._sum = np.zeros(n)
        self._recent = np.zeros((0, n))
        self._by_weekday = np.zeros((7, n))
        self._weekday_weight = np.zeros((7, n))

    def push(self, day_of_week: int, counts: Array, *, is_expected: bool = False) -> None:
        """Take up a day: its counts, or what was expected of it.

        An expectation says nothing new of the level, which stays: fed back into it, a correction of a
        hundredth would grow into another level within a year.
        """
        level = self.level()
        if not is_expected:
            kept = 0.5 ** (1 / self.half_life_days)
            self._sum = kept * self._sum + counts
            self._weight = kept * self._weight + 1.0
        self._recent = np.vstack([self._recent, counts])[-KEPT_DAYS:]
        kept = 0.5 ** (1 / _WEEKDAY_HALF_LIFE)
        self._by_weekday[day_of_week] = kept * self._by_weekday[day_of_week] + counts
        self._weekday_weight[day_of_week] = kept * self._weekday_weight[day_of_week] + level

    def level(self) -> Array:
        """Incidents a day of each agency, shrunk to those of all agencies by residents, shape (S,)."""
        if not self._weight:
            return np.full(len(self.residents), _SMALLEST_RATE)
        rate = (self._sum + _PRIOR_DAYS * self._prior()) / (self._weight + _PRIOR_DAYS)
        return np.maximum(rate, _SMALLEST_RATE)

    def _prior(self) -> Array:
        """Rate of all agencies with residents by residents; of those without, their own mean."""
        served = self.residents > 0
        prior = np.zeros(len(served))
        for group in (served, ~served):
            if group.any():
                share = self.residents[group] if group is served else np.ones(int(group.sum()))
                prior[group] = share / share.sum() * self._sum[group].sum() / self._weight
        return prior

    def features(self, day: np.datetime64, holidays: NDArray[np.datetime64]) -> Array:
        """Features of the next day, shape (S, F), in the order of `FEATURES`."""
        level, n = self.level(), len(self.residents)
        of_week = int(weekday(np.array([day]))[0])
        week, month = (self._recent[-days:].mean(axis=0) for days in (7, KEPT_DAYS))
        calendar = (of_week, *(int(d in holidays) for d in (day, day + DAY, day - DAY)),
                    int(str(day).endswith("-01")))  # fmt: skip
        with np.errstate(divide="ignore"):
            served = np.where(self.residents > 0, np.log(self.residents), np.nan)
        columns = (
            *(np.full(n, float(value)) for value in calendar),
            np.log(level),
            *(np.log((past + _EASE) / (level + _EASE))
              for past in (self._recent[-1], self._recent[-7], week, month)),
            np.log((self._by_weekday[of_week] + 4) / (self._weekday_weight[of_week] + 4)),
            np.full(n, np.log((week.sum() + _EASE) / (level.sum() + _EASE))),
            served,
        )  # fmt: skip
        return np.column_stack(columns)
