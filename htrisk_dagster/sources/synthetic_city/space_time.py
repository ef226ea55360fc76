"""Fields that change from day to day: what moves incidents within the city for a while.

Belongs here: Gaussian fields in space and their autoregression in time. Does not: what does not
change (`intensity`), nor what a family makes of a field (`world`).

A field is log-normal with mean 1. In space its correlation falls over about a kilometre, from day
to day it is `DAILY_CORRELATION`. Nobody can observe it: a forecaster sees it only through the
incidents of the last weeks. The target's varies the more: with a standard deviation of its
logarithm of 0.75, with self-excitation and hubs, the historical mean reaches the share of the
omniscient forecast's skill that it should (0.89, 0.75 and 0.40 at 50, 5 and 0.5 a day).
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.sources.synthetic_city.land import Land

COMMON_LOG_SD, TARGET_LOG_SD = 0.5, 0.75
DAILY_CORRELATION = 0.9
LENGTH_SCALE_CELLS = 2.0
# Log fields of the target and of the common offences.
TARGET_CORRELATION = 0.8
_SIGMA = LENGTH_SCALE_CELLS / math.sqrt(2)
_DAYS_AT_ONCE = 128


def daily_noise(land: Land, n_days: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw independent Gaussian fields, one a day, with mean 0 and variance 1, shape (D, C)."""
    from scipy.ndimage import gaussian_filter

    row, col = land.row - land.row.min(), land.col - land.col.min()
    shape = int(row.max()) + 1, int(col.max()) + 1
    noise = np.empty((n_days, len(row)), dtype=np.float32)
    for start in range(0, n_days, _DAYS_AT_ONCE):
        part = noise[start : start + _DAYS_AT_ONCE]
        white = rng.standard_normal((len(part), *shape))
        smooth = gaussian_filter(white, (0, _SIGMA, _SIGMA), mode="wrap")
        part[:] = smooth[:, row, col] / _filtered_sd()
    return noise


def correlated_noise(
    land: Land, n_days: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Daily noise of the common offences' field and of the target's, correlated, each (D, C)."""
    shared = daily_noise(land, n_days, rng)
    own = daily_noise(land, n_days, rng)
    own *= math.sqrt(1 - TARGET_CORRELATION**2)
    own += TARGET_CORRELATION * shared
    return shared, own


def log_normal_field(noise: NDArray[np.float32], log_sd: float) -> NDArray[np.float32]:
    """Run daily noise through the autoregression and exponentiate.

    Parameters
    ----------
    noise : ndarray of float32, shape (D, C)
        Independent from day to day, mean 0, variance 1.
    log_sd : float
        Standard deviation of the field's logarithm.

    Returns
    -------
    ndarray of float32, shape (D, C)
        Stationary from the first day, mean 1.
    """
    from scipy.signal import lfilter

    innovation = math.sqrt(1 - DAILY_CORRELATION**2)
    scaled = noise * np.float32(innovation)
    scaled[0] = noise[0]
    field = lfilter([1.0], [1.0, -DAILY_CORRELATION], scaled, axis=0)
    field *= log_sd
    field -= log_sd**2 / 2
    rounded: NDArray[np.float32] = np.round(np.exp(field, out=field), 4).astype(np.float32)
    return rounded


@cache
def _filtered_sd() -> float:
    """Standard deviation of filtered white noise of variance 1: the root of the kernel's energy."""
    from scipy.ndimage import gaussian_filter

    impulse = np.zeros((41, 41))
    impulse[20, 20] = 1.0
    return float(np.sqrt(np.sum(gaussian_filter(impulse, _SIGMA, mode="wrap") ** 2)))
