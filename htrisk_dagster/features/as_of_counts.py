"""Counts of incidents as they were known at each cutoff: exact in both clocks.

Belongs here: lags, windows and decaying sums by cutoff and place. Does not: which series and
windows are features (`catalogue`), nor the division by days (`feature_matrix`).

An incident has a day of occurrence and a day of report. At cutoff c a row counts when both lie
before c, so that a late report never reaches back to a day on which nobody had it. A row adds to
a window of w days at every cutoff from the day after it became known up to w days after it
occurred, which is one run of cutoffs: a difference array and a running sum give all windows
in O(rows + cutoffs x places), in integers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.grid.panel import add_to_panel, day_numbers


@dataclass(frozen=True, eq=False)
class AsOfCounts:
    """Incidents by place, and the consecutive cutoffs at which they are counted.

    Parameters
    ----------
    occurred, reported : int64, shape (n,)
        Day numbers since 1970-01-01.
    place : int64, shape (n,)
        0-based place (cell or precinct), below `n_places`.
    n_places : int
        P.
    first_cutoff : int
        Day number of the first cutoff.
    n_cutoffs : int
        T.
    """

    occurred: NDArray[np.int64]
    reported: NDArray[np.int64]
    place: NDArray[np.int64]
    n_places: int
    first_cutoff: int
    n_cutoffs: int

    @classmethod
    def from_frame(
        cls, frame: pl.DataFrame, n_places: int, first_cutoff: int, n_cutoffs: int
    ) -> AsOfCounts:
        """Take columns occurred_on, reported_on and place; rows without a place are left out."""
        rows = frame.select("occurred_on", "reported_on", "place").drop_nulls("place")
        return cls(
            day_numbers(rows["occurred_on"]),
            day_numbers(rows["reported_on"]),
            rows["place"].to_numpy().astype(np.int64),
            n_places,
            first_cutoff,
            n_cutoffs,
        )

    @property
    def _known_at(self) -> NDArray[np.int64]:
        """First cutoff at which each row counts: the day after the later of its two days."""
        return np.maximum(self.occurred, self.reported) + 1

    def lag_counts(self, k: int) -> NDArray[np.int32]:
        """Rows that occurred k days before the cutoff and were reported before it.

        Parameters
        ----------
        k : int
            At least 1.

        Returns
        -------
        int32, shape (T, P)
        """
        (counts,) = self.lag_panels([k])
        return counts

    def lag_panels(self, lags: Sequence[int]) -> Iterator[NDArray[np.int32]]:
        """`lag_counts` of each of some lags, ascending; each is overwritten by the next.

        One panel by day of occurrence serves all: a longer lag reads earlier days of it, after the
        rows that only so long after are known have been added.
        """
        longest = max(lags)
        shape = (self.n_cutoffs + longest, self.n_places)
        by_day = np.zeros(shape, dtype=np.int32)
        day = self.occurred - (self.first_cutoff - longest)
        inside = (day >= 0) & (day < len(by_day))
        known_after = (self._known_at - self.occurred)[inside]
        order = np.argsort(known_after, kind="stable")
        day, place, known_after = day[inside][order], self.place[inside][order], known_after[order]
        done = 0
        for k in lags:
            stop = int(np.searchsorted(known_after, k, side="right"))
            add_to_panel(by_day, day[done:stop], place[done:stop], 1)
            done = stop
            yield by_day[longest - k : longest - k + self.n_cutoffs]

    def window_counts(self, w: int) -> NDArray[np.int32]:
        """Rows that occurred in the w days before the cutoff and were reported before it.

        Returns
        -------
        int32, shape (T, P)
        """
        enters = np.maximum(self._known_at - self.first_cutoff, 0)
        leaves = self.occurred + w + 1 - self.first_cutoff
        counted = enters < leaves
        # A row that leaves after the last cutoff falls outside the panel, as it should.
        change = np.zeros((self.n_cutoffs, self.n_places), dtype=np.int32)
        add_to_panel(change, enters[counted], self.place[counted], 1)
        add_to_panel(change, leaves[counted], self.place[counted], -1)
        return np.cumsum(change, axis=0, dtype=np.int32, out=change)

    def same_weekday_counts(self, weeks: int, lag_days: int) -> NDArray[np.int32]:
        """Rows on the weekday that lies `lag_days` after the cutoff, in its last `weeks` weeks.

        Returns
        -------
        int32, shape (T, P)
            Sum over `same_weekday_lags(weeks, lag_days)`.
        """
        total = np.zeros((self.n_cutoffs, self.n_places), dtype=np.int32)
        for counts in self.lag_panels(same_weekday_lags(weeks, lag_days)):
            total += counts
        return total

    def ewm(self, half_life_days: float, since: int) -> NDArray[np.float64]:
        """Exponentially weighted sum: a row counts alpha^(cutoff - occurred) once it is known.

        Parameters
        ----------
        half_life_days : float
            Days after which a row counts half.
        since : int
            Day number of the first day of occurrence that counts. The recursion always starts
            there, never at the first cutoff, so that a day made alone and a day made within a
            range have the same bytes.

        Returns
        -------
        float64, shape (T, P)
        """
        alpha = 0.5 ** (1.0 / half_life_days)
        last = self.first_cutoff + self.n_cutoffs - 1
        known_at = self._known_at
        used = np.flatnonzero((self.occurred >= since) & (known_at <= last))
        # In an order of their own, so that the order of the rows cannot change the last bit of a sum.
        used = used[np.lexsort((self.occurred[used], known_at[used]))]
        known_at, place = known_at[used], self.place[used]
        weight = alpha ** (known_at - self.occurred[used]).astype(np.float64)
        start = min(since + 1, self.first_cutoff)
        bounds = np.searchsorted(known_at, np.arange(start, last + 2))

        result = np.zeros((self.n_cutoffs, self.n_places))
        state = np.zeros(self.n_places)
        for cutoff in range(start, last + 1):
            low, high = bounds[cutoff - start], bounds[cutoff - start + 1]
            state *= alpha
            if low < high:
                state += np.bincount(place[low:high], weight[low:high], minlength=self.n_places)
            if cutoff >= self.first_cutoff:
                result[cutoff - self.first_cutoff] = state
        return result


def same_weekday_lags(weeks: int, lag_days: int) -> list[int]:
    """Days before the cutoff of the last `weeks` days with the weekday of the forecast day.

    The forecast day lies `lag_days` after the cutoff; with a lag of 90 days the newest such day
    before the cutoff is 91 days before the forecast day.
    """
    first = lag_days // 7 + 1
    return [7 * week - lag_days for week in range(first, first + weeks)]


def days_available(cutoffs: NDArray[np.int64], w: int, since: int) -> NDArray[np.int64]:
    """How many of the w days before each cutoff lie on or after day `since`, shape (T,)."""
    return np.clip(cutoffs - since, 0, w)


def ewm_weight_available(
    cutoffs: NDArray[np.int64], half_life_days: float, since: int
) -> NDArray[np.float64]:
    """Sum of the weights alpha^1 ... alpha^n of the n days from `since` to the cutoff, shape (T,).

    An exponentially weighted sum over it is a mean per day.
    """
    alpha = 0.5 ** (1.0 / half_life_days)
    days = np.maximum(cutoffs - since, 0).astype(np.float64)
    total: NDArray[np.float64] = alpha * (1.0 - alpha**days) / (1.0 - alpha)
    return total
