"""Reported incidents by police agency and day, and the calendar of those days.

Belongs here: counting, and which days are holidays. Does not: what is learnt from them
(`models/volume_forecast`), rates by residents (`agency_rates`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

DAY = np.timedelta64(1, "D")


@dataclass(frozen=True)
class AgencyDays:
    """Counts of agencies on consecutive days.

    Parameters
    ----------
    days : datetime64[D], shape (D,)
        Consecutive.
    agency_ids : tuple of str
        S agencies, in order.
    residents : float64, shape (S,)
        Residents; 0 where an agency has none of its own.
    counts : float64, shape (D, S)
        Incidents that occurred on the day.
    """

    days: NDArray[np.datetime64]
    agency_ids: tuple[str, ...]
    residents: NDArray[np.float64]
    counts: NDArray[np.float64]

    def before(self, day: date) -> AgencyDays:
        """Days before `day` alone: what is known when it begins."""
        n_days = int(np.searchsorted(self.days, np.datetime64(day)))
        return replace(self, days=self.days[:n_days], counts=self.counts[:n_days])

    def between(self, start: date, stop: date) -> NDArray[np.float64]:
        """Counts of the days from `start` up to, not including, `stop`."""
        inside = (self.days >= np.datetime64(start)) & (self.days < np.datetime64(stop))
        return self.counts[inside]

    @property
    def next_day(self) -> date:
        """The day after the last."""
        last: date = self.days[-1].astype(object)
        return last + timedelta(days=1)


def count_agency_days(
    offences: pl.DataFrame, residents: Mapping[str, int], first: date, last: date
) -> AgencyDays:
    """Count incidents, each once however many offences it has, by agency and day.

    Parameters
    ----------
    offences : DataFrame
        `agency_id`, `incident_id` and `occurred_on` of `nibrs.reported_offences`.
    residents : mapping of str to int
        Residents by agency: the agencies that are counted, quiet ones with 0 incidents.
    first, last : date
        First and last day, both included.
    """
    days = np.arange(np.datetime64(first), np.datetime64(last) + DAY)
    agency_ids = tuple(sorted(residents, key=lambda a: (len(a), a)))
    counts = np.zeros((len(days), len(agency_ids)))
    position = {agency: i for i, agency in enumerate(agency_ids)}
    incidents = offences.filter(
        pl.col("occurred_on").is_between(first, last) & pl.col("agency_id").is_in(list(position))
    ).unique(["agency_id", "incident_id", "occurred_on"])
    row = (incidents["occurred_on"].to_numpy().astype("datetime64[D]") - days[0]).astype(np.int64)
    column = incidents["agency_id"].replace_strict(position, return_dtype=pl.Int64).to_numpy()
    np.add.at(counts, (row, column), 1.0)
    served = np.array([residents[agency] for agency in agency_ids], dtype=np.float64)
    return AgencyDays(days, agency_ids, served, counts)


def days_from(start: date, n_days: int) -> NDArray[np.datetime64]:
    """`n_days` consecutive days from `start`."""
    return np.arange(np.datetime64(start), np.datetime64(start) + n_days * DAY)


def weekday(days: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """Weekday of each day, 0 Monday to 6 Sunday."""
    return (days.astype("datetime64[D]").astype(np.int64) + 3) % 7
