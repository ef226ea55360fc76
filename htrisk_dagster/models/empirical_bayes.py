"""Hierarchical empirical Bayes: cells shrunk to precinct, borough, city and covariates.

Belongs here: the gamma-Poisson hierarchy and weekday multipliers. Does not: the covariates of the
prior (`covariate_prior`), the negative binomial itself (`count_distribution`).

For rare events most cells have 0 or 1 incident, and the historical mean is mostly noise. Here a
unit with y incidents where e were expected gets the ratio (k + y) / (k + e): the posterior mean of
theta ~ Gamma(k, k) under y ~ Poisson(e theta). The strength k, in incidents, maximises the negative
binomial marginal likelihood over all units of a level (Clayton and Kaldor 1987). Levels go from
borough to precinct to cell, each taking as expected what the level above left.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.models.artifacts import npz_arrays, npz_bytes
from htrisk_dagster.models.count_distribution import estimate_dispersion
from htrisk_dagster.models.count_model import FitResult, Progress, require_cells, training_counts
from htrisk_dagster.models.covariate_prior import covariate_matrix, expected_totals

_FILE = "empirical_bayes.npz"


def shrunk_ratio(
    observed: NDArray[np.float64], expected: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Posterior mean ratio of observed to expected for each unit of one level.

    Parameters
    ----------
    observed, expected : float64, shape (U,)
        Incidents counted, and expected by the level above (above 0), of each unit.

    Returns
    -------
    ratio : float64, shape (U,)
        (k + observed) / (k + expected), all above 0.
    strength : float
        k, in incidents; inf where the units differ no more than chance, and all ratios are 1.

    References
    ----------
    Clayton, D. and Kaldor, J. (1987). Empirical Bayes estimates of age-standardized relative risks
    for use in disease mapping. Biometrics 43.
    """
    strength = estimate_dispersion(observed, expected)
    if math.isinf(strength):
        return np.ones_like(observed), strength
    return (strength + observed) / (strength + expected), strength


def weekday_of(days: NDArray[np.datetime64]) -> NDArray[np.int64]:
    """Weekday of each day, Monday 0 to Sunday 6."""
    # Day 0 of the epoch, 1970-01-01, was a Thursday.
    return (days.astype("datetime64[D]").astype(np.int64) + 3) % 7


@dataclass
class EmpiricalBayes:
    """Gamma-Poisson shrinkage of cell rates, times a weekday multiplier."""

    name: ClassVar[str] = "empirical_bayes"
    _rates: NDArray[np.float64] = field(
        init=False, repr=False, default_factory=lambda: np.empty(0, dtype=np.float64)
    )
    _weekday: NDArray[np.float64] = field(
        init=False, repr=False, default_factory=lambda: np.ones(7, dtype=np.float64)
    )

    def fit(self, block: CellDayBlock, *, seed: int, progress: Progress | None = None) -> FitResult:
        """Fit on all days of the block; nothing is drawn, so the seed changes nothing."""
        counts = training_counts(block)
        totals = counts.sum(axis=0, dtype=np.float64)
        names, covariates = covariate_matrix(block)
        expected = expected_totals(totals, covariates)
        params: dict[str, Any] = {
            "training_days": block.n_days,
            "training_incidents": int(totals.sum()),
            "covariates": ", ".join(names),
        }
        levels: tuple[tuple[str, NDArray[Any]], ...] = (
            ("borough", block.borough_index),
            ("precinct", block.precinct_index),
            ("cell", np.arange(block.n_cells)),
        )
        for done, (level, codes) in enumerate(levels, start=1):
            unit = np.unique(codes, return_inverse=True)[1]
            ratio, strength = shrunk_ratio(_sums(unit, totals), _sums(unit, expected))
            expected = expected * ratio[unit]
            params[f"{level}_prior_incidents"] = strength
            if progress is not None:
                progress("empirical Bayes levels", done, len(levels))
        self._rates = expected / block.n_days
        self._weekday, params["weekday_prior_incidents"] = self._weekday_multipliers(block, counts)
        return FitResult(params)

    def _weekday_multipliers(
        self, block: CellDayBlock, counts: NDArray[np.float32]
    ) -> tuple[NDArray[np.float64], float]:
        """Multiplier of each weekday, Monday first, with mean 1 over the training days."""
        weekday = weekday_of(block.days)
        n_days = np.bincount(weekday, minlength=7).astype(np.float64)
        observed = _sums(weekday, counts.sum(axis=1, dtype=np.float64), at_least=7)
        ratio, strength = shrunk_ratio(observed, n_days * self._rates.sum())
        return ratio / np.average(ratio, weights=n_days), strength

    def predict(self, block: CellDayBlock) -> NDArray[np.float64]:
        """Give expected counts, shape (D, C)."""
        require_cells(self.name, len(self._rates), block)
        return self._weekday[weekday_of(block.days)][:, None] * self._rates

    def to_bytes(self) -> dict[str, bytes]:
        """One NPZ with the rate of each cell and the seven multipliers."""
        return {_FILE: npz_bytes({"rates": self._rates, "weekday": self._weekday})}

    @classmethod
    def from_bytes(cls, files: Mapping[str, bytes]) -> Self:
        """Read what `to_bytes` wrote."""
        arrays = npz_arrays(files[_FILE])
        model = cls()
        model._rates, model._weekday = arrays["rates"], arrays["weekday"]
        return model


def _sums(
    unit: NDArray[np.int64], values: NDArray[np.float64], at_least: int = 0
) -> NDArray[np.float64]:
    """Sum of the values of each unit."""
    return np.bincount(unit, values, minlength=at_least).astype(np.float64)
