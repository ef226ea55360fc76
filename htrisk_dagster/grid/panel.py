"""Dense cell x day panels: every cell has a number on every day, true zeros kept.

Belongs here: from rows to a dense count array, and from dates to day numbers. Does not: what was
known when (`features/as_of_counts`).
"""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray


def day_number(day: date) -> int:
    """Days from 1970-01-01 to `day`."""
    return (day - date(1970, 1, 1)).days


def day_numbers(days: pl.Series) -> NDArray[np.int64]:
    """Days from 1970-01-01 to each date of a column without missing values, shape (n,)."""
    return days.to_physical().to_numpy().astype(np.int64)


def count_panel(
    day: NDArray[np.int64], cell: NDArray[np.int64], n_days: int, n_cells: int
) -> NDArray[np.int32]:
    """Count rows by day and cell.

    Parameters
    ----------
    day, cell : int, shape (n,)
        0-based indices. A row outside [0, n_days) or [0, n_cells) is left out: it belongs to
        another period, or has no cell.

    Returns
    -------
    int32, shape (n_days, n_cells)
    """
    counts = np.zeros((n_days, n_cells), dtype=np.int32)
    add_to_panel(counts, day, cell, 1)
    return counts


def add_to_panel(
    panel: NDArray[np.int32], day: NDArray[np.int64], cell: NDArray[np.int64], step: int
) -> None:
    """Add `step` to the panel, shape (n_days, n_cells), once a row; see `count_panel`."""
    n_days, n_cells = panel.shape
    kept = (day >= 0) & (day < n_days) & (cell >= 0) & (cell < n_cells)
    if not kept.all():
        day, cell = day[kept], cell[kept]
    np.add.at(panel.reshape(-1), day * n_cells + cell, np.int32(step))
