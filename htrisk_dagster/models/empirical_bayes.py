"""Hierarchical empirical Bayes: cells shrunk to neighbours, precinct, borough, city and covariates.

Belongs here: the order of levels, from covariates down to the cell, and what multiplies them. Does
not: the covariates (`covariate_prior`), shrinkage of one level (`shrinkage`), weekdays
(`weekdays`), the last weeks (`recency`).

For rare events most cells have 0 or 1 incident, and the historical mean is mostly noise. Levels go
from city to borough to precinct to the cells around to the cell, each taking as expected what the
level above left: a smoothed standardised ratio times what common incidents let expect. Above the
cell none counts the cell's own incidents, so that they are believed once; where pooling to precinct
or borough makes cells less likely given the cells around them, it is left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.models.artifacts import json_bytes, json_state, npz_arrays, npz_bytes
from htrisk_dagster.models.cell_lattice import PLACE_COLUMNS, CellLattice
from htrisk_dagster.models.count_model import FitResult, Progress, require_cells, training_counts
from htrisk_dagster.models.covariate_prior import LEVEL_SUFFIX, covariate_matrix, expected_totals
from htrisk_dagster.models.recency import CITY_COLUMN, Recency, choose_recency
from htrisk_dagster.models.recent_history import LAG_NAMES, WINDOW_NAMES, later_days
from htrisk_dagster.models.shrinkage import (
    Neighbourhood,
    choose_neighbourhood,
    marginal_likelihood,
    ratio_of_others,
    shrunk_ratio,
)
from htrisk_dagster.models.weekdays import weekday_multipliers, weekday_of

Array = NDArray[np.float64]

_ARRAYS_FILE, _STATE_FILE = "empirical_bayes.npz", "empirical_bayes.json"


@dataclass
class EmpiricalBayes:
    """Gamma-Poisson shrinkage of cell rates, times a weekday and what the last weeks say."""

    name: ClassVar[str] = "empirical_bayes"
    _rates: Array = field(init=False, repr=False, default_factory=lambda: np.empty(0))
    _weekday: Array = field(init=False, repr=False, default_factory=lambda: np.ones(7))
    _recency: Recency = field(init=False, repr=False, default_factory=Recency)
    _lattice: CellLattice | None = field(init=False, repr=False, default=None)

    def fit(self, block: CellDayBlock, *, seed: int, progress: Progress | None = None) -> FitResult:
        """Fit on all days of the block; nothing is drawn, so the seed changes nothing.

        A block without positions `x_km` and `y_km` is fitted without neighbours.
        """
        counts = training_counts(block)
        # Its sums are those of a block that has nothing else, to the last digit.
        block = block.select(columns_read(block.names))
        has_places = "x_km" in block.names and "y_km" in block.names
        lattice = CellLattice.of_block(block, self.name) if has_places else None
        self._lattice = lattice
        self._recency = _later_recency(block, lattice)
        if progress is not None:
            progress("empirical Bayes", 1, 2)
        self._rates, levels = static_rates(block, lattice)
        daily = counts.sum(axis=1, dtype=np.float64)
        self._weekday, strength = weekday_multipliers(
            block.days, daily, np.full(block.n_days, self._rates.sum())
        )
        if progress is not None:
            progress("empirical Bayes", 2, 2)
        params: dict[str, Any] = {
            "training_days": block.n_days,
            "training_incidents": int(daily.sum()),
            **levels,
            "weekday_prior_incidents": strength,
            **{f"recency_{name}": value for name, value in asdict(self._recency).items()},
        }
        return FitResult(params)

    def predict(self, block: CellDayBlock) -> Array:
        """Give expected counts, shape (D, C)."""
        require_cells(self.name, len(self._rates), block)
        block = block.select(columns_read(block.names))
        weekday = self._weekday[weekday_of(block.days)][:, None]
        moved = self._recency.multipliers(block, self._rates, self._lattice)
        expected: Array = weekday * self._rates * moved
        return expected

    def to_bytes(self) -> dict[str, bytes]:
        """One NPZ with rates, weekdays and squares of the cells; the last weeks' strengths as JSON."""
        arrays = {"rates": self._rates, "weekday": self._weekday}
        if self._lattice is not None:
            arrays |= self._lattice.to_arrays()
        # JSON has no infinity.
        recency = {n: None if v == math.inf else v for n, v in asdict(self._recency).items()}
        return {_ARRAYS_FILE: npz_bytes(arrays), _STATE_FILE: json_bytes({"recency": recency})}

    @classmethod
    def from_bytes(cls, files: Mapping[str, bytes]) -> Self:
        """Read what `to_bytes` wrote."""
        arrays, state = npz_arrays(files[_ARRAYS_FILE]), json_state(files[_STATE_FILE])
        model = cls()
        model._rates, model._weekday = arrays["rates"], arrays["weekday"]
        model._lattice = CellLattice.from_arrays(arrays) if "row" in arrays else None
        recency: dict[str, Any] = {
            n: math.inf if v is None else v for n, v in state["recency"].items()
        }
        model._recency = Recency(**recency)
        return model


