"""Parts of a grid: a run of cells with the cells around them, numbered anew.

Belongs here: the cut of a grid into tiles, and the halo of one cell that neighbour means reach into.
Does not: what is made of a part (`features/feature_matrix`), where it is made (`scale/`).

Cells are numbered row by row from the south-west, so a run of numbers is a band of the city, and
tiles laid end to end are the whole grid in its own order.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.grid.cells import Grid
from htrisk_dagster.grid.neighbours import queen_contiguity


@dataclass(frozen=True, eq=False)
class GridPart:
    """Some cells of a grid: those that are asked for, and those that touch them.

    Parameters
    ----------
    grid : Grid
        P cells, numbered from 0 in the order of the whole grid.
    cell_ids : int64, shape (P,)
        Number of each in the whole grid, ascending.
    own : slice
        Of the part's cells, those that are asked for; the others are the halo.
    n_whole : int
        Cells of the whole grid.
    """

    grid: Grid
    cell_ids: NDArray[np.int64]
    own: slice
    n_whole: int

    @classmethod
    def whole(cls, grid: Grid) -> Self:
        """The part that is the grid itself."""
        n = grid.n_cells
        return cls(grid, np.arange(n, dtype=np.int64), slice(0, n), n)

    @classmethod
    def of(cls, grid: Grid, tile: slice) -> Self:
        """Cells numbered from `tile.start` up to, not including, `tile.stop`, and their halo.

        Raises
        ------
        ValueError
            Where the run is empty or reaches past the grid.
        """
        start, stop = tile.start, tile.stop
        if not 0 <= start < stop <= grid.n_cells:
            raise ValueError(f"Cells {start} to {stop} are no run of the {grid.n_cells} there are.")
        if stop - start == grid.n_cells:
            return cls.whole(grid)
        around = queen_contiguity(grid)[start:stop].indices
        cell_ids = np.union1d(np.arange(start, stop), around).astype(np.int64)
        # The last entry answers for -1, the squares that are no cell.
        number = np.full(grid.n_cells + 1, -1, dtype=np.int32)
        number[cell_ids] = np.arange(len(cell_ids), dtype=np.int32)
        cells = grid.cells[cell_ids].with_columns(
            cell_id=pl.int_range(len(cell_ids), dtype=pl.Int32)
        )
        touching = None
        if grid.touching is not None:
            pairs = number[grid.touching]
            touching = pairs[(pairs >= 0).all(axis=1)]
        part = replace(grid, cells=cells, lattice=number[grid.lattice], touching=touching)
        low, high = np.searchsorted(cell_ids, [start, stop])
        return cls(part, cell_ids, slice(int(low), int(high)), grid.n_cells)

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left out."""
        return len(self.cell_ids) == self.n_whole

    @cached_property
    def number_of(self) -> NDArray[np.int32]:
        """Number in the part of each cell of the whole grid, -1 for those outside, shape (C,)."""
        number = np.full(self.n_whole, -1, dtype=np.int32)
        number[self.cell_ids] = np.arange(len(self.cell_ids), dtype=np.int32)
        return number

    def placed(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows with a column `place`, their cell's number in the part; others may be left out."""
        if self.is_whole:
            return rows.with_columns(place="cell_id")
        known = rows.drop_nulls("cell_id")
        place = pl.Series(self.number_of[known["cell_id"].to_numpy()])
        return known.with_columns(place=place).filter(pl.col("place") >= 0)


def tiles_of(n_cells: int, n_tiles: int) -> tuple[slice, ...]:
    """Cut cells into runs of nearly the same length, at most one a cell.

    Raises
    ------
    ValueError
        Where less than one tile is asked for.
    """
    if n_tiles < 1:
        raise ValueError(f"A grid is cut into one tile at least, not {n_tiles}.")
    edges = np.linspace(0, n_cells, min(n_tiles, n_cells) + 1).astype(np.int64)
    return tuple(slice(int(a), int(b)) for a, b in pairwise(edges))
