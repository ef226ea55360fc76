"""The quick way from points to cells gives what PROJ gives, to the last point."""

from __future__ import annotations

import numpy as np
import polars as pl
from htrisk_dagster.grid.cells import Grid
from htrisk_dagster.grid.point_lookup import cell_by_projection
from htrisk_dagster.grid.projection import to_plane


def test_cells_are_proj_s_everywhere_and_at_every_edge() -> None:
    """Random points in and around the lattice, and points on its lines to the last bit."""
    col, row = (axis.ravel() for axis in np.meshgrid(np.arange(40), np.arange(30)))
    keep = (col + row) % 7 > 0  # with holes, beside which points go to the nearest cell
    col, row = col[keep], row[keep]
    x, y = 585_000 + 500 * (col + 0.5), 4_510_000 + 500 * (row + 0.5)
    lon, lat = to_plane("EPSG:32618").transform(x, y, direction="INVERSE")
    cells = pl.DataFrame(
        {
            "cell_id": np.arange(len(col)), "col": col, "row": row, "x_m": x, "y_m": y,
            "lon": lon, "lat": lat, "land_share": 1.0, "precinct": 1, "borough": "A",
        }
    )  # fmt: skip
    grid = Grid.from_cells(cells, "EPSG:32618", 500)
    rng = np.random.default_rng(2)
    at_x = np.concatenate([rng.uniform(582_000, 608_000, 40_000), 585_000 + 500.0 * np.arange(41)])
    at_y = np.concatenate([rng.uniform(4_507_000, 4_528_000, 40_000), np.full(41, 4_512_000.0)])
    lon, lat = to_plane("EPSG:32618").transform(at_x, at_y, direction="INVERSE")
    lon, lat = np.append(lon, [np.nan, 0.0]), np.append(lat, [40.7, 0.0])

    by_proj = cell_by_projection(
        grid.lattice,
        crs=grid.crs,
        origin_m=(grid.origin_x_m, grid.origin_y_m),
        cell_size_m=grid.cell_size_m,
        lon=lon,
        lat=lat,
    )
    np.testing.assert_array_equal(grid.cell_of(lon, lat), by_proj)
    assert 0 < np.count_nonzero(by_proj < 0) < lon.size / 2
