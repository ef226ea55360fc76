"""Where the cells of a block lie: their squares, and kernels and rings over them.

Belongs here: the lattice read from the features `x_km` and `y_km`, spreading over it with edge
correction, sums over rings of cells. Does not: bandwidths and what is spread (`kde`, `shrinkage`,
`etas`, `prospective_hotspot`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.grid.lattice_kernel import spread_on_lattice
from htrisk_dagster.models.count_model import require_columns

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Array = NDArray[np.float64]

PLACE_COLUMNS = ("x_km", "y_km", "land_share")

# Positions are float32 kilometres: good to a tenth of a metre, far under a hundredth of a cell.
_SMALLEST_STEP_KM = 1e-3


@dataclass(frozen=True, eq=False)
class CellLattice:
    """The squares that the cells of a block fill.

    Parameters
    ----------
    row, col : int64, shape (C,)
        0-based, northwards and eastwards.
    land : float64, shape (C,)
        Share of each cell that can hold incidents, above 0; 1 where the block does not say.
    """

    row: NDArray[np.int64]
    col: NDArray[np.int64]
    land: Array

    @classmethod
    def of_block(cls, block: CellDayBlock, model: str) -> CellLattice:
        """Read the lattice from a block of at least one day; `model` is who asks.

        Raises
        ------
        ValueError
            Where the block has no positions or its cells do not lie on a lattice of squares.
        """
        require_columns(model, block, ("x_km", "y_km"))
        x, y = (block.column(name)[0].astype(np.float64) for name in ("x_km", "y_km"))
        step = min(_smallest_step(x), _smallest_step(y))
        if np.isinf(step):
            step = 1.0
        place = [(values - values.min()) / step for values in (y, x)]
        row, col = (np.rint(values).astype(np.int64) for values in place)
        off = max(float(np.abs(values - np.rint(values)).max()) for values in place)
        if off > 0.1 or len(np.unique(row * (col.max() + 1) + col)) < len(row):
            raise ValueError(
                f"Model '{model}' needs cells on a lattice of squares; positions x_km and y_km "
                f"with a step of {step:.3f} km are not."
            )
        land = np.ones(block.n_cells)
        if "land_share" in block.names:
            share = block.column("land_share")[0].astype(np.float64)
            land = np.where(share > 0, share, 1.0)
        return cls(row, col, land)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """The lattice as arrays to store beside a model's own."""
        return {"row": self.row, "col": self.col, "land": self.land}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Read what `to_arrays` gave."""
        return cls(arrays["row"], arrays["col"], arrays["land"])

    def spread(self, values: Array, bandwidth_cells: float) -> Array:
        """Spread values over land by a Gaussian kernel, shape (..., C); sums stay what they were.

        Each kernel is divided by the share of it that falls on land (Diggle 1985; Jones 1993), so
        that no mass is lost over water and past the border.
        """
        on_land = spread_on_lattice(self.land, self.row, self.col, bandwidth_cells)
        # The kernel is symmetric: what a cell's kernel puts on land is what land's puts on it.
        spread = spread_on_lattice(values / on_land, self.row, self.col, bandwidth_cells)
        result: Array = self.land * spread
        return result

    def sum_around(self, values: Array, bandwidth_cells: float) -> Array:
        """Sum over all *other* cells, each weighing exp(-d^2 / 2 h^2) at a distance of d cells.

        Parameters
        ----------
        values : float64, shape (..., C)
        bandwidth_cells : float
            h, in cells.
        """
        line = np.arange(max(int(self.row.max()), int(self.col.max())) + 1)
        weight = np.exp(-0.5 * ((line[:, None] - line) / bandwidth_cells) ** 2)
        n_rows, n_cols = int(self.row.max()) + 1, int(self.col.max()) + 1
        lattice = np.zeros((*values.shape[:-1], n_rows, n_cols))
        lattice[..., self.row, self.col] = values
        up, across = weight[:n_rows, :n_rows], weight[:n_cols, :n_cols]
        total = (up @ lattice @ across)[..., self.row, self.col]
        # Rounding may leave a trace below 0 where the others have nothing.
        result: Array = np.maximum(total - values, 0.0)
        return result

    def rings(self, weights: NDArray[np.float64]) -> csr_array:
        """Weight between cells that are n cells apart, counted as a king moves on a chess board.

        Parameters
        ----------
        weights : float64, shape (N,)
            Weight at 0, 1, ... N - 1 cells; beyond it is 0.

        Returns
        -------
        scipy.sparse.csr_array, shape (C, C)
            Symmetric.
        """
        from scipy.sparse import csr_array

        reach = len(weights) - 1
        shape = (int(self.row.max()) + 1 + 2 * reach, int(self.col.max()) + 1 + 2 * reach)
        rimmed = np.full(shape, -1, dtype=np.int64)
        n_cells = len(self.row)
        rimmed[self.row + reach, self.col + reach] = np.arange(n_cells)
        source, target, value = [], [], []
        for up, across in product(range(-reach, reach + 1), repeat=2):
            other = rimmed[self.row + reach + up, self.col + reach + across]
            found = np.flatnonzero(other >= 0)
            source.append(found)
            target.append(other[found])
            value.append(np.full(len(found), weights[max(abs(up), abs(across))]))
        indices = (np.concatenate(source), np.concatenate(target))
        matrix = csr_array((np.concatenate(value), indices), shape=(n_cells, n_cells))
        matrix.sort_indices()
        return matrix


def _smallest_step(values: Array) -> float:
    """Least distance between two positions that differ; infinity where all are the same."""
    steps = np.diff(np.unique(values))
    steps = steps[steps > _SMALLEST_STEP_KM]
    return float(steps.min()) if steps.size else float("inf")
