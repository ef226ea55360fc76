"""A panel of series: counts of consecutive periods by area, and the calendar they stand on.

Belongs here: periods, their days and their place in the season, a panel cut at an origin. Does not:
how incidents become counts (`aggregation`, `week_split`), any model (the modules beside this one).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.schemas import series

Array = NDArray[np.float64]
Dates = NDArray[np.datetime64]
Frequency = series.Frequency

SEASON: dict[Frequency, int] = {"day": 7, "week": 52, "month": 12}
"""Periods that repeat: weekdays, weeks of a year, months of a year."""


def period_start(days: Dates, frequency: Frequency) -> Dates:
    """First day of the period of each day: itself, its Monday, or the first of its month."""
    day = days.astype("datetime64[D]")
    if frequency == "day":
        return day
    if frequency == "month":
        return day.astype("datetime64[M]").astype("datetime64[D]")
    # Day 0 of NumPy's calendar is a Thursday.
    return np.asarray(day - (day.astype(np.int64) + 3) % 7)


def next_starts(start: np.datetime64, n: int, frequency: Frequency) -> Dates:
    """First days of `n` periods, the first of which begins on `start`, shape (n,)."""
    if frequency == "month":
        return np.asarray((start.astype("datetime64[M]") + np.arange(n)).astype("datetime64[D]"))
    return np.asarray(
        start.astype("datetime64[D]") + np.arange(n) * (7 if frequency == "week" else 1)
    )


def days_in(starts: Dates, frequency: Frequency) -> NDArray[np.int64]:
    """Days of each period, shape (T,)."""
    if frequency == "month":
        months = starts.astype("datetime64[M]")
        return np.asarray(
            ((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64)
        )
    return np.full(len(starts), 7 if frequency == "week" else 1, dtype=np.int64)


def phase_of(starts: Dates, frequency: Frequency) -> NDArray[np.int64]:
    """Place in the season, 0-based: Monday is 0, January is 0; weeks by their day of the year.

    The last days of a year belong to its 52nd week, so that every year has the same 52 phases.
    """
    day = starts.astype("datetime64[D]")
    if frequency == "day":
        return np.asarray((day.astype(np.int64) + 3) % 7)
    if frequency == "month":
        return np.asarray(day.astype("datetime64[M]").astype(np.int64) % 12)
    middle = day + 3
    of_year = (middle - middle.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64)
    return np.asarray(np.minimum(of_year // 7, 51))


@dataclass(frozen=True, eq=False)
class SeriesPanel:
    """Counts of consecutive whole periods by area.

    Parameters
    ----------
    areas : tuple of str
        Names of the S series.
    starts : datetime64[D], shape (T,)
        First day of each period, without a gap.
    counts : float64, shape (T, S)
        Reported incidents; whole numbers unless weeks were split.
    frequency : {"day", "week", "month"}
        Length of a period.
    """

    areas: tuple[str, ...]
    starts: Dates
    counts: Array
    frequency: Frequency = "month"

    def __post_init__(self) -> None:
        """Refuse a gap, a wrong shape and a negative count.

        Raises
        ------
        ValueError
            With what is wrong, and where.
        """
        shape = (len(self.starts), len(self.areas))
        if self.counts.shape != shape:
            raise ValueError(
                f"Counts of shape {self.counts.shape} are not (periods, areas) {shape}."
            )
        if not len(self.starts):
            raise ValueError("A panel needs at least one period.")
        whole = next_starts(self.starts[0], len(self.starts), self.frequency)
        if (whole != self.starts).any():
            first = int(np.argmax(whole != self.starts))
            raise ValueError(
                f"Period {first} begins on {self.starts[first]}, expected {whole[first]}: a series "
                "has no gap; fill the calendar with zeros first."
            )
        if not (np.isfinite(self.counts) & (self.counts >= 0)).all():
            raise ValueError("A count is negative or missing; counts are 0 or more.")

    @property
    def n_periods(self) -> int:
        """Periods T."""
        return len(self.starts)

    @property
    def season(self) -> int:
        """Periods of a season."""
        return SEASON[self.frequency]

    @property
    def days(self) -> NDArray[np.int64]:
        """Days of each period, shape (T,)."""
        return days_in(self.starts, self.frequency)

    @property
    def phase(self) -> NDArray[np.int64]:
        """Place of each period in the season, shape (T,)."""
        return phase_of(self.starts, self.frequency)

    def until(self, origin: int) -> SeriesPanel:
        """The first `origin` periods: all that a forecast from there may see."""
        return replace(self, starts=self.starts[:origin], counts=self.counts[:origin])

    def since(self, first: int) -> SeriesPanel:
        """The periods from number `first` on."""
        return replace(self, starts=self.starts[first:], counts=self.counts[first:])

    def coming(self, horizon: int) -> Dates:
        """First days of the `horizon` periods after the last, shape (H,)."""
        return next_starts(self.starts[-1], horizon + 1, self.frequency)[1:]

    def with_total(self, name: str) -> SeriesPanel:
        """The same with the sum of all areas as one more series, the last."""
        return replace(
            self,
            areas=(*self.areas, name),
            counts=np.column_stack([self.counts, self.counts.sum(axis=1)]),
        )

    def index_of(self, day: np.datetime64 | str) -> int:
        """Number of the first period that begins on `day` or later."""
        return int(np.searchsorted(self.starts, np.asarray(day, dtype="datetime64[D]")))
