"""How often each class was, by place: what a classifier of the offence mix must beat.

Belongs here: smoothed shares by one place after the other. Does not: the classifier
(`offence_mix`).

Each level's shares are pulled toward those of the level above as by so many rows: a Dirichlet prior
whose mean is the coarser place's share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass
class PlacePrior:
    """Class shares of all rows, of the first column's places, of the first two columns', and so on.

    Parameters
    ----------
    columns : sequence of int
        Columns of the contexts, the coarser place first; none is the share of all rows.
    n_classes : int
    pulled_by_rows : float
        Rows of the coarser place that each finer one is given.
    """

    columns: Sequence[int]
    n_classes: int
    pulled_by_rows: float = 5.0
    _shares: list[dict[tuple[float, ...], Array]] = field(init=False, repr=False)

    def fit(self, contexts: Array, labels: NDArray[np.int64]) -> PlacePrior:
        """Count and smooth; return the model itself."""
        counts = np.bincount(labels, minlength=self.n_classes) + 1 / self.n_classes
        self._shares = [{(): counts / counts.sum()}]
        for depth in range(1, len(self.columns) + 1):
            keys, group = np.unique(
                contexts[:, list(self.columns[:depth])], axis=0, return_inverse=True
            )
            tallies = np.zeros((len(keys), self.n_classes))
            np.add.at(tallies, (group.ravel(), labels), 1.0)
            above = self._shares[-1]
            self._shares.append({
                tuple(key): (tally + self.pulled_by_rows * above[tuple(key[:-1])])
                / (tally.sum() + self.pulled_by_rows)
                for key, tally in zip(keys.tolist(), tallies, strict=True)
            })  # fmt: skip
        return self

    def predict(self, contexts: Array) -> Array:
        """Shares at each context's place, or at the finest coarser one that was seen, (n, K)."""
        keys, group = np.unique(contexts[:, list(self.columns)], axis=0, return_inverse=True)
        by_key = np.array([self._share(tuple(key)) for key in keys.tolist()])
        return np.asarray(by_key.reshape(len(keys), self.n_classes)[group.ravel()])

    def _share(self, key: tuple[float, ...]) -> Array:
        for depth in range(len(key), -1, -1):
            if key[:depth] in self._shares[depth]:
                return self._shares[depth][key[:depth]]
        raise AssertionError("the share of all rows is always there")
