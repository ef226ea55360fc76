"""Tiles laid end to end are the grid, and each knows all neighbours of its own cells."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.grid.cells import Grid
from htrisk_dagster.grid.neighbours import queen_contiguity
from htrisk_dagster.grid.parts import GridPart, tiles_of


@pytest.fixture(scope="module")
def ragged() -> Grid:
    """Seven by nine squares with a third of them in the water."""
    col, row = (axis.ravel() for axis in np.meshgrid(np.arange(9), np.arange(7)))
    kept = np.random.default_rng(3).random(63) < 0.66
    col, row = col[kept], row[kept]
    cells = pl.DataFrame(
        {
            "cell_id": np.arange(len(col)), "col": col, "row": row,
            "x_m": 585_000 + 500 * (col + 0.5), "y_m": 4_510_000 + 500 * (row + 0.5),
            "lon": -74 + 0.006 * col, "lat": 40.7 + 0.0045 * row, "land_share": 1.0,
            "precinct": 1 + col // 3, "borough": "A",
        }
    )  # fmt: skip
    return Grid.from_cells(cells, "EPSG:32618", 500)


@pytest.mark.parametrize("n_tiles", [1, 2, 5, 100])
def test_tiles_are_the_grid_in_its_order(n_tiles: int) -> None:
    tiles = tiles_of(42, n_tiles)

    assert len(tiles) == min(n_tiles, 42)
    assert np.concatenate([np.arange(t.start, t.stop) for t in tiles]).tolist() == list(range(42))
    assert max(t.stop - t.start for t in tiles) - min(t.stop - t.start for t in tiles) <= 1


def test_no_tile_is_refused() -> None:
    with pytest.raises(ValueError, match="at least, not 0"):
        tiles_of(42, 0)


def test_the_own_cells_of_a_part_have_all_their_neighbours(ragged: Grid) -> None:
    whole = queen_contiguity(ragged).toarray()
    for tile in tiles_of(ragged.n_cells, 4):
        part = GridPart.of(ragged, tile)
        near = queen_contiguity(part.grid).toarray()[part.own]

        ids = part.cell_ids
        assert ids[part.own].tolist() == list(range(tile.start, tile.stop))
        assert np.array_equal(near, whole[tile][:, ids])
        assert near.sum() == whole[tile].sum()  # no neighbour is missing
        # And no cell is there for nothing.
        halo = np.setdiff1d(ids, np.arange(tile.start, tile.stop))
        assert (whole[tile][:, halo].sum(axis=0) > 0).all()


def test_a_part_of_touching_areas_keeps_its_pairs(ragged: Grid) -> None:
    from dataclasses import replace

    chain = np.array([(i, i + 1) for i in range(ragged.n_cells - 1)], dtype=np.int32)
    areas = replace(ragged, touching=np.concatenate([chain, chain[:, ::-1]]))

    part = GridPart.of(areas, slice(10, 12))

    assert part.cell_ids.tolist() == [9, 10, 11, 12]
    assert queen_contiguity(part.grid).toarray()[part.own].tolist() == [[1, 0, 1, 0], [0, 1, 0, 1]]


def test_rows_get_the_number_of_their_cell_in_the_part(ragged: Grid) -> None:
    part = GridPart.of(ragged, slice(0, 3))
    outside = int(np.setdiff1d(np.arange(ragged.n_cells), part.cell_ids)[0])
    rows = pl.DataFrame({"cell_id": [2, None, outside, int(part.cell_ids[-1])]})

    placed = part.placed(rows)

    assert placed["place"].to_list() == [2, len(part.cell_ids) - 1]
    assert GridPart.whole(ragged).placed(rows)["place"].to_list() == rows["cell_id"].to_list()


def test_a_run_that_is_none_is_refused(ragged: Grid) -> None:
    with pytest.raises(ValueError, match="no run"):
        GridPart.of(ragged, slice(5, 5))
