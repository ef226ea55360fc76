"""Kernel density of an exponentially weighted history: the strongest of the simple rivals.

Belongs here: bandwidth and half-life tuned together, weekdays, the level. Does not: the weights on
a block's columns (`recent_history`), the kernel (`kde`, `cell_lattice`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.models.artifacts import json_bytes, json_state, npz_arrays, npz_bytes
from htrisk_dagster.models.cell_lattice import CellLattice
from htrisk_dagster.models.count_model import FitResult, Progress, require_cells, training_counts
from htrisk_dagster.models.ewma import HALF_LIVES_DAYS
from htrisk_dagster.models.grid_search import climb_pair
from htrisk_dagster.models.kde import BANDWIDTHS_CELLS, density
from htrisk_dagster.models.recent_history import (
    RecentHistory,
    later_days,
    level_of,
    poisson_score,
)
from htrisk_dagster.models.weekdays import weekday_multipliers, weekday_of

Array = NDArray[np.float64]

_ARRAYS_FILE, _STATE_FILE = "kde_ewma.npz", "kde_ewma.json"
# From the middle of both grids.
_FIRST = (112.0, 1.0)


@dataclass
class KDEEWMA:
    """Smoothed, exponentially weighted history as of the day's cutoff, times a weekday.

    Half-life and bandwidth are those under which the last third of the training days is likeliest,
    each day forecast from what was known before it; each is searched given the other until neither
    changes.
    """

    name: ClassVar[str] = "kde_ewma"
    _older: Array = field(init=False, repr=False, default_factory=lambda: np.empty(0))
    _weekday: Array = field(init=False, repr=False, default_factory=lambda: np.ones(7))
    _lattice: CellLattice | None = field(init=False, repr=False, default=None)
    _n_days: int = field(init=False, repr=False, default=1)
    _half_life: float = field(init=False, repr=False, default=_FIRST[0])
    _bandwidth: float = field(init=False, repr=False, default=_FIRST[1])
    _level: float = field(init=False, repr=False, default=1.0)

    def fit(self, block: CellDayBlock, *, seed: int, progress: Progress | None = None) -> FitResult:
        """Fit on all days of the block; nothing is drawn, so the seed changes nothing."""
        counts = training_counts(block)
        lattice = CellLattice.of_block(block, self.name)
        earlier, later = later_days(block)
        truth = training_counts(later)
        history = RecentHistory.of_block(later, self.name)
        older = training_counts(earlier).mean(axis=0, dtype=np.float64)
        daily = counts.sum(axis=1, dtype=np.float64)
        mean_day = np.full(block.n_days, max(float(daily.mean()), 0.5 / block.n_days))
        self._weekday, strength = weekday_multipliers(block.days, daily, mean_day)
        weekday = self._weekday[weekday_of(later.days)][:, None]

        def forecast(half_life: float, bandwidth: float) -> Array:
            weighted = history.weighted_mean(half_life, older)
            mean: Array = weekday * _smoothed(weighted, lattice, bandwidth, block.n_days)
            return mean

        def score(half_life: float, bandwidth: float) -> float:
            mean = forecast(half_life, bandwidth)
            return poisson_score(truth, mean * level_of(truth, mean))

        half_life, bandwidth = climb_pair(HALF_LIVES_DAYS, BANDWIDTHS_CELLS, _FIRST, score)
        self._lattice, self._n_days = lattice, block.n_days
        self._half_life, self._bandwidth = half_life, bandwidth
        self._level = level_of(truth, forecast(half_life, bandwidth))
        self._older = counts.mean(axis=0, dtype=np.float64)
        if progress is not None:
            progress("kernel density of recent days", 1, 1)
        params: dict[str, Any] = {
            "training_days": block.n_days,
            "training_incidents": int(daily.sum()),
            "half_life_days": half_life,
            "bandwidth_cells": bandwidth,
            "level": self._level,
            "weekday_prior_incidents": strength,
        }
        return FitResult(params)

    def predict(self, block: CellDayBlock) -> Array:
        """Give expected counts, shape (D, C)."""
        require_cells(self.name, len(self._older), block)
        if self._lattice is None:
            raise ValueError("Model 'kde_ewma' is not fitted. Fit it before it predicts.")
        weighted = RecentHistory.of_block(block, self.name).weighted_mean(
            self._half_life, self._older
        )
        mean = _smoothed(weighted, self._lattice, self._bandwidth, self._n_days)
        expected: Array = self._level * self._weekday[weekday_of(block.days)][:, None] * mean
        return expected

    def to_bytes(self) -> dict[str, bytes]:
        """One NPZ with long-run rates, weekdays and squares of the cells; the numbers as JSON."""
        lattice = {} if self._lattice is None else self._lattice.to_arrays()
        arrays = {"older": self._older, "weekday": self._weekday, **lattice}
        state = {
            "training_days": self._n_days,
            "half_life_days": self._half_life,
            "bandwidth_cells": self._bandwidth,
            "level": self._level,
        }
        return {_ARRAYS_FILE: npz_bytes(arrays), _STATE_FILE: json_bytes(state)}

    @classmethod
    def from_bytes(cls, files: Mapping[str, bytes]) -> Self:
        """Read what `to_bytes` wrote."""
        arrays, state = npz_arrays(files[_ARRAYS_FILE]), json_state(files[_STATE_FILE])
        model = cls()
        model._older, model._weekday = arrays["older"], arrays["weekday"]
        model._lattice = CellLattice.from_arrays(arrays)
        model._n_days, model._level = state["training_days"], state["level"]
        model._half_life, model._bandwidth = state["half_life_days"], state["bandwidth_cells"]
        return model


def _smoothed(rates: Array, lattice: CellLattice, bandwidth_cells: float, n_days: int) -> Array:
    """Density of each day's rates (D, C); half an incident in `n_days` is spread evenly."""
    return density(rates * n_days, lattice, bandwidth_cells) / n_days
