"""p-values of Gi* by conditional permutation: drawn for any values, exact for counts.

Belongs here: both tests. Does not: Gi* (`getis_ord.py`), which of them a table shows.

A cell keeps its value and all others are shuffled over the other places (Anselin 1995, doi
10.1111/j.1538-4632.1995.tb00338.x), so k - 1 of the n - 1 other values, drawn without replacement,
stand in for its neighbours. Mean and s stay, so sums over the neighbours are compared in place of
z. A tail holds the sums at least as extreme, ties included; two-sided is twice the smaller tail, at
most 1. esda's `p_sim` is the smaller tail, not doubled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.hotspots.getis_ord import benjamini_hochberg, checked_panel

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, eq=False)
class PermutationTest:
    """Outcome for T periods and C cells; all arrays of shape (T, C).

    Parameters
    ----------
    p_value : float64
        Two-sided; NaN in a period whose cells all have one value.
    fdr_p_value : float64
        Adjusted within each period by Benjamini and Hochberg.
    is_above : bool
        The neighbours hold more than the permutations' do. It need not be the sign of Gi*: a cell
        of many incidents with none around it has a positive z, by its own value alone.
    """

    p_value: NDArray[np.float64]
    fdr_p_value: NDArray[np.float64]
    is_above: NDArray[np.bool_]

    def hot(self, z: NDArray[np.float64], level: float) -> NDArray[np.bool_]:
        """Cells with a high Gi* `z` whose neighbours hold more than by chance."""
        return (self.fdr_p_value <= level) & self.is_above & (z > 0)

    def cold(self, z: NDArray[np.float64], level: float) -> NDArray[np.bool_]:
        """Cells with a low Gi* `z` whose neighbours hold less than by chance."""
        return (self.fdr_p_value <= level) & ~self.is_above & (z < 0)


def drawn_permutations(
    panel: NDArray[np.generic], weights: csr_array, *, n_permutations: int, seed: int
) -> PermutationTest:
    """Test by drawing permutations, all periods and cells together; a tail is (r + 1) / (n + 1).

    As in esda, all cells (here periods too) meet the same draws: each p-value is sound by itself,
    and those of two cells are dependent through the draws.

    No p-value is under 2 / (n_permutations + 1): after the control of false discoveries at 5%
    over 3,600 cells, 999 permutations can find a pattern only where it spans 144 cells or more.

    Parameters
    ----------
    panel, weights
        As for `gi_star`.
    n_permutations : int
        Draws.
    seed : int
        Of the draws.
    """
    values = checked_panel(panel, weights)
    n = values.shape[1]
    others = _others(weights)
    largest = int(others.max())
    place = np.arange(n)
    is_drawn = (np.arange(largest)[:, None] < others).astype(np.float64)
    observed = (weights @ values.T).T - values
    above = np.zeros(values.shape, dtype=np.int64)
    below = np.zeros(values.shape, dtype=np.int64)
    rng = np.random.default_rng(seed)
    for _ in range(n_permutations):
        # The other cells are numbered without the cell itself: number r is cell r before it and
        # cell r + 1 from it on. The first k - 1 drawn stand in for its neighbours.
        drawn = rng.choice(n - 1, size=largest, replace=False)
        low, high = values[:, drawn], values[:, drawn + 1]
        is_after = is_drawn * (drawn[:, None] >= place)
        permuted = low @ is_drawn + (high - low) @ is_after
        above += permuted >= observed
        below += permuted <= observed
    return _test(values, (above + 1) / (n_permutations + 1), (below + 1) / (n_permutations + 1))


def exact_permutations(counts: NDArray[np.integer], weights: csr_array) -> PermutationTest:
    """Test counts against all permutations at once: what ever more draws come to.

    The sum of m of the other counts, drawn without replacement, has the generating function
    prod over values v of (1 + y x^v)^N_v, with N_v the other cells of count v: the coefficient of
    y^m x^s, over (n - 1 choose m), is the probability of the sum s. It is multiplied out once for
    each period and each value the cell itself can have, so the cost grows with the square of the
    number of different counts: weeks of a city take milliseconds, totals of years too long.

    Parameters
    ----------
    counts : int, shape (T, C)
        Not negative.
    weights
        As for `gi_star`.
    """
    values = checked_panel(counts, weights).astype(np.int64)
    others = _others(weights)
    observed = np.asarray((weights.astype(np.int64) @ values.T).T) - values
    upper, lower = np.empty(values.shape), np.empty(values.shape)
    for period, row in enumerate(values):
        levels, own, numbers = np.unique(row, return_inverse=True, return_counts=True)
        prob = _sum_probabilities(levels, numbers, row, int(others.max()))
        at = (own, others, observed[period])
        lower[period] = np.cumsum(prob, axis=2)[at]
        upper[period] = np.cumsum(prob[:, :, ::-1], axis=2)[:, :, ::-1][at]
    return _test(values, upper, lower)


def _sum_probabilities(
    levels: NDArray[np.int64],
    numbers: NDArray[np.int64],
    row: NDArray[np.int64],
    largest: int,
) -> NDArray[np.float64]:
    """Probability of each sum of m draws from `row` without one cell of each level.

    Returns
    -------
    float64, shape (levels, largest + 1, sums)
        By the level left out, m, and the sum from 0 up to the `largest` highest counts together.
    """
    from scipy.special import comb

    highest = int(np.sort(row)[-largest:].sum()) if largest else 0
    terms = np.zeros((levels.size, largest + 1, highest + 1))
    terms[:, 0, 0] = 1.0
    for which, (level, number) in enumerate(zip(levels, numbers, strict=True)):
        pool = np.full(levels.size, number)
        pool[which] -= 1
        before = terms.copy()
        for taken in range(1, min(largest, int(number)) + 1):
            shift = taken * int(level)
            ways = comb(pool, taken)[:, None, None]
            terms[:, taken:, shift:] += (
                ways * before[:, : largest + 1 - taken, : highest + 1 - shift]
            )
    return terms / comb(row.size - 1, np.arange(largest + 1))[:, None]


def _others(weights: csr_array) -> NDArray[np.int64]:
    return np.asarray(weights.sum(axis=1)).astype(np.int64) - 1


def _test(
    values: NDArray[np.generic], upper: NDArray[np.float64], lower: NDArray[np.float64]
) -> PermutationTest:
    p_value = np.minimum(1.0, 2 * np.minimum(upper, lower))
    p_value[values.max(axis=1) == values.min(axis=1)] = np.nan
    return PermutationTest(p_value, benjamini_hochberg(p_value), upper < lower)
