"""Risk terrain: a map from features of places alone, with relative risk values.

Belongs here: which features describe a place, and the map. Does not: the regression
(`poisson_regression`), a place's own history of the target (`empirical_bayes`).

Risk terrain modelling (Caplan and Kennedy 2010) explains counts by what is around: a Poisson
regression whose exp(coefficient) is the relative risk value of a feature, here for one standard
deviation of it. The target's own past does not enter, so the map also holds where nothing was
reported yet, and does not change from day to day.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.features.catalogue import ALL_INCIDENTS, EVENT_RADIUS_M
from htrisk_dagster.models.artifacts import npz_arrays, npz_bytes
from htrisk_dagster.models.count_model import FitResult, Progress, require_cells, training_counts
from htrisk_dagster.models.covariate_prior import (
    SERIES_FORMS,
    day_mean,
    log_land,
    log_level,
    series_levels,
    standardised,
)
from htrisk_dagster.models.poisson_regression import RidgeFit, fit_by_evidence

Array = NDArray[np.float64]

_FILE = "risk_terrain.npz"
_EVENTS = f"events_radius_{EVENT_RADIUS_M}m_count"


def place_features(block: CellDayBlock) -> tuple[tuple[str, ...], Array]:
    """Features of each place, averaged over the block's days and standardised over cells.

    The incidents of every other series in the cell, in the cells around and in the precinct over
    364 days, without the target's, and permitted events nearby, as logs; and the share of land. See
    `series_levels` and `standardised`.

    Returns
    -------
    names : tuple of str, length K
    values : float64, shape (C, K)
    """
    return standardised(_features(block), block.n_cells)


def _features(block: CellDayBlock) -> Iterator[tuple[str, Array]]:
    for form in SERIES_FORMS:
        levels = series_levels(block, form)
        whole = form.format(ALL_INCIDENTS)
        for name, level in levels.items():
            # The sum of all series tells nothing beside them, and their relative risks would not
            # be those of one more incident.
            if name != whole or len(levels) == 1:
                yield name, log_level(level)
    if _EVENTS in block.names:
        yield _EVENTS, log_level(day_mean(block, _EVENTS))
    if "land_share" in block.names:
        yield "land_share", log_land(block)


@dataclass
class RiskTerrain:
    """Poisson regression on place features, the same for every day.

    The coefficients have a normal prior around 0; its standard deviation, `coefficient_prior_sd` of
    the fit, is the one of highest evidence.

    References
    ----------
    Caplan, J. and Kennedy, L. (2010). Risk terrain modeling manual. Rutgers Center on Public
    Security.
    """

    name: ClassVar[str] = "risk_terrain"
    _rates: Array = field(init=False, repr=False, default_factory=lambda: np.empty(0))

    def fit(self, block: CellDayBlock, *, seed: int, progress: Progress | None = None) -> FitResult:
        """Fit on all days of the block; nothing is drawn, so the seed changes nothing.

        `params` hold the relative risk value of each feature as `relative_risk_<feature>`.
        """
        totals = training_counts(block).sum(axis=0, dtype=np.float64)
        names, features = place_features(block)
        city = max(float(totals.sum()), 0.5)
        if names and totals.any():
            fit = fit_by_evidence(totals, features)
        else:
            fit = RidgeFit(0.0, np.zeros(len(names)), 0.0, 0.0)
        expected = fit.expected(features)
        self._rates = expected * (city / expected.sum()) / block.n_days
        if progress is not None:
            progress("risk terrain", 1, 1)
        params: dict[str, Any] = {
            "training_days": block.n_days,
            "training_incidents": int(totals.sum()),
            "coefficient_prior_sd": fit.prior_sd,
            **{
                f"relative_risk_{name}": math.exp(float(b))
                for name, b in zip(names, fit.coefficients, strict=True)
            },
        }
        return FitResult(params)

    def predict(self, block: CellDayBlock) -> Array:
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