def columns_read(names: Sequence[str]) -> list[str]:
    """Features, of those named, that a fit reads."""
    wanted = {*LAG_NAMES, *WINDOW_NAMES, CITY_COLUMN, *PLACE_COLUMNS}
    return [name for name in names if name in wanted or name.endswith(LEVEL_SUFFIX)]


def static_rates(
    block: CellDayBlock, lattice: CellLattice | None
) -> tuple[Array, dict[str, float | str]]:
    """Incidents per day of each cell, and what each level of pooling came to.

    Parameters
    ----------
    block : CellDayBlock
        With counts.
    lattice : CellLattice or None
        Where the cells lie; without it, cells are not pooled with the cells around.

    Returns
    -------
    rates : float64, shape (C,)
        Above 0.
    params : dict
        Covariates, and the strength of each level in incidents.
    """
    totals = training_counts(block).sum(axis=0, dtype=np.float64)
    names, covariates = covariate_matrix(block, lattice)
    expected, prior_sd = expected_totals(totals, covariates)
    params: dict[str, float | str] = {
        "covariates": ", ".join(names),
        "coefficient_prior_sd": prior_sd,
    }
    best = -math.inf
    start = expected
    for level, unit in (
        ("city", None),
        ("borough", block.borough_index),
        ("precinct", block.precinct_index),
    ):
        if unit is not None:
            codes = np.unique(unit, return_inverse=True)[1]
            ratio, strength = ratio_of_others(codes, totals, start)
            start = start * ratio
            params[f"{level}_prior_incidents"] = strength
        around, score = _around(totals, start, lattice)
        if score > best:
            best = score
            expected = (
                start * around.ratio(totals, start, lattice) if lattice is not None else start
            )
            params |= {
                "pooled_to": level,
                "around_prior_incidents": around.strength,
                "around_bandwidth_cells": around.bandwidth_cells,
            }
    ratio, params["cell_prior_incidents"] = shrunk_ratio(totals, expected)
    return expected * ratio / block.n_days, params


def _around(
    totals: Array, expected: Array, lattice: CellLattice | None
) -> tuple[Neighbourhood, float]:
    if lattice is None:
        return Neighbourhood(0.0, math.inf), marginal_likelihood(totals, expected)
    return choose_neighbourhood(totals, expected, lattice)


def _later_recency(block: CellDayBlock, lattice: CellLattice | None) -> Recency:
    """What the last weeks are worth, from later days forecast by rates of the days before."""
    earlier, later = later_days(block)
    if earlier is block:
        return Recency()
    rates, _ = static_rates(earlier, lattice)
    daily = training_counts(earlier).sum(axis=1, dtype=np.float64)
    mean_day = np.full(earlier.n_days, rates.sum())
    weekday, _ = weekday_multipliers(earlier.days, daily, mean_day)
    return choose_recency(later, rates, weekday[weekday_of(later.days)][:, None], lattice)
