"""A Gaussian kernel on a lattice of squares, exact and separable.

Belongs here: the mass a kernel puts into each square, and spreading values with it. Does not: edge
correction, bandwidths and what is spread (`hotspots/kde.py`, `models/cell_lattice.py`).

A square receives the mass that a normal around another square's centre puts into it: a product of
two probabilities, one a direction, so that one small matrix a direction does all squares and days
at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def spread_on_lattice(
    values: NDArray[np.float64],
    row: NDArray[np.int64],
    col: NDArray[np.int64],
    bandwidth_cells: float,
) -> NDArray[np.float64]:
    """Spread each cell's value over all squares of the lattice; give what reaches the cells.

    Parameters
    ----------
    values : float64, shape (..., C)
    row, col : int, shape (C,)
        Square of each cell, 0-based, no two in the same.
    bandwidth_cells : float
        Standard deviation of the kernel, in sides of a square.

    Returns
    -------
    float64, shape (..., C)
        What falls on squares that are no cells is lost, so sums may shrink.
    """
    n_rows, n_cols = int(row.max()) + 1, int(col.max()) + 1
    up = mass_between_squares(n_rows, 1.0 / bandwidth_cells)
    across = mass_between_squares(n_cols, 1.0 / bandwidth_cells)
    lattice = np.zeros((*values.shape[:-1], n_rows, n_cols))
    lattice[..., row, col] = values
    spread: NDArray[np.float64] = (up @ lattice @ across)[..., row, col]
    return spread


def mass_between_squares(n: int, size: float) -> NDArray[np.float64]:
    """Mass that a unit normal at the centre of square i puts into square j, shape (n, n).

    Parameters
    ----------
    n : int
        Squares in a line.
    size : float
        Side of a square, in standard deviations of the normal.
    """
    from scipy.special import ndtr

    steps = np.arange(n)
    mass = ndtr((steps + 0.5) * size) - ndtr((steps - 0.5) * size)
    matrix: NDArray[np.float64] = mass[np.abs(steps[:, None] - steps)]
    return matrix
