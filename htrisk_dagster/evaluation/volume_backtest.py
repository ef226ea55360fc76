"""Blind backtests of volume by police agency and day, and intervals learnt from them.

Belongs here: folds of the volume forecast, their scores beside the floor of pure counting noise,
and the outlook with its intervals. Does not: the model (`models/volume_forecast`), the metrics
(`series_errors`, `noise_floors`).

"Global blind" means: one model of all agencies, fitted on what occurred before the origin, walks
the whole block alone, and the forecast is sealed before the block is read. The floor is the WAPE of
whoever knows each agency's mean of the block by weekday, which nobody does beforehand; a
Poisson's, so that counts which scatter more cannot reach it.

WAPE rewards a forecast below the mean where counts are rare (0 everywhere has a WAPE of 1, less than
the floor of a mean of 0.1 a day), so the share expected / observed stands beside each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.evaluation.backtest import Fold, FoldResult, seal
from htrisk_dagster.evaluation.comparison import point_values
from htrisk_dagster.evaluation.count_intervals import CountIntervals, fit_intervals
from htrisk_dagster.evaluation.intervals import interval_coverage, randomised_coverage
from htrisk_dagster.evaluation.noise_floors import wape_floor
from htrisk_dagster.evaluation.series_errors import wape
from htrisk_dagster.features.agency_days import AgencyDays, weekday
from htrisk_dagster.models.count_model import FitResult
from htrisk_dagster.models.volume_forecast import VolumeForecaster

Array = NDArray[np.float64]

HORIZON_DAYS = 30
LEVEL = 0.95
UNITS = ("agency_day", "state_day", "agency_month")
_MONTH_DAYS = 30


@dataclass(frozen=True)
class VolumeFold:
    """One blind forecast, sealed, of all agencies.

    Parameters
    ----------
    fold : Fold
    fit : FitResult
    days : datetime64[D], shape (D,)
        Days of the test block.
    forecast : float64, shape (D, S)
    digest : str
        See `backtest.seal`.
    """

    fold: Fold
    fit: FitResult
    days: NDArray[np.datetime64]
    forecast: Array
    digest: str

    def scored(self, counts: Array) -> FoldResult:
        """As the folds of other models: the same metrics by the same names, and WAPE beside its floor."""
        metrics = point_values(counts, self.forecast) | volume_scores(
            counts, self.forecast, weekday(self.days)
        )
        return FoldResult(self.fold, self.fit, self.forecast, self.digest, metrics)


def volume_folds(
    first: date, test_start: date, test_stop: date, *, horizon_days: int = HORIZON_DAYS
) -> tuple[Fold, ...]:
    """Adjoining blocks from `test_start` up to `test_stop`, each trained on all days before it.

    The last is shorter where the days do not divide.
    """
    starts = range(0, (test_stop - test_start).days, horizon_days)
    folds = []
    for offset in starts:
        start = test_start + timedelta(days=offset)
        folds.append(
            Fold(first, start, start, min(start + timedelta(days=horizon_days), test_stop))
        )
    return tuple(folds)


def run_volume_fold(
    agency_days: AgencyDays, fold: Fold, holidays: NDArray[np.datetime64], *, seed: int
) -> VolumeFold:
    """Fit on the days before the test block, walk through it alone, and seal.

    `agency_days` may hold the block; nothing of it from the origin on is read here.
    """
    known = agency_days.before(fold.test_start)
    model = VolumeForecaster()
    fit = model.fit(known, holidays, seed=seed)
    n_days = (fold.test_stop - fold.test_start).days
    forecast = model.forecast(known, n_days, holidays)
    days = np.datetime64(fold.test_start) + np.arange(n_days)
    return VolumeFold(fold, fit, days, forecast, seal(fold, forecast))


def hindsight_mean(counts: Array, weekdays: NDArray[np.int64]) -> Array:
    """Mean of each agency in the block times the factor of each weekday over all agencies, (D, S).

    Known only afterwards: what floors are computed from. Agencies without an incident have a mean
    so small that they add nothing.
    """
    total = counts.sum()
    n_days = np.bincount(weekdays, minlength=7)
    by_weekday = np.bincount(weekdays, weights=counts.sum(axis=1), minlength=7)
    factor = by_weekday / np.maximum(n_days, 1) / (total / len(counts))
    return np.asarray(np.maximum(counts.mean(axis=0) * factor[weekdays, None], 1e-9))


def volume_scores(counts: Array, forecast: Array, weekdays: NDArray[np.int64]) -> dict[str, float]:
    """WAPE, volume accuracy (1 - WAPE), floor, their ratio and the level, by unit of `UNITS`.

    Parameters
    ----------
    counts, forecast : arrays of shape (D, S)
    weekdays : int, shape (D,)
    """
    found: dict[str, float] = {}
    mean = hindsight_mean(counts, weekdays)
    for unit in UNITS:
        observed, expected, known = (_by_unit(a, unit) for a in (counts, forecast, mean))
        error, floor = wape(observed, expected), wape_floor(known)
        found |= {
            f"wape_{unit}": error,
            f"volume_accuracy_{unit}": 1 - error,
            f"wape_floor_{unit}": floor,
            f"wape_over_floor_{unit}": error / floor,
        }
    return found | {"expected_over_observed": float(forecast.sum() / counts.sum())}


def _by_unit(values: Array, unit: str) -> Array:
    if unit == "agency_day":
        return values
    if unit == "state_day":
        return np.asarray(values.sum(axis=1, keepdims=True))
    return np.add.reduceat(values, np.arange(0, len(values), _MONTH_DAYS), axis=0)


@dataclass(frozen=True)
class VolumeIntervals:
    """How counts scatter around blind forecasts, of agencies and of their sum.

    The state has intervals of its own: days are high or low in many towns at once, so that a sum of
    independent agencies would be far too sure of itself.
    """

    of_agencies: CountIntervals
    of_state: CountIntervals


def fit_volume_intervals(counts: Sequence[Array], forecasts: Sequence[Array]) -> VolumeIntervals:
    """Learn both from blind folds, in order of time; see `count_intervals.fit_intervals`."""
    state = [[a.sum(axis=1, keepdims=True) for a in arrays] for arrays in (counts, forecasts)]
    return VolumeIntervals(fit_intervals(counts, forecasts), fit_intervals(*state))


def interval_scores(
    counts: Sequence[Array], forecasts: Sequence[Array], *, n_calibration: int
) -> dict[str, float]:
    """Coverage of the 95% interval of each fold by what the folds before it taught.

    Parameters
    ----------
    counts, forecasts : sequences of arrays (D, S)
        Folds in order of time.
    n_calibration : int
        Folds that only teach.

    Returns
    -------
    dict
        `coverage_95_*` of the interval with both ends, which is 0.95 or more where counts are
        rare, and `randomised_coverage_95_*`, which is 0.95 where the distribution is right.
    """
    inside: dict[str, list[tuple[float, float, int]]] = {"agency_day": [], "state_day": []}
    for k in range(n_calibration, len(counts)):
        learnt = fit_volume_intervals(counts[:k], forecasts[:k])
        for unit, intervals in (("agency_day", learnt.of_agencies), ("state_day", learnt.of_state)):
            observed, expected = (_by_unit(a, unit) for a in (counts[k], forecasts[k]))
            lower, upper = intervals.interval(expected, LEVEL)
            inside[unit].append(
                (
                    interval_coverage(observed, lower=lower, upper=upper),
                    randomised_coverage(
                        observed, expected, size=intervals.size_at(expected), level=LEVEL
                    ),
                    observed.size,
                )
            )
    found = {}
    for unit, rows in inside.items():
        covered, randomised, sizes = (np.array(column) for column in zip(*rows, strict=True))
        found[f"coverage_95_{unit}"] = float(np.average(covered, weights=sizes))
        found[f"randomised_coverage_95_{unit}"] = float(np.average(randomised, weights=sizes))
    return found


@dataclass(frozen=True)
class VolumeOutlook:
    """The days to come, with the blind folds that its intervals were learnt from.

    Parameters
    ----------
    days : datetime64[D], shape (D,)
    forecast : float64, shape (D, S)
    intervals : VolumeIntervals
    fit : FitResult
    folds : tuple of FoldResult
    model : VolumeForecaster
    """

    days: NDArray[np.datetime64]
    forecast: Array
    intervals: VolumeIntervals
    fit: FitResult
    folds: tuple[FoldResult, ...]
    model: VolumeForecaster


def volume_outlook(
    agency_days: AgencyDays,
    holidays: NDArray[np.datetime64],
    *,
    seed: int,
    n_days: int = HORIZON_DAYS,
    n_folds: int = 4,
) -> VolumeOutlook:
    """Forecast the days after the last one known; intervals from blind folds that end there.

    There are `n_folds`, or as many as the days allow, one at least.
    """
    origin = agency_days.next_day
    n_possible = (len(agency_days.days) - VolumeForecaster().needed_days) // n_days
    n_folds = max(1, min(n_folds, n_possible))
    first: date = agency_days.days[0].astype(object)
    start = origin - timedelta(days=n_days * n_folds)
    blind = [
        run_volume_fold(agency_days, fold, holidays, seed=seed)
        for fold in volume_folds(first, start, origin, horizon_days=n_days)
    ]
    counts = [agency_days.between(b.fold.test_start, b.fold.test_stop) for b in blind]
    model = VolumeForecaster()
    fit = model.fit(agency_days, holidays, seed=seed)
    return VolumeOutlook(
        np.datetime64(origin) + np.arange(n_days),
        model.forecast(agency_days, n_days, holidays),
        fit_volume_intervals(counts, [b.forecast for b in blind]),
        fit,
        tuple(b.scored(c) for b, c in zip(blind, counts, strict=True)),
        model,
    )
