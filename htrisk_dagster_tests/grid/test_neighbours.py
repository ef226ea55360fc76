from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.grid.cells import Grid
from htrisk_dagster.grid.neighbours import queen_contiguity, within_radius
from scipy.spatial.distance import cdist


@pytest.fixture
def grid() -> Grid:
    """Six by five squares, a third of them no cells, one cell without neighbours."""
    rng = np.random.default_rng(2)
    is_cell = rng.random((6, 5)) < 0.67
    is_cell[:2, :2] = [[True, False], [False, False]]
    is_cell[:3, 2] = is_cell[2, :3] = False
    row, col = np.nonzero(is_cell)
    n = len(row)
    cells = pl.DataFrame(
        {
            "cell_id": np.arange(n), "col": col, "row": row,
            "x_m": 585_000 + 500 * (col + 0.5), "y_m": 4_510_000 + 500 * (row + 0.5),
            "lon": np.full(n, -74.0), "lat": np.full(n, 40.7), "land_share": np.ones(n),
            "precinct": np.ones(n, dtype=int), "borough": ["A"] * n,
        }
    )  # fmt: skip
    return Grid.from_cells(cells, "EPSG:32618", 500)


def _distances(grid: Grid) -> np.ndarray:
    centres = grid.cells.select("x_m", "y_m").to_numpy()
    return cdist(centres, centres)


def test_queen_contiguity_is_all_centres_within_a_diagonal(grid):
    found = queen_contiguity(grid).toarray()
    distances = _distances(grid)
    np.testing.assert_array_equal(found, (distances > 0) & (distances <= 500 * 2**0.5 + 1))
    assert found.dtype == np.int32
    assert (found.sum(axis=1) == 0).any()


def test_row_standardised_product_is_a_mean_over_neighbours(grid):
    values = np.random.default_rng(1).random(grid.n_cells)
    around = queen_contiguity(grid).toarray().astype(bool)
    expected = [values[row].mean() if row.any() else 0.0 for row in around]
    found = queen_contiguity(grid, row_standardised=True) @ values
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("radius_m", [0, 499, 500, 800, 1000, 1200, 5000])
def test_within_radius(grid, radius_m):
    np.testing.assert_array_equal(
        within_radius(grid, radius_m).toarray(), _distances(grid) <= radius_m
    )
