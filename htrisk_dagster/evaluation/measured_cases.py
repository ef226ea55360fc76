"""Which verified cases the maps can be measured by, and why the others cannot.

Belongs here: the cases of hit rates and of lead times, and the words for the rest. Does not: what is
measured (`verified_validation`, `lead_time`), how coarse a point is (`verified_counts`).

A case is measured where its point is exact and the day of its report and the 28 days before all have
a map. Hit rates would need the day alone, but then the few cases of a first month of maps would be
the difference of two published tables.

The words part all cases of the file, and each has a count that may leave; so a word that 1 to 10 cases
would have is joined to another, before anything is counted, rather than hidden with a neighbour.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.evaluation.daily_ranks import DailyRanks
from htrisk_dagster.victim_population.published_tables import K

WINDOW_DAYS = 28
NO_MAP, NO_CELL = "no map", "no exact place"
REASONS = (NO_MAP, NO_CELL)


@dataclass(frozen=True)
class MeasuredCases:
    """Arrays over all n cases of the file.

    Parameters
    ----------
    map_row : int, shape (n,)
        Row of the map of the day of report, -1 without one.
    window_rows : int, shape (n, 28)
        Rows of the maps 1 to 28 days before.
    cell : int, shape (n,)
        Cell of the case, 0 where it has none.
    is_measured : bool, shape (n,)
    reason : str, shape (n,)
        Why a case is not measured, one of `REASONS`; of the others too, unused.
    """

    map_row: NDArray[np.intp]
    window_rows: NDArray[np.intp]
    cell: NDArray[np.int32]
    is_measured: NDArray[np.bool_]
    reason: NDArray[np.object_]


def measured_cases(placed: pl.DataFrame, maps: DailyRanks) -> MeasuredCases:
    """Divide the cases.

    Parameters
    ----------
    placed : DataFrame
        `verified_counts.place_cases` of the whole file.
    maps : DailyRanks
    """
    day = placed["reported_on"].to_numpy().astype("datetime64[D]")
    before = np.arange(1, WINDOW_DAYS + 1).astype("timedelta64[D]")
    row = maps.row_of(day)
    rows = maps.row_of(np.asarray(day[:, None] - before, dtype="datetime64[D]"))
    is_exact = (placed["place"] == "exact").to_numpy()
    is_measured = is_exact & (row >= 0) & (rows >= 0).all(axis=1)
    reason = np.where(is_exact, NO_MAP, NO_CELL).astype(object)
    if 0 < int((is_exact & ~is_measured).sum()) < K:
        reason[:] = NO_CELL
    cell = placed["cell_id"].fill_null(0).to_numpy()
    return MeasuredCases(row, rows, cell, is_measured, reason)
