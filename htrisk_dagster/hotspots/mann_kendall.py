"""Mann-Kendall trend of many series at once, corrected for ties.

Belongs here: the statistic, its variance and p-value. Does not: what a trend means for a hot spot
(`emerging.py`).

Mann (1945), doi 10.2307/1907187; Kendall (1975); the variance with ties and the correction for
continuity as in Gilbert (1987), Statistical Methods for Environmental Pollution Monitoring, 16.4:

    S = sum over i < j of sign(x_j - x_i)
    var = (n (n - 1) (2n + 5) - sum over groups of t ties of t (t - 1) (2t + 5)) / 18
    z = (S - sign(S)) / sqrt(var)

Periods are taken as independent. A series with memory has a p-value that is too small.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Trend:
    """Trend of C series; arrays of shape (C,).

    Parameters
    ----------
    s : float64
        Pairs that rise less pairs that fall; NaN where a series has a NaN.
    variance : float64
        Of s without a trend; 0 where all values are equal.
    z : float64
        Corrected for continuity; 0 where all values are equal.
    p_value : float64
        Two-sided, normal.
    """

    s: NDArray[np.float64]
    variance: NDArray[np.float64]
    z: NDArray[np.float64]
    p_value: NDArray[np.float64]


def mann_kendall(series: NDArray[np.float64]) -> Trend:
    """Trend down the columns of `series`, shape (T, C); none, z 0, over fewer than three values."""
    from scipy.special import ndtr

    n = len(series)
    s = np.zeros(series.shape[1])
    for lag in range(1, n):
        s += np.sign(series[lag:] - series[:-lag]).sum(axis=0)
    variance = (n * (n - 1) * (2 * n + 5) - _tie_terms(series)) / 18
    z = np.zeros(s.shape)
    np.divide(s - np.sign(s), np.sqrt(variance), out=z, where=variance > 0)
    return Trend(s, variance, z, 2 * ndtr(-np.abs(z)))


def _tie_terms(series: NDArray[np.float64]) -> NDArray[np.float64]:
    # Columns one after another, sorted: a group of ties is a run of equal values within a column.
    n, n_series = series.shape
    ordered = np.sort(series, axis=0).T
    begins = np.ones((n_series, n), dtype=bool)
    begins[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    starts = np.flatnonzero(begins)
    t = np.diff(starts, append=n * n_series)
    terms = t * (t - 1) * (2 * t + 5)
    by_series = np.bincount(starts // n, weights=terms, minlength=n_series)
    return by_series.astype(np.float64)
