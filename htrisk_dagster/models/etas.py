"""Self-exciting counts (ETAS): a background, and incidents that raise the rate near and after them.

Belongs here: the discrete model on cells and days, its estimation, the declustered background. Does
not: kernels on the lattice (`cell_lattice`), shrinkage (`shrinkage`), fixed weights of age and
distance (`prospective_hotspot`).

The intensity of cell i on day t is

    mu_i(t) = b_i w(t) + theta * sum over lags k = 1..28 of g(k) * sum over cells j of h(i, j) y_j(k)

with y_j(k) the incidents of cell j on the day k before the cutoff, g exponential with sum 1, h a
Gaussian of distance (own cell included) whose mass stays on cells, w a weekday. So theta is the
number of incidents that one incident sets off within the lags. Lags are counted from the cutoff:
with a publication lag of L days, excitation of the first L days after an incident is past before
anyone may know of it, and theta is what is left.

Estimation alternates (Zhuang, Ogata and Vere-Jones 2002; Mohler et al. 2011): given b, theta and the
level by expectation-maximisation within a search over decay and distance; given those, each
incident belongs to the background with a probability, and b is the shrunk surface of these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.features.catalogue import TARGET_LAGS
from htrisk_dagster.models.artifacts import json_bytes, json_state, npz_arrays, npz_bytes
from htrisk_dagster.models.cell_lattice import CellLattice
from htrisk_dagster.models.count_model import (
    FitResult,
    Progress,
    require_cells,
    require_columns,
    training_counts,
)
from htrisk_dagster.models.grid_search import climb_pair
from htrisk_dagster.models.prospective_hotspot import mixture
from htrisk_dagster.models.recent_history import (
    LAG_NAMES,
    exponential_weights,
    lagged,
    poisson_score,
)
from htrisk_dagster.models.shrinkage import (
    Neighbourhood,
    choose_neighbourhood,
    ratio_given,
    shrunk_ratio,
)
from htrisk_dagster.models.weekdays import weekday_multipliers, weekday_of

Array = NDArray[np.float64]

_ARRAYS_FILE, _STATE_FILE = "etas.npz", "etas.json"
HALF_LIVES_DAYS = (0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.7, 8.0, 11.0, 16.0, 32.0)
SIGMAS_CELLS = (0.2, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0)
_FIRST = (4.0, 0.7)
_ROUNDS = 3
# Decay and distance are searched on the newest of the training days.
_MOST_SEARCH_DAYS = 546
_LEAST_MONTHS = 5


def excitation(
    block: CellDayBlock, lattice: CellLattice, half_life_days: float, sigma_cells: float
) -> Array:
    """Incidents of the last 28 days, spread in time and space: offspring per unit theta, (D, C)."""
    weights = exponential_weights(half_life_days, TARGET_LAGS)
    return lattice.spread(lagged(block, weights / weights.sum()), sigma_cells)


@dataclass(frozen=True)
class BackgroundShape:
    """How far a cell's background is shrunk to the cells around it, and these to the city.

    Parameters
    ----------
    around : Neighbourhood
    cell_strength : float
        In incidents; inf where cells differ from the cells around them by chance alone.
    """

    around: Neighbourhood
    cell_strength: float

    @classmethod
    def chosen_on(cls, totals: Array, lattice: CellLattice) -> BackgroundShape:
        """Choose both by marginal likelihood of incidents by cell, shape (C,)."""
        expected = _by_land(totals, lattice)
        around, _ = choose_neighbourhood(totals, expected, lattice)
        expected = expected * around.ratio(totals, expected, lattice)
        return cls(around, shrunk_ratio(totals, expected)[1])

    def surface(self, totals: Array, lattice: CellLattice) -> Array:
        """Shrink incidents by cell, shape (..., C); all above 0."""
        expected = _by_land(totals, lattice)
        expected = expected * self.around.ratio(totals, expected, lattice)
        return expected * ratio_given(self.cell_strength, totals, expected)


def _by_land(totals: Array, lattice: CellLattice) -> Array:
    city = np.maximum(totals.sum(axis=-1, keepdims=True), 0.5)
    spread: Array = city * (lattice.land / lattice.land.sum())
    return spread


@dataclass
class ETAS:
    """Background by cell and weekday, plus what recent and near incidents set off.

    References
    ----------
    Mohler, G. et al. (2011). Self-exciting point process modeling of crime. JASA 106.
    Mohler, G. et al. (2015). Randomized controlled field trials of predictive policing. JASA 110.
    Zhuang, J., Ogata, Y. and Vere-Jones, D. (2002). Stochastic declustering of space-time earthquake
    occurrences. JASA 97.
    """

    name: ClassVar[str] = "etas"
    _background: Array = field(init=False, repr=False, default_factory=lambda: np.empty(0))
    _weekday: Array = field(init=False, repr=False, default_factory=lambda: np.ones(7))
    _lattice: CellLattice | None = field(init=False, repr=False, default=None)
    _theta: float = field(init=False, repr=False, default=0.0)
    _half_life: float = field(init=False, repr=False, default=_FIRST[0])
    _sigma: float = field(init=False, repr=False, default=_FIRST[1])

    def fit(self, block: CellDayBlock, *, seed: int, progress: Progress | None = None) -> FitResult:
        """Fit on all days of the block; nothing is drawn, so the seed changes nothing."""
        require_columns(self.name, block, LAG_NAMES)
        counts = training_counts(block)
        lattice = CellLattice.of_block(block, self.name)
        daily = counts.sum(axis=1, dtype=np.float64)
        mean_day = np.full(block.n_days, max(float(daily.mean()), 0.5 / block.n_days))
        self._weekday, strength = weekday_multipliers(block.days, daily, mean_day)
        weekday = self._weekday[weekday_of(block.days)][:, None]
        share = np.ones(counts.shape)
        for done in range(1, _ROUNDS + 1):
            background = weekday * _background_of_other_days(counts * share, lattice)
            newest = slice(max(block.n_days - _MOST_SEARCH_DAYS, 0), block.n_days)
            score = _profile(_days(block, newest), lattice, background[newest])
            start = _FIRST if done == 1 else (self._half_life, self._sigma)
            self._half_life, self._sigma = climb_pair(HALF_LIVES_DAYS, SIGMAS_CELLS, start, score)
            excited = np.maximum(excitation(block, lattice, self._half_life, self._sigma), 0)
            level, self._theta = mixture(counts, background, excited)
            own = level * background
            share = own / (own + self._theta * excited)
            if progress is not None:
                progress("self-excitation", done, _ROUNDS)
        totals = (counts * share).sum(axis=0, dtype=np.float64)
        surface = BackgroundShape.chosen_on(totals, lattice).surface(totals, lattice)
        # What excitation does not expect of the incidents counted is the background's.
        left = max(float(daily.sum() - self._theta * excited.sum()), 0.5)
        self._background = surface * (left / (surface.sum() * weekday.sum()))
        self._lattice = lattice
        params: dict[str, Any] = {
            "training_days": block.n_days,
            "training_incidents": int(daily.sum()),
            "branching_ratio": self._theta,
            "half_life_days": self._half_life,
            "sigma_cells": self._sigma,
            "background_share": float(self._background.sum() / mean_day[0]),
            "weekday_prior_incidents": strength,
        }
        return FitResult(params)

    def predict(self, block: CellDayBlock) -> Array:
        """Give expected counts, shape (D, C)."""
        require_cells(self.name, len(self._background), block)
        require_columns(self.name, block, LAG_NAMES)
        if self._lattice is None:
            raise ValueError(f"Model '{self.name}' is not fitted. Fit it before it predicts.")
        weekday = self._weekday[weekday_of(block.days)][:, None]
        excited = excitation(block, self._lattice, self._half_life, self._sigma)
        # Products of matrices may leave a trace below 0 far from every incident.
        expected: Array = weekday * self._background + self._theta * np.maximum(excited, 0)
        return expected

    def to_bytes(self) -> dict[str, bytes]:
        """One NPZ with background, weekdays and squares of the cells; the numbers as JSON."""
        lattice = {} if self._lattice is None else self._lattice.to_arrays()
        arrays = {"background": self._background, "weekday": self._weekday, **lattice}
        state = {
            "branching_ratio": self._theta,
            "half_life_days": self._half_life,
            "sigma_cells": self._sigma,
        }
        return {_ARRAYS_FILE: npz_bytes(arrays), _STATE_FILE: json_bytes(state)}

    @classmethod
    def from_bytes(cls, files: Mapping[str, bytes]) -> Self:
        """Read what `to_bytes` wrote."""
        arrays, state = npz_arrays(files[_ARRAYS_FILE]), json_state(files[_STATE_FILE])
        model = cls()
        model._background, model._weekday = arrays["background"], arrays["weekday"]
        model._lattice = CellLattice.from_arrays(arrays)
        model._theta = state["branching_ratio"]
        model._half_life, model._sigma = state["half_life_days"], state["sigma_cells"]
        return model


def _days(block: CellDayBlock, days: slice) -> CellDayBlock:
    return replace(
        block,
        days=block.days[days],
        features=block.features[days],
        counts=training_counts(block)[days],
    )


def _background_of_other_days(counts: Array, lattice: CellLattice) -> Array:
    """Background of each day from the incidents of all months but its own and those beside it.

    With its own month in it, a background that knows every cell takes for itself what recent
    incidents set off, and theta comes out near 0 whatever it is.

    Parameters
    ----------
    counts : float64, shape (D, C)
        Incidents, or the part of each that belongs to the background.

    Returns
    -------
    float64, shape (D, C)
        Incidents per day.
    """
    n_days = len(counts)
    shape = BackgroundShape.chosen_on(counts.sum(axis=0), lattice)
    month = np.arange(n_days) // TARGET_LAGS
    starts = np.flatnonzero(np.diff(month, prepend=-1))
    months = np.add.reduceat(counts, starts, axis=0)
    days = np.bincount(month).astype(np.float64)[:, None]
    if len(starts) < _LEAST_MONTHS:
        return np.tile(shape.surface(counts.sum(axis=0), lattice) / n_days, (n_days, 1))
    others = [total.sum(axis=0) - _with_neighbours(total) for total in (months, days)]
    surface = shape.surface(np.maximum(others[0], 0), lattice) / others[1]
    return np.repeat(surface, days[:, 0].astype(np.int64), axis=0)


def _with_neighbours(months: Array) -> Array:
    """Sum of each month, the one before and the one after, along the first axis."""
    padded = np.pad(months, ((1, 1), (0, 0)))
    total: Array = padded[:-2] + padded[1:-1] + padded[2:]
    return total


def _profile(
    block: CellDayBlock, lattice: CellLattice, background: Array
) -> Callable[[float, float], float]:
    """Log likelihood of a decay and a distance, at the best level and theta for them."""
    counts = training_counts(block)

    def score(half_life_days: float, sigma_cells: float) -> float:
        excited = np.maximum(excitation(block, lattice, half_life_days, sigma_cells), 0)
        level, theta = mixture(counts, background, excited)
        return poisson_score(counts, level * background + theta * excited)

    return score
