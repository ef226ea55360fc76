"""Self-excitation: an incident raises the intensity around it for some days.

Belongs here: the kernel, offspring of incidents, and the intensity that incidents leave behind.
Does not: the background that incidents come from (`intensity`, `world`).

A Hawkes process in whole days (Mohler et al. 2011). Each incident has a Poisson number of offspring
with mean `kappa`, each a geometric number of days later, `MEAN_LAG_DAYS` on average and one at
least, displaced by 200 m of standard deviation in each direction. From a random place in a cell of
500 m that leaves the cell to each side with probability 0.16 (200 m times 0.399 over 500 m).
Offspring that would leave the land stay in the cell. Drawn by generation, as the Poisson cluster
process that a Hawkes process is (Hawkes and Oakes 1974), so there is no loop over days.

References
----------
Hawkes, A. G. and Oakes, D. (1974). A cluster process representation of a self-exciting process.
Journal of Applied Probability 11.
Mohler, G. O. et al. (2011). Self-exciting point process modeling of crime. JASA 106.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

MEAN_LAG_DAYS = 7
_STEPS = (-1, 0, 1)
_STEP_PERCENT = (16, 68, 16)
_MOVES = tuple(product(range(3), repeat=2))


@dataclass(frozen=True, eq=False)
class Spread:
    """Where offspring go.

    Parameters
    ----------
    target : ndarray of int64, shape (9, C)
        Cell reached from each cell by each move: south-west to north-east, the cell itself where
        the move would leave the land.
    """

    target: NDArray[np.int64]

    @classmethod
    def over(cls, col: NDArray[np.int64], row: NDArray[np.int64]) -> Spread:
        """Work out the moves between the cells at these places of the lattice."""
        col, row = col - col.min() + 1, row - row.min() + 1
        lattice = np.full((row.max() + 2, col.max() + 2), -1, dtype=np.int64)
        lattice[row, col] = np.arange(len(col))
        reached = np.stack([lattice[row + _STEPS[i], col + _STEPS[j]] for i, j in _MOVES])
        return cls(np.where(reached < 0, np.arange(len(col)), reached))

    @property
    def shares(self) -> NDArray[np.float64]:
        """Share of offspring of each move, shape (9,)."""
        return np.array([_STEP_PERCENT[i] * _STEP_PERCENT[j] / 10_000 for i, j in _MOVES])

    @property
    def matrix(self) -> csr_array:
        """Share of a cell's (row) offspring that falls in a cell (column), shape (C, C)."""
        from scipy.sparse import csr_array

        n_cells = self.target.shape[1]
        start = np.tile(np.arange(n_cells), len(_MOVES))
        share = np.repeat(self.shares, n_cells)
        return csr_array((share, (start, self.target.ravel())), shape=(n_cells, n_cells))

    def move(self, cell: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
        """Draw the cell of one offspring of an incident in each cell given, shape (n,)."""
        steps = np.searchsorted(
            np.cumsum(_STEP_PERCENT), rng.integers(0, 100, (2, len(cell))), side="right"
        )
        reached: NDArray[np.int64] = self.target[steps[0] * 3 + steps[1], cell]
        return reached


def with_offspring(
    day: NDArray[np.int64],
    cell: NDArray[np.int64],
    n_days: int,
    kappa: float,
    spread: Spread,
    rng: np.random.Generator,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Add the offspring of all generations that fall within the days.

    Parameters
    ----------
    day, cell : ndarray of int64, shape (n,)
        Incidents of the background.
    n_days : int
        Days D.
    kappa : float
        Mean offspring of an incident, below 1.
    spread : Spread
        Where offspring go.
    rng : numpy.random.Generator
        Random numbers.

    Returns
    -------
    day, cell : ndarray of int64, shape (m,)
        Background first.
    """
    days, cells = [day], [cell]
    while len(days[-1]):
        children = rng.poisson(kappa, len(days[-1]))
        born = np.repeat(days[-1], children) + rng.geometric(1 / MEAN_LAG_DAYS, children.sum())
        moved = spread.move(np.repeat(cells[-1], children), rng)
        within = born < n_days
        days.append(born[within])
        cells.append(moved[within])
    return np.concatenate(days), np.concatenate(cells)


def excitation(
    occurred: NDArray[np.int64],
    known: NDArray[np.int64],
    cell: NDArray[np.int64],
    weight: NDArray[np.float64],
    shape: tuple[int, int],
    kappa: float,
    spread: Spread,
) -> NDArray[np.float32]:
    """Intensity that incidents leave behind, as known at the start of each day.

    Parameters
    ----------
    occurred, known : ndarray of int64, shape (n,)
        Day of occurrence, and day at whose end an incident is known, not before it.
    cell : ndarray of int64, shape (n,)
        Cell of each.
    weight : ndarray of float64, shape (n,)
        What each counts for: 1, or one over the share of incidents that is known at all.
    shape : (int, int)
        Days D and cells C.
    kappa, spread
        The kernel.

    Returns
    -------
    ndarray of float32, shape (D, C)
        Expected offspring by day and cell of the incidents with `known` before the day.
    """
    from scipy.signal import lfilter

    n_days, n_cells = shape
    stay = 1 - 1 / MEAN_LAG_DAYS
    counts = known + 1 < n_days
    occurred, known, cell = occurred[counts], known[counts], cell[counts]
    # On the first day that knows it, day known + 1, an incident is known + 1 - occurred days old.
    first = weight[counts] * kappa / MEAN_LAG_DAYS * stay ** (known - occurred)
    flat = (known + 1) * n_cells + spread.target[:, cell]
    began = np.bincount(
        flat.ravel(), np.outer(spread.shares, first).ravel(), minlength=n_days * n_cells
    )
    left: NDArray[np.float64] = lfilter([1.0], [1.0, -stay], began.reshape(n_days, n_cells), axis=0)
    return left.astype(np.float32)


def stationary_rate(
    background: NDArray[np.float64], kappa: float, spread: Spread
) -> NDArray[np.float64]:
    """Mean intensity by cell, offspring of all generations included, shape (C,)."""
    moved = spread.matrix.T
    total = generation = background
    while kappa > 0 and generation.sum() > 1e-9 * total.sum():
        generation = kappa * (moved @ generation)
        total = total + generation
    return total
