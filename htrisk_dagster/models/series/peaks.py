"""Peak hours, weekdays and seasons: how rates differ over the clock and the calendar, with intervals.

Belongs here: rates by hour, weekday and month over their mean, and which are peaks. Does not: forecasts,
decompositions (`decomposition`).

A rate ratio is the rate of a phase over the mean rate of all: an hour over a day, a weekday over a
week, a month's days over a year's. Intervals resample whole weeks (hours and weekdays) or whole years
(months) with replacement, since days of one week share weather and events; with few years they are too
narrow. A peak's interval lies above 1 after Bonferroni over the phases of its kind. Hours are as
reported: times on the hour, noon and midnight above all, are often defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.models.series.panel import Array
from htrisk_dagster.schemas.series import PEAKS

Kind = Literal["hour", "weekday", "month"]
PHASES: dict[Kind, int] = {"hour": 24, "weekday": 7, "month": 12}
COVERAGE = 0.95
N_RESAMPLES = 1000


@dataclass(frozen=True, eq=False)
class Ratios:
    """Rate ratios by phase, with intervals.

    Parameters
    ----------
    ratio, low, high : float64, shape (K,)
        1 is the mean rate; the interval is simultaneous over the phases.
    """

    ratio: Array
    low: Array
    high: Array


def rate_ratios(counts: NDArray[np.float64], exposure: NDArray[np.float64], *, seed: int) -> Ratios:
    """Rate of each phase over the mean rate, with a bootstrap over blocks.

    Parameters
    ----------
    counts, exposure : float64, shape (B, K)
        Incidents and time of each block (a week, a year) and phase.
    seed : int
        Of the resamples.

    Raises
    ------
    ValueError
        Where there are fewer than two blocks, or a phase has no exposure.
    """
    if len(counts) < 2 or not (exposure.sum(axis=0) > 0).all():
        raise ValueError(
            f"{len(counts)} blocks tell nothing of a phase's scatter; give two or more, with every phase."
        )
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(len(counts), np.full(len(counts), 1 / len(counts)), size=N_RESAMPLES)

    def ratio(number: Array, time: Array) -> Array:
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = number.sum(axis=-1, keepdims=True) / time.sum(axis=-1, keepdims=True)
            return np.asarray(number / time / mean)

    replicates = ratio(draws @ counts, draws @ exposure)
    tail = (1.0 - COVERAGE) / 2.0 / counts.shape[1]
    low, high = np.nanquantile(replicates, [tail, 1.0 - tail], axis=0)
    return Ratios(ratio(counts.sum(axis=0), exposure.sum(axis=0)), low, high)


def count_phases(
    days: NDArray[np.datetime64],
    hours: NDArray[np.int64] | None,
    first: np.datetime64,
    stop: np.datetime64,
) -> Mapping[Kind, tuple[Array, Array]]:
    """Counts and exposure in days by block and phase of each kind.

    Parameters
    ----------
    days : datetime64[D], shape (n,)
        Local days of the incidents, `first` <= day < `stop`.
    hours : int64, shape (n,), optional
        Local hours; hours are left out where not given.
    first, stop : datetime64
        Days that the incidents cover.
    """
    calendar = np.arange(first, stop, dtype="datetime64[D]")
    week, week_of_day = _week(days, first), _week(calendar, first)
    n_weeks = int(week_of_day[-1]) + 1
    year = days.astype("datetime64[Y]").astype(int) - calendar[0].astype("datetime64[Y]").astype(
        int
    )
    years = calendar.astype("datetime64[Y]").astype(int)
    years = years - years[0]
    out: dict[Kind, tuple[Array, Array]] = {
        "weekday": (
            _tally(week, _weekday(days), (n_weeks, 7)),
            _tally(week_of_day, _weekday(calendar), (n_weeks, 7)),
        ),
        "month": (
            _tally(year, _month(days), (int(years[-1]) + 1, 12)),
            _tally(years, _month(calendar), (int(years[-1]) + 1, 12)),
        ),
    }
    if hours is not None:
        time = np.bincount(week_of_day, minlength=n_weeks).astype(np.float64) / 24.0
        out["hour"] = (
            _tally(week, hours, (n_weeks, 24)),
            np.repeat(time[:, None], 24, axis=1),
        )
    return out


def peaks_table(
    area: str, phases: Mapping[Kind, tuple[Array, Array]], *, seed: int
) -> pl.DataFrame:
    """Ratios of every kind that has two blocks and every phase, as `schemas.series.PEAKS`."""
    tables = [PEAKS.empty()]
    for kind, (counts, exposure) in sorted(phases.items()):
        if len(counts) < 2 or not (exposure.sum(axis=0) > 0).all() or not counts.any():
            continue
        found = rate_ratios(counts, exposure, seed=seed)
        frame = pl.DataFrame(
            {
                "place": area,
                "kind": kind,
                "phase": np.arange(PHASES[kind]) + (1 if kind == "month" else 0),
                "incidents_count": counts.sum(axis=0),
                "rate_ratio": found.ratio,
                "rate_ratio_low": found.low,
                "rate_ratio_high": found.high,
                "is_peak": found.low > 1.0,
            }
        )
        tables.append(PEAKS.conform(frame))
    return pl.concat(tables)


def _week(days: NDArray[np.datetime64], first: np.datetime64) -> NDArray[np.int64]:
    return np.asarray((days.astype("datetime64[D]") - first).astype(np.int64) // 7)


def _weekday(days: NDArray[np.datetime64]) -> NDArray[np.int64]:
    return np.asarray((days.astype("datetime64[D]").astype(np.int64) + 3) % 7)


def _month(days: NDArray[np.datetime64]) -> NDArray[np.int64]:
    return np.asarray(days.astype("datetime64[M]").astype(np.int64) % 12)


def _tally(block: NDArray[np.int64], phase: NDArray[np.int64], shape: tuple[int, int]) -> Array:
    flat = np.bincount(block * shape[1] + phase, minlength=shape[0] * shape[1])
    return np.asarray(flat.reshape(shape), dtype=np.float64)
