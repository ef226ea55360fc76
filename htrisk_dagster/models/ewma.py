"""Exponentially weighted mean of each cell: the historical mean that forgets.

Belongs here: half-life, floor and level. Does not: the weights on a block's columns
(`recent_history`), smoothing over cells (`kde_ewma`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.models.artifacts import json_bytes, json_state, npz_arrays, npz_bytes
from htrisk_dagster.models.count_model import FitResult, Progress, require_cells, training_counts
from htrisk_dagster.models.historical_mean import mean_rates
from htrisk_dagster.models.recent_history import (
    RecentHistory,
    later_days,
    level_of,
    poisson_score,
)

Array = NDArray[np.float64]

_ARRAYS_FILE, _STATE_FILE = "ewma.npz", "ewma.json"
HALF_LIVES_DAYS = (7.0, 14.0, 28.0, 56.0, 112.0, 224.0, 448.0, 896.0)


def floored_mean(history: RecentHistory, half_life_days: float, rates: Array) -> Array:
    """Weighted mean of each cell-day, none below what a cell never hit is due.

    Parameters
    ----------
    history : RecentHistory
        Of D days and C cells.
    half_life_days : float
    rates : float64, shape (C,)
        Of `mean_rates`: the days before the windows, and by its smallest value the floor.
    """
    mean: Array = np.maximum(history.weighted_mean(half_life_days, rates), rates.min())
    return mean


@dataclass
class EWMA:
    """Each cell's exponentially weighted mean as of the day's cutoff.

    The half-life is the one under which the last third of the training days is likeliest, each day
    forecast from what was known before it.
    """

    name: ClassVar[str] = "ewma"
    _rates: Array = field(init=False, repr=False, default_factory=lambda: np.empty(0))
    _half_life: float = field(init=False, repr=False, default=HALF_LIVES_DAYS[-1])
    _level: float = field(init=False, repr=False, default=1.0)

    def fit(self, block: CellDayBlock, *, seed: int, progress: Progress | None = None) -> FitResult:
        """Fit on all days of the block; nothing is drawn, so the seed changes nothing."""
        totals = training_counts(block).sum(axis=0, dtype=np.float64)
        earlier, later = later_days(block)
        before = training_counts(earlier).sum(axis=0, dtype=np.float64)
        rates = mean_rates(before, earlier.n_days)
        truth = training_counts(later)
        history = RecentHistory.of_block(later, self.name)
        scores, levels = {}, {}
        for done, half_life in enumerate(HALF_LIVES_DAYS, start=1):
            mean = floored_mean(history, half_life, rates)
            levels[half_life] = level_of(truth, mean)
            scores[half_life] = poisson_score(truth, mean * levels[half_life])
            if progress is not None:
                progress("half-lives", done, len(HALF_LIVES_DAYS))
        self._half_life = max(scores, key=lambda half_life: scores[half_life])
        self._level = levels[self._half_life]
        self._rates = mean_rates(totals, block.n_days)
        params: dict[str, Any] = {
            "training_days": block.n_days,
            "training_incidents": int(totals.sum()),
            "half_life_days": self._half_life,
            "level": self._level,
        }
        return FitResult(params)

    def predict(self, block: CellDayBlock) -> Array:
        """Give expected counts, shape (D, C)."""
        require_cells(self.name, len(self._rates), block)
        history = RecentHistory.of_block(block, self.name)
        return floored_mean(history, self._half_life, self._rates) * self._level

    def to_bytes(self) -> dict[str, bytes]:
        """One NPZ with the long-run rate of each cell; half-life and level as JSON."""
        state = {"half_life_days": self._half_life, "level": self._level}
        return {_ARRAYS_FILE: npz_bytes({"rates": self._rates}), _STATE_FILE: json_bytes(state)}

    @classmethod
    def from_bytes(cls, files: Mapping[str, bytes]) -> Self:
        """Read what `to_bytes` wrote."""
        model = cls()
        model._rates = npz_arrays(files[_ARRAYS_FILE])["rates"]
        state = json_state(files[_STATE_FILE])
        model._half_life, model._level = state["half_life_days"], state["level"]
        return model
