"""Recalibration on a later block: level and slope of a forecast, from days after its training.

Belongs here: what blind folds say of a forecast's level and slope, and the corrected forecast. Does
not: the calibration line as a metric (`calibration`), weights over models (`stacking`).

    log E' = log E + level + (slope - 1) (log E - centre) + borough

Fitted by Poisson likelihood on forecasts of blind folds, which lie after what each was trained on
(Cox 1958, doi 10.1093/biomet/45.3-4.562). Slope and boroughs have normal priors at "no correction":
slope 1 with standard deviation 0.1, each borough 0 with 0.03. At a spread of log E of 1 a hundred
incidents weigh as much as the prior of the slope, and eleven hundred as much as that of a borough;
with few the forecast stays as it is. Of the level only what lasts beyond a season is corrected
(`poisson_posterior.lasting_level`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.evaluation.poisson_posterior import (
    lasting_level,
    posterior_mode,
    weekly_overdispersion,
)
from htrisk_dagster.evaluation.scored_fold import ScoredFold, known_before

Array = NDArray[np.float64]

_SLOPE_SD = 0.1
_BOROUGH_SD = 0.03


@dataclass(frozen=True)
class Recalibration:
    """Correction of a forecast on the log scale.

    Parameters
    ----------
    level : float
        Added to log E; exp(level) multiplies what is expected at the centre.
    slope : float
        Of log E' in log E; under 1 where the forecast was too sure.
    centre : float
        log E at which the slope changes nothing.
    boroughs : tuple of float
        Added by borough, in order of its code; empty for none.
    """

    level: float = 0.0
    slope: float = 1.0
    centre: float = 0.0
    boroughs: tuple[float, ...] = ()

    def apply(self, expected: Array, borough_index: NDArray[np.integer]) -> Array:
        """Corrected expected counts, shape (D, C); where nothing is corrected, equal to the bit.

        Parameters
        ----------
        expected : float64, shape (D, C)
        borough_index : int, shape (C,)
            0-based code of each cell's borough, as in `CellDayBlock`; one that the folds did not
            have is not corrected.
        """
        shift = self.level + self.borough_terms(borough_index)
        log_factor = shift + (self.slope - 1) * (np.log(expected) - self.centre)
        return np.asarray(expected * np.exp(log_factor))

    def borough_terms(self, borough_index: NDArray[np.integer]) -> Array:
        """Term of each borough of `borough_index`, in its shape; 0 where the folds had none."""
        known = borough_index < len(self.boroughs)
        return np.array([*self.boroughs, 0.0])[np.where(known, borough_index, -1)]

    def as_state(self) -> dict[str, Any]:
        """The correction as a JSON object."""
        return {
            "level": self.level,
            "slope": self.slope,
            "centre": self.centre,
            "boroughs": list(self.boroughs),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Recalibration:
        """Read `as_state`."""
        return cls(state["level"], state["slope"], state["centre"], tuple(state["boroughs"]))


def fit_recalibration(
    folds: Sequence[ScoredFold],
    model: str,
    borough_index: NDArray[np.integer] | None = None,
    *,
    shrunk: bool = True,
) -> Recalibration:
    """Fit the correction of one model on blind folds; none where no fold or incident is given.

    Parameters
    ----------
    folds : sequence of ScoredFold
        Blind, in order of time.
    model : str
        One of the folds' models.
    borough_index : int, shape (C,), optional
        Code of each cell's borough; no term by borough without it.
    shrunk : bool
        False leaves level and slope to the data alone; with boroughs there is no such fit.
    """
    if not folds or not any(fold.counts.any() for fold in folds):
        return Recalibration()
    counts = np.concatenate([fold.counts for fold in folds]).astype(np.float64)
    expected = np.concatenate([fold.forecasts[model] for fold in folds])
    x = np.log(expected)
    centre = float((expected * x).sum() / expected.sum())
    columns = [np.ones_like(x), x - centre]
    if borough_index is not None:
        codes = np.arange(int(borough_index.max()) + 1)
        columns += [np.broadcast_to(borough_index == code, x.shape) for code in codes]
    design = np.stack([np.asarray(c, dtype=np.float64).ravel() for c in columns], axis=1)
    slope_sd, borough_sd = (_SLOPE_SD, _BOROUGH_SD) if shrunk else (np.inf, np.inf)
    sds = np.array([np.inf, slope_sd, *([borough_sd] * (len(columns) - 2))])
    overdispersion = weekly_overdispersion(counts, expected)
    level, tilt, *boroughs = posterior_mode(
        design,
        counts.ravel(),
        offset=x.ravel(),
        prior_mean=np.zeros(len(sds)),
        prior_precision=np.diag(1 / np.square(sds)),
        overdispersion=overdispersion,
    ).tolist()
    if shrunk:
        # What slope and boroughs change of the total is no error of the level.
        own = design[:, 1:] @ np.array([tilt, *boroughs])
        own_level = float(np.log((expected.ravel() * np.exp(own)).sum() / expected.sum()))
        seen = level + own_level
        level = lasting_level(seen, len(counts), float(counts.sum()), overdispersion) - own_level
    return Recalibration(level, 1 + tilt, centre, tuple(boroughs))


def recalibrated_folds(
    folds: Sequence[ScoredFold],
    model: str,
    borough_index: NDArray[np.integer],
    *,
    gap_days: int,
) -> list[Array]:
    """Forecast of each fold, corrected by what was known of the folds before it.

    The first is as it was. `gap_days` before a fold is what was known: see
    `backtest.rolling_origin_folds`.
    """
    made = []
    for number, fold in enumerate(folds):
        known = known_before(folds, number, gap_days=gap_days)
        correction = fit_recalibration(known, model, borough_index)
        made.append(correction.apply(fold.forecasts[model], borough_index))
    return made
