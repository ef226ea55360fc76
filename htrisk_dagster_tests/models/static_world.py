"""A city that never changes: a smooth log-normal rate on a square, and a covariate that follows it.

The world of `field.md` §1.4, second table: 58 x 58 cells, log rate of standard deviation 1.4, a
covariate of given correlation with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.models.cell_lattice import CellLattice
from numpy.typing import NDArray
from scipy.stats import norm

Array = NDArray[np.float64]

N = 58
DAYS = 56
SD = 1.4


def lattice_of(n: int) -> CellLattice:
    """A square of n x n cells, all land."""
    row, col = np.divmod(np.arange(n * n), n)
    return CellLattice(row, col, np.ones(n * n))


def smooth_field(rng: np.random.Generator, n: int, length_cells: float) -> Array:
    """A Gaussian field with correlation exp(-d^2 / 2 l^2), marginally standard normal, (n * n,)."""
    frequency = 2 * np.pi * np.fft.fftfreq(2 * n)
    power = np.exp(-0.25 * length_cells**2 * (frequency[:, None] ** 2 + frequency**2))
    noise = np.fft.fft2(rng.normal(size=(2 * n, 2 * n)))
    field = np.fft.ifft2(noise * power).real[:n, :n].ravel()
    rank = np.argsort(np.argsort(field))
    return np.asarray(norm.ppf((rank + 0.5) / field.size))


@dataclass(frozen=True)
class StaticWorld:
    """A block to fit on and the rate of each cell it was drawn from, incidents a day."""

    block: CellDayBlock
    rates: Array

    def share_of_skill(self, forecast: Array) -> float:
        """(AUC - 1/2) of a map over that of the true rates, for events that are rare."""
        return (rare_auc(self.rates, forecast) - 0.5) / (rare_auc(self.rates, self.rates) - 0.5)


def rare_auc(rates: Array, forecast: Array) -> float:
    """Chance that an event's cell stands above one drawn evenly, ties counting half."""
    _, place, number = np.unique(forecast, return_inverse=True, return_counts=True)
    below = np.cumsum(number) - number + number / 2
    return float((rates * below[place]).sum() / (rates.sum() * len(rates)))


def static_world(*, events: int, correlation: float, seed: int) -> StaticWorld:
    """Draw a world with `events` expected over 56 days."""
    rng = np.random.default_rng(seed)
    log_rate, private = (smooth_field(rng, N, 3.5) for _ in range(2))
    covariate = correlation * log_rate + np.sqrt(1 - correlation**2) * private
    rates = np.exp(SD * log_rate)
    rates *= events / DAYS / rates.sum()
    row, col = np.divmod(np.arange(N * N), N)
    common = np.exp(SD * covariate)
    columns = {
        "x_km": 0.5 * (col - col.mean()),
        "y_km": 0.5 * (row - row.mean()),
        "incidents_mean_364": 1200 * common / common.sum(),
    }
    features = np.stack(list(columns.values()), axis=-1).astype(np.float32)
    block = CellDayBlock(
        days=np.datetime64("2014-01-06") + np.arange(DAYS),
        features=np.broadcast_to(features, (DAYS, *features.shape)),
        names=tuple(columns),
        precinct_index=(row // 8 * 8 + col // 8).astype(np.int32),
        borough_index=(row // 29 * 2 + col // 29).astype(np.int32),
        counts=rng.poisson(rates, (DAYS, N * N)).astype(np.float32),
    )
    return StaticWorld(block, rates)
