"""Local Gi* of Getis and Ord for a dense panel, all periods at once.

Belongs here: the statistic, its analytic p-values, and the control of false discoveries. Does not:
p-values by permutation (`permutation.py`), classes over time (`emerging.py`), which weights a caller
wants (`grid/neighbours.py` makes queen contiguity and distance bands).

With binary weights w_ij that include the cell itself, k_i of them, and n cells (Getis and Ord 1992,
doi 10.1111/j.1538-4632.1992.tb00261.x; Ord and Getis 1995, doi 10.1111/j.1538-4632.1995.tb00912.x,
eq. 14 with w* = sum of w = sum of w squared = k):

    z_i = (sum_j w_ij x_j - k_i mean) / (s sqrt((n k_i - k_i^2) / (n - 1)))

Conventions: mean and s are of all n cells of the period, the cell itself included; s^2 divides by n.
This is `esda.G_Local(x, w, transform="B", star=True).Zs`. esda's default transform is "R", whose
weights sum to 1, and its z is then sqrt(k (n - k) / (n - 1)) / k of this: a third with the 9
cells of queen contiguity. p-values here are two-sided; esda's `p_norm` is one-sided.

The analytic p takes the sum over a neighbourhood as normal. With few incidents a cell it is not: in
a week of 22 shootings in New York every one of them makes its nine cells "hot" at a false-discovery
rate of 5%. Permutation assumes nothing but exchangeable cells, and is what spots are named by.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_PERIODS = 32  # what is made of so many at once stays in the cache


@dataclass(frozen=True, eq=False)
class GiStar:
    """Gi* of T periods and C cells; all arrays of shape (T, C), the p-values made when asked for.

    Parameters
    ----------
    z : float64
        NaN in a period without variance, and for a cell whose neighbourhood is every cell.
    """

    z: NDArray[np.float64]

    @cached_property
    def p_value(self) -> NDArray[np.float64]:
        """Two-sided, normal; NaN where z is."""
        from scipy.special import ndtr

        # One array from first to last: fresh memory costs as much as the values.
        p = np.abs(self.z)
        np.negative(p, out=p)
        ndtr(p, out=p)
        p *= 2
        return p

    @cached_property
    def fdr_p_value(self) -> NDArray[np.float64]:
        """Adjusted within each period by Benjamini and Hochberg; NaN where z is."""
        return benjamini_hochberg(self.p_value)

    def hot(self, level: float) -> NDArray[np.bool_]:
        """Cells with high counts around them at false-discovery rate `level`."""
        return (self.fdr_p_value <= level) & (self.z > 0)

    def cold(self, level: float) -> NDArray[np.bool_]:
        """Cells with low counts around them at false-discovery rate `level`."""
        return (self.fdr_p_value <= level) & (self.z < 0)


def with_self(weights: csr_array) -> csr_array:
    """Make weights binary and every cell its own neighbour: the star of Gi*.

    Parameters
    ----------
    weights : scipy.sparse.csr_array, shape (C, C)
        Any entry that is not 0 is a neighbour.

    Returns
    -------
    scipy.sparse.csr_array of float64, shape (C, C)
    """
    from scipy.sparse import eye_array

    linked = (weights != 0) + eye_array(weights.shape[0], dtype=bool, format="csr")
    return linked.astype(np.float64).tocsr()


def gi_star(panel: NDArray[np.generic], weights: csr_array) -> GiStar:
    """Gi* of every period of a panel, by sparse products of some periods each.

    Parameters
    ----------
    panel : shape (T, C)
        Counts or values by period and cell.
    weights : scipy.sparse.csr_array, shape (C, C)
        Binary, with every cell its own neighbour: `with_self`.

    Raises
    ------
    ValueError
        Where the weights are not binary, lack a cell itself, or are of other cells.
    """
    values = checked_panel(panel, weights)
    k = np.asarray(weights.sum(axis=1))
    z = np.empty(values.shape)
    for start in range(0, len(values), _PERIODS):
        block = slice(start, start + _PERIODS)
        z[block] = _z_scores(values[block], weights, k)
    return GiStar(z)


def _z_scores(
    values: NDArray[np.float64], weights: csr_array, k: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Gi* of some periods, with `k` neighbours of each cell."""
    n = values.shape[1]
    total = values.sum(axis=1, keepdims=True)
    squares = (values**2).sum(axis=1, keepdims=True)
    # n^2 times numerator and variance: whole numbers for counts, so nothing is lost before the division.
    numerator = n * (weights @ values.T).T - k * total
    variance = (n * squares - total**2) * (k * (n - k) / (n - 1))
    flat = values.max(axis=1, keepdims=True) == values.min(axis=1, keepdims=True)
    z = np.full(values.shape, np.nan)
    known = ~flat & (k < n) & (variance > 0)
    np.divide(numerator, np.sqrt(np.where(known, variance, 1.0)), out=z, where=known)
    return z


def benjamini_hochberg(p_value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjust the p-values of each period for its number of cells; NaN stays NaN, uncounted.

    Benjamini and Hochberg (1995), doi 10.1111/j.2517-6161.1995.tb02031.x. Neighbouring Gi* share
    cells and are positively dependent, under which the rate is still held (Benjamini and Yekutieli
    2001, doi 10.1214/aos/1013699998).

    Parameters
    ----------
    p_value : float64, shape (T, C)
        A cell without a p-value in one period that has any has none in all.
    """
    from scipy.stats import false_discovery_control

    adjusted = np.full(p_value.shape, np.nan)
    known = ~np.isnan(p_value)
    here = np.ix_(known.any(axis=1), known.any(axis=0))
    if p_value[here].size:
        adjusted[here] = false_discovery_control(p_value[here], axis=1, method="bh")
    return adjusted


def checked_panel(panel: NDArray[np.generic], weights: csr_array) -> NDArray[np.float64]:
    """Return the panel as float64 (T, C), for weights that are of its cells, binary and starred.

    Raises
    ------
    ValueError
        Where they are not.
    """
    values = np.asarray(panel, dtype=np.float64)
    if values.ndim != 2 or weights.shape != (values.shape[1], values.shape[1]):
        raise ValueError(
            f"A panel of shape {values.shape} and weights of shape {weights.shape} are not of the same "
            "cells; give a (T, C) panel and (C, C) weights."
        )
    if not ((weights.data == 1).all() and (weights.diagonal() == 1).all()):
        raise ValueError("Gi* takes binary weights that hold each cell itself; use `with_self`.")
    return values
