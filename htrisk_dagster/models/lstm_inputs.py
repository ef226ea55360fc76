"""From feature columns to what the LSTM reads: seven days of channels and static values, scaled.

Belongs here: choice of columns, logs, standardisation, gathering rows. Does not: the network
(`lstm_network`), training (`lstm`). NumPy only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.features.sequences import SEQUENCE_DAYS, sequence_columns
from htrisk_dagster.models.training_rows import column_positions, learnable_columns

_COUNT = re.compile(r"(_lag_\d+|_count)$")
_WINDOW = re.compile(r"_(?:mean|ewm)_(\d+)$")
# Standard deviations at which an input is cut off, so that a day unlike any seen in training
# cannot carry a prediction far away.
_LARGEST_INPUT = 8.0


def _count_windows(names: tuple[str, ...]) -> NDArray[np.float32]:
    """Days that turn a column into a count: 1 for a lag, the window for a mean, 0 for others."""
    windows = []
    for name in names:
        window = _WINDOW.search(name)
        windows.append(float(window[1]) if window else float(bool(_COUNT.search(name))))
    return np.array(windows, dtype=np.float32)


@dataclass(frozen=True)
class LSTMInputs:
    """Columns in the order the network reads them, with training statistics.

    Counts, and means per day times their window, enter as log(1 + count); everything is then
    standardised, and NaN becomes 0, the training mean.

    Parameters
    ----------
    columns : tuple of str
        Lag columns day by day, oldest first, N channels each; then S static columns.
    n_channels : int
        N.
    mean, deviation : float32, shape (7 N + S,)
        Of the logged values on the training days.
    """

    columns: tuple[str, ...]
    n_channels: int
    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]

    @classmethod
    def fitted(cls, block: CellDayBlock, days: slice) -> Self:
        """Choose columns and take statistics over `days`; what is absent there is left out.

        Raises
        ------
        ValueError
            Where no series has values at all of lags 1 to 7.
        """
        found = sequence_columns(block.names)
        learnable = set(learnable_columns(block, days))
        static = [i for i in found.static_index if block.names[i] in learnable]
        index = np.concatenate([found.lag_index.ravel(), np.array(static, dtype=np.int64)])
        columns = tuple(block.names[i] for i in index)
        windows = _count_windows(columns)
        known = np.zeros(len(index), dtype=np.int64)
        total = np.zeros(len(index), dtype=np.float64)
        squares = np.zeros(len(index), dtype=np.float64)
        for day in range(days.start, days.stop):
            values = _logged(np.take(block.features[day], index, axis=1), windows).astype(
                np.float64
            )
            present = np.isfinite(values)
            values[~present] = 0
            known += present.sum(axis=0)
            total += values.sum(axis=0)
            squares += np.square(values).sum(axis=0)
        n_lags = found.lag_index.size
        whole = (known[:n_lags].reshape(SEQUENCE_DAYS, -1) > 0).all(axis=0)
        if not whole.any():
            raise ValueError("The LSTM needs a series with lags 1 to 7; all of them are absent.")
        keep = np.concatenate([np.tile(whole, SEQUENCE_DAYS), known[n_lags:] > 0])
        mean = total[keep] / known[keep]
        deviation = np.sqrt(np.maximum(squares[keep] / known[keep] - mean**2, 0))
        # A constant column becomes 0, not a division by 0.
        deviation[deviation < 1e-6] = 1
        return cls(
            tuple(name for name, kept in zip(columns, keep, strict=True) if kept),
            int(whole.sum()),
            mean.astype(np.float32),
            deviation.astype(np.float32),
        )

    @property
    def n_static(self) -> int:
        """Number of static columns S."""
        return len(self.columns) - SEQUENCE_DAYS * self.n_channels

    def positions(self, block: CellDayBlock) -> NDArray[np.int64]:
        """Position of each column among the block's features; see `column_positions`."""
        return column_positions(block, self.columns)

    def gather(
        self, matrix: NDArray[np.float32], rows: NDArray[np.int64], positions: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Sequences and static values of some cell-days.

        Parameters
        ----------
        matrix : float32, shape (D * C, F)
            All features of a block, a view.
        rows : int64, shape (B,)
            Row numbers.
        positions : int64
            From `positions` of the same block.

        Returns
        -------
        sequence : float32, shape (B, 7, N)
        static : float32, shape (B, S)
        """
        values = _logged(matrix[rows[:, None], positions], _count_windows(self.columns))
        scaled = np.nan_to_num((values - self.mean) / self.deviation, nan=0.0)
        np.clip(scaled, -_LARGEST_INPUT, _LARGEST_INPUT, out=scaled)
        n_lags = SEQUENCE_DAYS * self.n_channels
        sequence = scaled[:, :n_lags].reshape(len(rows), SEQUENCE_DAYS, self.n_channels)
        return sequence, scaled[:, n_lags:]

    def to_state(self) -> dict[str, Any]:
        """Give what `from_state` needs; float32 come back equal from JSON's doubles."""
        return {
            "columns": list(self.columns),
            "n_channels": self.n_channels,
            "mean": self.mean.tolist(),
            "deviation": self.deviation.tolist(),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Make the inputs that `to_state` described."""
        return cls(
            tuple(state["columns"]),
            int(state["n_channels"]),
            np.array(state["mean"], dtype=np.float32),
            np.array(state["deviation"], dtype=np.float32),
        )


def _logged(values: NDArray[np.float32], windows: NDArray[np.float32]) -> NDArray[np.float32]:
    """log(1 + count) of count columns with the sign kept, other columns as they are."""
    counts = windows > 0
    logged = values.copy()
    scaled = values[:, counts] * windows[counts]
    logged[:, counts] = np.sign(scaled) * np.log1p(np.abs(scaled))
    return logged
