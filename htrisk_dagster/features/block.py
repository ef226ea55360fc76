"""`CellDayBlock`: features and counts of all cells for a run of days, as dense arrays.

Belongs here: the one shape in which features meet models. Does not: how a feature is made
(the modules beside this one), reading or writing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class CellDayBlock:
    """Dense block of D days x C cells x F features.

    Parameters
    ----------
    days : datetime64[D], shape (D,)
        Consecutive local days, the days the forecast is for.
    features : float32, shape (D, C, F)
        Known before each day's cutoff; NaN where a feature is absent.
    names : tuple of str, length F
        In the order of the last axis; `features.catalogue` describes each.
    precinct_index, borough_index : int32, shape (C,)
        0-based codes of each cell's precinct and borough.
    counts : float32, shape (D, C), or None
        Target incidents by day of occurrence; None where the truth must not be read.
    """

    days: NDArray[np.datetime64]
    features: NDArray[np.float32]
    names: tuple[str, ...]
    precinct_index: NDArray[np.int32]
    borough_index: NDArray[np.int32]
    counts: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        """Check that the shapes agree."""
        n_days, n_cells, n_features = self.features.shape
        if len(self.days) != n_days or len(self.names) != n_features:
            raise ValueError(
                f"Block of shape {self.features.shape} has {len(self.days)} days and {len(self.names)} names."
            )
        if self.precinct_index.shape != (n_cells,) or self.borough_index.shape != (n_cells,):
            raise ValueError(
                f"Block of {n_cells} cells has {self.precinct_index.shape} precinct codes."
            )
        if self.counts is not None and self.counts.shape != (n_days, n_cells):
            raise ValueError(
                f"Block of shape {self.features.shape} has counts {self.counts.shape}."
            )

    @property
    def n_days(self) -> int:
        """Number of days D."""
        return len(self.days)

    @property
    def n_cells(self) -> int:
        """Number of cells C."""
        return len(self.precinct_index)

    def column(self, name: str) -> NDArray[np.float32]:
        """Feature `name` as an array of shape (D, C)."""
        return self.features[:, :, self.names.index(name)]

    def between(self, start: np.datetime64, stop: np.datetime64) -> CellDayBlock:
        """Days from `start` up to, not including, `stop`; arrays are views."""
        low, high = np.searchsorted(self.days, [start, stop])
        return self.at(slice(int(low), int(high)))

    def at(self, days: slice) -> CellDayBlock:
        """Days by their position; arrays are views."""
        counts = None if self.counts is None else self.counts[days]
        return replace(self, days=self.days[days], features=self.features[days], counts=counts)

    def select(self, names: Sequence[str]) -> CellDayBlock:
        """The same days with some of the features, copied so that they lie side by side."""
        if tuple(names) == self.names:
            return self
        positions = [self.names.index(name) for name in names]
        # `features[:, :, positions]` takes five times as long, and lays features before days.
        return replace(self, features=np.take(self.features, positions, axis=2), names=tuple(names))

    def without_truth(self) -> CellDayBlock:
        """The same block with `counts` removed, to hand to a forecaster."""
        return replace(self, counts=None)
