"""Ranks of the cells on every day that has a map.

Belongs here: ranking, finding a day's map. Does not: what ranks are measured by
(`verified_validation`, `lead_time`), area budgets (`pairs.cells_in_budget`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class DailyRanks:
    """Ranks of the cells on every day that has a map.

    Parameters
    ----------
    days : datetime64[D], shape (D,)
        In order, gaps allowed.
    ranks : mapping of str to int, shape (D, C)
        For each model, 1 for the highest expectation of the day; ties go to the lower cell.
    """

    days: NDArray[np.datetime64]
    ranks: Mapping[str, NDArray[np.integer]]

    def row_of(self, days: NDArray[np.datetime64]) -> NDArray[np.intp]:
        """Row of each day, -1 for a day without a map; any shape."""
        if not len(self.days):
            return np.full(days.shape, -1, dtype=np.intp)
        at = np.minimum(np.searchsorted(self.days, days), len(self.days) - 1)
        return np.where(self.days[at] == days, at, -1)


def ranks_of(expected: NDArray[np.float64]) -> NDArray[np.int32]:
    """Rank of each cell on its day, 1 the highest; ties go to the lower cell. Shape (D, C)."""
    order = np.argsort(-expected, axis=1, kind="stable")
    ranks = np.empty(expected.shape, dtype=np.int32)
    places = np.arange(1, expected.shape[1] + 1, dtype=np.int32)
    np.put_along_axis(ranks, order, np.broadcast_to(places, expected.shape), axis=1)
    return ranks
