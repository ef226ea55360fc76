"""Historical mean: each cell's training mean, the baseline every table shows.

Belongs here: the per-cell mean and what a cell without incidents gets. Does not: pooling over
precincts or covariates (`empirical_bayes`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.models.artifacts import npz_arrays, npz_bytes
from htrisk_dagster.models.count_model import FitResult, Progress, require_cells, training_counts

_FILE = "historical_mean.npz"


def mean_rates(totals: NDArray[np.float64], n_days: int) -> NDArray[np.float64]:
    """Incidents per day of each cell, all above 0.

    A mean of exactly 0 makes the Poisson deviance infinite at the first new incident, and a tiny
    constant would make the baseline a straw man. Robbins (1956) gives the rate of cells never hit
    without any prior: E[sum of rates of cells with 0 incidents] = E[cells with 1 incident] / days.
    They share that, but no cell more than half an incident, so that none outranks a cell that was
    hit. All rates are then scaled so that the city's total stays what it was.

    Parameters
    ----------
    totals : float64, shape (C,)
        Incidents of each cell over the training days.
    n_days : int
        Training days.

    References
    ----------
    Robbins, H. (1956). An empirical Bayes approach to statistics. Proc. Third Berkeley Symposium.
    """
    never_hit = totals == 0
    # At least half an incident for all never-hit cells together, where none was hit just once.
    once = max(float(np.count_nonzero(totals == 1)), 0.5)
    floor = min(0.5, once / max(int(np.count_nonzero(never_hit)), 1))
    raised = np.where(never_hit, floor, totals)
    # A city without incidents keeps the floor: there is no total to scale to.
    share = totals.sum() / raised.sum() if totals.any() else 1.0
    return np.asarray(raised * share / n_days, dtype=np.float64)


@dataclass
class HistoricalMean:
    """Each cell's training mean for every day alike."""

    name: ClassVar[str] = "historical_mean"
    _rates: NDArray[np.float64] = field(
        init=False, repr=False, default_factory=lambda: np.empty(0, dtype=np.float64)
    )

    def fit(self, block: CellDayBlock, *, seed: int, progress: Progress | None = None) -> FitResult:
        """Fit on all days of the block; nothing is drawn, so the seed changes nothing."""
        totals = training_counts(block).sum(axis=0, dtype=np.float64)
        self._rates = mean_rates(totals, block.n_days)
        if progress is not None:
            progress("historical mean", 1, 1)
        params: dict[str, Any] = {
            "training_days": block.n_days,
            "training_incidents": int(totals.sum()),
            "cells_never_hit": int(np.count_nonzero(totals == 0)),
        }
        return FitResult(params)

    def predict(self, block: CellDayBlock) -> NDArray[np.float64]:
        """Give expected counts, shape (D, C)."""
        require_cells(self.name, len(self._rates), block)
        return np.tile(self._rates, (block.n_days, 1))

    def to_bytes(self) -> dict[str, bytes]:
        """One NPZ with the rate of each cell."""
        return {_FILE: npz_bytes({"rates": self._rates})}

    @classmethod
    def from_bytes(cls, files: Mapping[str, bytes]) -> Self:
        """Read what `to_bytes` wrote."""
        model = cls()
        model._rates = npz_arrays(files[_FILE])["rates"]
        return model
