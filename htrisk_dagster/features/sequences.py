"""Features as sequences: which columns of a block are the last 7 days of a series.

Belongs here: the split of a block's columns into channels and static features, by name. Does not:
the gathering and scaling of rows (`models/`). A sequence is seven columns of a row, so nothing is
copied until rows are taken by these indices.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SEQUENCE_DAYS = 7
_LAG = re.compile(r"^(.+)_lag_\d+$")


@dataclass(frozen=True, eq=False)
class SequenceColumns:
    """Columns of a block by their part in a sequence.

    For rows of shape (n, F), `rows[:, lag_index]` has shape (n, 7, N) and `rows[:, static_index]`
    shape (n, S).

    Parameters
    ----------
    channels : tuple of str, length N
        Series that have lags 1 to 7, in block order.
    lag_index : int64, shape (7, N)
        Column of each day and channel, oldest day (lag 7) first.
    static_index : int64, shape (S,)
        All other columns in block order, lags above 7 among them.
    """

    channels: tuple[str, ...]
    lag_index: NDArray[np.int64]
    static_index: NDArray[np.int64]


def sequence_columns(names: Sequence[str]) -> SequenceColumns:
    """Find the channels among the columns of a block by their names, `<series>_lag_<k>`.

    Raises
    ------
    ValueError
        Where no series has lags 1 to 7.
    """
    column = {name: i for i, name in enumerate(names)}
    series = dict.fromkeys(found[1] for found in map(_LAG.match, names) if found)
    lags = range(SEQUENCE_DAYS, 0, -1)
    channels = tuple(s for s in series if all(f"{s}_lag_{k}" in column for k in lags))
    if not channels:
        raise ValueError(f"No series has lags 1 to {SEQUENCE_DAYS} among {list(names)}.")
    lag_index = np.array([[column[f"{s}_lag_{k}"] for s in channels] for k in lags])
    static_index = np.setdiff1d(np.arange(len(names)), lag_index)
    return SequenceColumns(channels, lag_index, static_index)
