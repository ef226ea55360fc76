"""Columns of a dense block, gathered and written some at a time.

Belongs here: the order in which memory is touched. Does not: what a column holds
(`feature_matrix`).

A block keeps the features of a cell-day side by side, so that a row can be read at once. Written
one column at a time, every line of its memory would be touched once a column; some at a time, the
same bytes are there in half the time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Each takes four bytes a cell and day meanwhile.
_GATHERED = 8


class ColumnWriter:
    """Writes columns (D, C) into features (D, C, F).

    Parameters
    ----------
    features : float32, shape (D, C, F)
        Of any content: a column that is never put is NaN at the end.
    """

    def __init__(self, features: NDArray[np.float32]) -> None:
        self._features = features
        self._gathered = np.empty((_GATHERED, *features.shape[:2]), dtype=np.float32)
        self._where: list[int] = []
        self._absent = set(range(features.shape[2]))

    def put(self, where: int, values: NDArray[np.generic] | float) -> None:
        """Take column number `where`; the values may be overwritten afterwards."""
        self._gathered[len(self._where)] = values
        self._where.append(where)
        self._absent.discard(where)
        if len(self._where) == _GATHERED:
            self._write()

    def close(self) -> None:
        """Write what has been taken, and NaN for what was not: what has no source is absent."""
        for where in sorted(self._absent):
            self.put(where, np.nan)
        self._write()

    def _write(self) -> None:
        where = np.array(self._where, dtype=np.int64)
        # A run of neighbours is copied as a slice, in two thirds of the time of numbered columns.
        for run in np.split(np.arange(len(where)), np.flatnonzero(np.diff(where) != 1) + 1):
            if len(run):
                here = slice(where[run[0]], where[run[-1]] + 1)
                gathered = self._gathered[run[0] : run[-1] + 1]
                self._features[:, :, here] = np.moveaxis(gathered, 0, 2)
        self._where = []
