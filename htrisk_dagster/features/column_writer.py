"""Columns of a dense block, gathered and written some at a time.

Belongs here: the order in which memory is touched. Does not: what a column holds
(`feature_matrix`).

A block keeps the features of a cell-day side by side, so that a row can be read at once. Written
one column at a time, every line of its memory would be touched once a column; some at a time, and
day by day, which fits a core's cache, the same bytes are there in half the time.
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
        What is never written stays as it is.
    """

    def __init__(self, features: NDArray[np.float32]) -> None:
        self._features = features
        self._gathered = np.empty((_GATHERED, *features.shape[:2]), dtype=np.float32)
        self._where: list[int] = []

    def put(self, where: int, values: NDArray[np.generic]) -> None:
        """Take column number `where`; the values may be overwritten afterwards."""
        self._gathered[len(self._where)] = values
        self._where.append(where)
        if len(self._where) == _GATHERED:
            self.flush()

    def flush(self) -> None:
        """Write what has been taken; call it at the end."""
        for day, block in enumerate(self._features):
            block[:, self._where] = self._gathered[: len(self._where), day].T
        self._where = []
