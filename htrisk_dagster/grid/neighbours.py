"""Which cells are near which: queen contiguity and a radius, as sparse matrices.

Belongs here: spatial weights over the cells of a `Grid`. Does not: what is averaged with them
(`features/`).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.grid.cells import Grid

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def queen_contiguity(grid: Grid, *, row_standardised: bool = False) -> csr_array:
    """Cells that share an edge or a corner; of a grid of areas, those whose shapes touch.

    Parameters
    ----------
    grid : Grid
        C cells.
    row_standardised : bool
        Divide each row by its number of neighbours, so that a product is a mean over them. The
        row of a cell without neighbours stays empty.

    Returns
    -------
    scipy.sparse.csr_array, shape (C, C)
        int32 ones, or float64 weights when standardised. A cell is not its own neighbour.
    """
    from scipy.sparse import diags_array

    steps = [(up, across) for up, across in product((-1, 0, 1), repeat=2) if up or across]
    contiguity = (
        _adjacency(grid, steps) if grid.touching is None else _of_pairs(grid, grid.touching)
    )
    if not row_standardised:
        return contiguity
    degree = contiguity.sum(axis=1)
    weight = np.divide(1.0, degree, out=np.zeros(degree.shape), where=degree > 0)
    return (diags_array(weight) @ contiguity).tocsr()


def within_radius(grid: Grid, radius_m: float) -> csr_array:
    """Cells whose centres lie within `radius_m` of each other's, a cell itself included.

    Of a grid of areas each by itself: it is larger than any radius that is asked for.

    Returns
    -------
    scipy.sparse.csr_array of int32, shape (C, C)
        Ones.
    """
    if grid.touching is not None:
        alone = np.arange(grid.n_cells)
        return _of_pairs(grid, np.stack([alone, alone], axis=1))
    reach = int(radius_m // grid.cell_size_m)
    steps = [
        (up, across)
        for up, across in product(range(-reach, reach + 1), repeat=2)
        if (up**2 + across**2) * grid.cell_size_m**2 <= radius_m**2
    ]
    return _adjacency(grid, steps)


def _adjacency(grid: Grid, steps: Iterable[tuple[int, int]]) -> csr_array:
    reach = max(grid.lattice.shape)
    row, col = grid.cells["row"].to_numpy(), grid.cells["col"].to_numpy()
    sources, targets = [], []
    for up, across in steps:
        if abs(up) >= reach or abs(across) >= reach:
            continue
        to_row, to_col = row + up, col + across
        inside = (to_row >= 0) & (to_row < grid.n_rows) & (to_col >= 0) & (to_col < grid.n_cols)
        neighbour = np.full(grid.n_cells, -1, dtype=np.int32)
        neighbour[inside] = grid.lattice[to_row[inside], to_col[inside]]
        sources.append(np.flatnonzero(neighbour >= 0))
        targets.append(neighbour[neighbour >= 0])
    return _of_pairs(grid, np.stack([np.concatenate(sources), np.concatenate(targets)], axis=1))


def _of_pairs(grid: Grid, pairs: NDArray[np.integer]) -> csr_array:
    from scipy.sparse import csr_array

    shape = (grid.n_cells, grid.n_cells)
    ones = np.ones(len(pairs), dtype=np.int32)
    matrix = csr_array((ones, (pairs[:, 0], pairs[:, 1])), shape=shape)
    matrix.sort_indices()
    return matrix
