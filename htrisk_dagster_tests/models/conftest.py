"""A small city whose true intensity is known, as a block to fit and predict on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from htrisk_dagster.features.block import CellDayBlock
from numpy.typing import NDArray

HISTORY_DAYS = 28
WEEKDAY = np.array([0.8, 0.8, 0.9, 0.9, 1.1, 1.4, 1.1])


@dataclass(frozen=True)
class SimulatedCity:
    """A block with counts and the Poisson intensity they were drawn from, both (D, C)."""

    block: CellDayBlock
    intensity: NDArray[np.float64]

    def split(self, n_train: int) -> tuple[CellDayBlock, CellDayBlock, NDArray[np.float64]]:
        """Block to fit on, later block to score on, and the intensity of the latter."""
        days = self.block.days
        end = days[-1] + np.timedelta64(1, "D")
        return (
            self.block.between(days[0], days[n_train]),
            self.block.between(days[n_train], end),
            self.intensity[n_train:],
        )


def simulate_city(
    *,
    n_days: int,
    n_cells: int,
    events_per_day: float,
    seed: int,
    covariate_noise: float = 0.5,
    event_effect: float = 3.0,
    drift: float = 0.0,
) -> SimulatedCity:
    """Draw a city: cell rates follow a covariate, weekdays differ, an event trebles a cell's day.

    With `drift`, log rates wander around their cell's mean with that standard deviation and a
    correlation of 0.97 from day to day, so that recent days tell of the next.

    Lags are exact: `target_lag_k` of day d is the count of day d - 1 - k. Cells fill a lattice of
    500 m; neighbours have nothing in common.
    """
    rng = np.random.default_rng(seed)
    total_days = HISTORY_DAYS + 1 + n_days
    log_rate = rng.normal(size=n_cells) * 1.2
    days = np.datetime64("2014-01-01") + np.arange(-HISTORY_DAYS - 1, n_days)
    weekday = np.array([day.astype(object).weekday() for day in days])
    is_event = rng.random((total_days, n_cells)) < 0.05
    intensity = np.exp(log_rate) * WEEKDAY[weekday][:, None] * np.where(is_event, event_effect, 1.0)
    if drift:
        intensity *= np.exp(drift * _wander(total_days, n_cells, seed))
    intensity *= events_per_day * total_days / intensity.sum()
    counts = rng.poisson(intensity).astype(np.float32)
    incidents = rng.poisson(np.exp(log_rate) * 0.3, (total_days, n_cells)).astype(np.float32)
    first = HISTORY_DAYS + 1

    def lag(panel: NDArray[np.float32], k: int) -> NDArray[np.float32]:
        return panel[first - 1 - k : total_days - 1 - k]

    columns = {f"target_lag_{k}": lag(counts, k) for k in range(1, 29)}
    columns |= {f"incidents_lag_{k}": lag(incidents, k) for k in range(1, 8)}
    columns["target_mean_28"] = np.mean([lag(counts, k) for k in range(1, 29)], axis=0)
    noisy = np.exp(log_rate + covariate_noise * rng.normal(size=n_cells))
    columns["incidents_mean_364"] = np.tile(noisy, (n_days, 1))
    columns["event_today"] = is_event[first:]
    angle = 2 * np.pi * weekday[first:] / 7
    columns["weekday_sin"] = np.tile(np.sin(angle)[:, None], (1, n_cells))
    columns["weekday_cos"] = np.tile(np.cos(angle)[:, None], (1, n_cells))
    columns["transit_subway_ratio"] = np.full((n_days, n_cells), np.nan)
    for w in (91, 364):
        # Thin history, as in the first year of data: the mean is over the days there are.
        columns[f"target_mean_{w}"] = mean_before(counts, first, w)
    row, col = np.divmod(np.arange(n_cells), math.isqrt(n_cells))
    columns["x_km"] = np.tile(0.5 * (col - col.mean()), (n_days, 1))
    columns["y_km"] = np.tile(0.5 * (row - row.mean()), (n_days, 1))
    city = columns["target_mean_28"].mean(axis=1, keepdims=True)
    columns["city_target_mean_28"] = np.tile(city, (1, n_cells))
    precinct = (np.arange(n_cells) * 8 // n_cells).astype(np.int32)
    block = CellDayBlock(
        days=days[first:],
        features=np.stack(list(columns.values()), axis=-1).astype(np.float32),
        names=tuple(columns),
        precinct_index=precinct,
        borough_index=(precinct // 4).astype(np.int32),
        counts=counts[first:],
    )
    return SimulatedCity(block, intensity[first:])


def mean_before(counts: NDArray[np.float32], first: int, w: int) -> NDArray[np.float64]:
    """Mean of the w days before the cutoff of each day from `first` on, as far as they exist."""
    running = np.concatenate([np.zeros((1, counts.shape[1])), np.cumsum(counts, axis=0)])
    cutoff = np.arange(first, len(counts)) - 1
    start = np.maximum(cutoff - w, 0)
    return (running[cutoff] - running[start]) / (cutoff - start)[:, None]


def _wander(n_days: int, n_cells: int, seed: int) -> NDArray[np.float64]:
    """First-order autoregression of each cell with standard deviation 1, shape (D, C)."""
    steps = np.random.default_rng([seed, 1]).normal(size=(n_days, n_cells))
    for day in range(1, n_days):
        steps[day] = 0.97 * steps[day - 1] + np.sqrt(1 - 0.97**2) * steps[day]
    return steps


@pytest.fixture(scope="session")
def changing_city() -> SimulatedCity:
    """Events and drift that a map of the past cannot know."""
    return simulate_city(n_days=560, n_cells=100, events_per_day=12, seed=5, drift=0.6)


@pytest.fixture(scope="session")
def still_city() -> SimulatedCity:
    """Nothing but place and weekday: all that there is, empirical Bayes knows."""
    return simulate_city(n_days=560, n_cells=100, events_per_day=12, seed=6, event_effect=1.0)


@pytest.fixture(scope="session")
def small_city() -> SimulatedCity:
    return simulate_city(n_days=320, n_cells=100, events_per_day=12, seed=1)


@pytest.fixture(scope="session")
def rare_city() -> SimulatedCity:
    """411 incidents expected in 820 days over 900 cells: trafficking scale."""
    return simulate_city(n_days=820, n_cells=900, events_per_day=411 / 820, seed=2)
