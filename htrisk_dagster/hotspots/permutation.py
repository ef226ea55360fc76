"""p-values of Gi* by conditional permutation: drawn for any values, exact for counts.

Belongs here: both tests. Does not: Gi* (`getis_ord.py`), which of them a table shows.

A cell keeps its value and all others are shuffled over the other places (Anselin 1995, doi
10.1111/j.1538-4632.1995.tb00338.x), so k - 1 of the n - 1 other values, drawn without replacement,
stand in for its neighbours. Mean and s stay, so sums over the neighbours are compared in place of
z. A tail holds the sums at least as extreme, ties included; two-sided is twice the smaller tail, at
most 1. esda's `p_sim` is the smaller tail, not doubled.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.hotspots.getis_ord import benjamini_hochberg, checked_panel

if TYPE_CHECKING:
    from scipy.sparse import csr_array


_ROUNDING = 1e-12


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

    The sum of m of the other cells' counts x_j, drawn without replacement, has the characteristic
    function e_m(exp(i w x_j)) / (n - 1 choose m), with e_m the elementary symmetric polynomial. By
    Newton's identities e_m follows from the power sums, which are the transform of the histogram of
    counts at w, 2w, ... mw; a fast Fourier transform turns it into the probability of each sum. There
    is no seed and no smallest p-value but rounding, 1e-12, which is put in the place of less. It
    costs one transform for each count that a cell has.

    Parameters
    ----------
    counts : int, shape (T, C)
        Not negative.
    weights
        As for `gi_star`; neighbourhoods of far fewer cells than there are.
    """
    values = checked_panel(counts, weights).astype(np.int64)
    others = _others(weights)
    observed = np.asarray((weights.astype(np.int64) @ values.T).T) - values
    upper, lower = np.empty(values.shape), np.empty(values.shape)
    for period, row in enumerate(values):
        for here, drawn, prob in _sum_probabilities(row, others):
            at = (drawn, observed[period, here])
            lower[period, here] = np.cumsum(prob, axis=1)[at]
            upper[period, here] = np.cumsum(prob[:, ::-1], axis=1)[:, ::-1][at]
    return _test(values, np.maximum(upper, _ROUNDING), np.maximum(lower, _ROUNDING))


def _sum_probabilities(
    row: NDArray[np.int64], others: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]]:
    """Yield the cells of each count in `row`, and the probability of sums of draws without one of them.

    The probabilities are by number of draws, of those that these cells have others, and by sum, from 0;
    between the two comes which number of draws is each cell's.
    """
    from scipy.fft import irfft, next_fast_len, rfft
    from scipy.special import comb

    largest = int(others.max())
    levels, cells = np.unique(row, return_counts=True)
    highest = int(np.sort(row)[-largest:].sum()) if largest else 0
    length = next_fast_len(max(highest, int(levels[-1])) + 1, real=True)
    histogram = np.zeros(length)
    histogram[levels] = cells
    # Half of the frequencies are enough for real values; multiples of them wrap round the circle.
    frequency = np.arange(length // 2 + 1)
    multiples = np.arange(1, largest + 1)[:, None] * frequency % length
    half = rfft(histogram)
    circle = np.concatenate([half, np.conj(half[1 : (length + 1) // 2])[::-1]])
    of_all = _elementary(circle[multiples])
    ways = comb(row.size - 1, np.arange(largest + 1))
    for level in levels:
        here = np.flatnonzero(row == level)
        numbers, drawn = np.unique(others[here], return_inverse=True)
        # Draws from all cells either leave the one out, or take it and one fewer of the rest.
        one = np.exp(-2j * np.pi / length * (frequency * level % length))
        without = np.ones((largest + 1, len(frequency)), dtype=np.complex128)
        for m in range(1, int(numbers[-1]) + 1):
            without[m] = of_all[m] - one * without[m - 1]
        yield here, drawn, irfft(without[numbers], n=length, axis=1) / ways[numbers, None]


def _elementary(power_sums: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Elementary symmetric polynomials 0 to m from power sums 1 to m, by Newton's identities."""
    largest = len(power_sums)
    found = np.ones((largest + 1, power_sums.shape[1]), dtype=np.complex128)
    signs = np.where(np.arange(largest) % 2, -1.0, 1.0)[:, None]
    signed = signs * power_sums
    for m in range(1, largest + 1):
        found[m] = (found[m - 1 :: -1] * signed[:m]).sum(axis=0) / m
    return found


def _others(weights: csr_array) -> NDArray[np.int64]:
    return np.asarray(weights.sum(axis=1)).astype(np.int64) - 1


def _test(
    values: NDArray[np.generic], upper: NDArray[np.float64], lower: NDArray[np.float64]
) -> PermutationTest:
    p_value = np.minimum(1.0, 2 * np.minimum(upper, lower))
    p_value[values.max(axis=1) == values.min(axis=1)] = np.nan
    return PermutationTest(p_value, benjamini_hochberg(p_value), upper < lower)
