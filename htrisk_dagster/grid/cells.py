"""`Grid`: square cells that touch land, their precinct and borough, and the cell of a point.

Belongs here: the lattice in the study area's projected CRS and how it is built from boundaries.
Does not: finding a point's square (`point_lookup`), which cells are neighbours (`neighbours`), how
far a point can be trusted (`location_quality`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import shapely
from numpy.typing import ArrayLike, NDArray
from pyproj import CRS
from pyproj.exceptions import CRSError

from htrisk_dagster.errors import SettingError, SourceError
from htrisk_dagster.grid.point_lookup import cell_of_points
from htrisk_dagster.grid.projection import to_plane
from htrisk_dagster.schemas import raw
from htrisk_dagster.schemas.grid import CELLS

_NONE = -1


@dataclass(frozen=True, eq=False)
class Grid:
    """Lattice of squares, of which those with enough land are cells.

    Parameters
    ----------
    crs : str
        Projected CRS in metres, such as EPSG:32618.
    cell_size_m : int
        Side of a cell.
    origin_x_m, origin_y_m : int
        South-west corner of lattice square (0, 0), a multiple of the cell size.
    n_cols, n_rows : int
        Extent of the lattice, eastwards and northwards.
    cells : DataFrame
        `schemas.grid.CELLS`, sorted by `cell_id`.
    lattice : int32, shape (n_rows, n_cols)
        `cell_id` of each square, -1 where the square is no cell.
    touching : int32, shape (n, 2), optional
        Of a grid of areas: both `cell_id` of each pair that touches, once in each order. Its squares
        are schematic, so that the lattice says nothing of who is near to whom.
    """

    crs: str
    cell_size_m: int
    origin_x_m: int
    origin_y_m: int
    n_cols: int
    n_rows: int
    cells: pl.DataFrame
    lattice: NDArray[np.int32]
    touching: NDArray[np.int32] | None = None

    @classmethod
    def from_cells(cls, cells: pl.DataFrame, crs: str, cell_size_m: int) -> Grid:
        """Rebuild the grid from the stored table `grid.cells` alone.

        Raises
        ------
        TableError
            Where `cells` breaks its schema.
        SourceError
            Where the table is empty, its numbers are not 0 to n-1, or its centres do not lie on
            one lattice of `cell_size_m`.
        """
        cells = CELLS.conform(cells).sort("cell_id")
        if cells.is_empty():
            raise SourceError(f"{CELLS.full_name} has no row. Make the grid first.")
        if cells["cell_id"].to_list() != list(range(cells.height)):
            raise SourceError(
                f"{CELLS.full_name}: column 'cell_id' is not 0 to {cells.height - 1} without a "
                "gap. Make the grid again."
            )
        col, row = cells["col"].to_numpy(), cells["row"].to_numpy()
        origin_x = _one_origin(cells["x_m"].to_numpy(), col, cell_size_m, "x_m")
        origin_y = _one_origin(cells["y_m"].to_numpy(), row, cell_size_m, "y_m")
        lattice = np.full((int(row.max()) + 1, int(col.max()) + 1), _NONE, dtype=np.int32)
        lattice[row, col] = cells["cell_id"].to_numpy()
        n_rows, n_cols = lattice.shape
        return cls(crs, cell_size_m, origin_x, origin_y, n_cols, n_rows, cells, lattice)

    @property
    def n_cells(self) -> int:
        """Number of cells C."""
        return self.cells.height

    def cell_of(self, lon: ArrayLike, lat: ArrayLike) -> NDArray[np.int32]:
        """Cell of each point, by arithmetic.

        A point in a square that is no cell, on a pier or a bridge, is given to the nearest of the
        8 squares around it that is one; the lower number wins a tie.

        Parameters
        ----------
        lon, lat : float, shape (n,)
            WGS 84, degrees; NaN where there is no point.

        Returns
        -------
        int32, shape (n,)
            `cell_id`, -1 for a point outside the study area or NaN.
        """
        return cell_of_points(
            self.lattice,
            crs=self.crs,
            origin_m=(self.origin_x_m, self.origin_y_m),
            cell_size_m=self.cell_size_m,
            lon=np.asarray(lon, dtype=np.float64),
            lat=np.asarray(lat, dtype=np.float64),
        )


def build_grid(
    boroughs: pl.DataFrame,
    precincts: pl.DataFrame,
    *,
    crs: str,
    cell_size_m: int,
    minimum_land_share: float,
) -> Grid:
    """Cut the land of the boroughs into square cells.

    Parameters
    ----------
    boroughs, precincts : DataFrame
        `schemas.raw.BOROUGHS` and `PRECINCTS`; land is the union of the boroughs.
    crs : str
        Projected CRS in metres.
    cell_size_m : int
        Side of a cell; the lattice starts at a multiple of it.
    minimum_land_share : float
        A square with a smaller share of land is no cell.

    Returns
    -------
    Grid
        Cells numbered row by row from the south-west, each with the precinct and the borough that
        hold most of its land, or the nearest where none does.

    Raises
    ------
    SettingError
        Where `crs` is unknown or not projected in metres.
    SourceError
        Where a boundary cannot be read or there is none.
    """
    _require_metres(crs)
    borough_names, borough_shapes = projected_shapes(
        boroughs, raw.BOROUGHS.full_name, "borough", crs
    )
    precinct_numbers, precinct_shapes = projected_shapes(
        precincts, raw.PRECINCTS.full_name, "precinct", crs
    )
    size = cell_size_m
    land = shapely.union_all(borough_shapes)
    west, south, east, north = shapely.bounds(land)
    origin_x, origin_y = int(west // size) * size, int(south // size) * size
    n_cols = int(np.ceil((east - origin_x) / size))
    n_rows = int(np.ceil((north - origin_y) / size))

    # Land is cut into rows first: each square then meets a short shore line, not the city's.
    bottom = origin_y + size * np.arange(n_rows)
    strips = shapely.intersection(land, shapely.box(west, bottom, east, bottom + size))
    row, col = (index.ravel() for index in np.indices((n_rows, n_cols)))
    x, y = origin_x + size * (col + 0.5), origin_y + size * (row + 0.5)
    squares = shapely.box(x - size / 2, y - size / 2, x + size / 2, y + size / 2)
    pieces = shapely.intersection(strips[row], squares)
    land_share = np.clip(shapely.area(pieces) / size**2, 0.0, 1.0)

    kept = np.flatnonzero((land_share >= minimum_land_share) & (land_share > 0))
    if kept.size == 0:
        raise SourceError(
            f"{raw.BOROUGHS.full_name}: no square of {size} m has {minimum_land_share:.0%} of "
            "land. Check that the boundaries are longitude and latitude."
        )
    lon, lat = to_plane(crs).transform(x[kept], y[kept], direction="INVERSE")
    cells = pl.DataFrame(
        {
            "cell_id": np.arange(kept.size),
            "col": col[kept] - col[kept].min(),
            "row": row[kept] - row[kept].min(),
            "x_m": x[kept],
            "y_m": y[kept],
            "lon": lon,
            "lat": lat,
            "land_share": land_share[kept],
            "precinct": precinct_numbers[_largest_overlap(pieces[kept], precinct_shapes)],
            "borough": borough_names[_largest_overlap(pieces[kept], borough_shapes)],
        }
    )
    return Grid.from_cells(cells, crs, cell_size_m)


def projected_shapes(
    areas: pl.DataFrame, table: str, name: str, crs: str
) -> tuple[NDArray[np.object_] | NDArray[np.int32], NDArray[np.object_]]:
    """Names and projected shapes of `areas`, in order of name whatever the order of the rows."""
    if areas.is_empty():
        raise SourceError(f"{table} has no row, so there is no grid. Load the boundaries first.")
    areas = areas.sort(name)
    try:
        shapes = shapely.from_wkb(areas["geometry"].to_list())
    except shapely.errors.GEOSException as error:
        raise SourceError(
            f"{table}: column 'geometry' has a value that is not WKB ({error}). Load it again."
        ) from error
    project = to_plane(crs)

    def in_metres(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(project.transform(points[:, 0], points[:, 1]))

    projected = shapely.transform(np.asarray(shapes, dtype=object), in_metres)
    return areas[name].to_numpy(), shapely.make_valid(projected)


def _largest_overlap(pieces: NDArray[np.object_], shapes: NDArray[np.object_]) -> NDArray[np.intp]:
    """Index into `shapes` of the one that holds most of each piece; the nearest where none does."""
    tree = shapely.STRtree(shapes)
    owner = np.zeros(len(pieces), dtype=np.intp)
    piece, shape = tree.query(pieces, predicate="intersects")
    owner[piece] = shape
    candidates = np.bincount(piece, minlength=len(pieces))
    orphans = np.flatnonzero(candidates == 0)
    owner[orphans] = tree.nearest(pieces[orphans])
    # Only a piece that meets several shapes needs the overlay; with one it is that one's.
    contested = candidates[piece] > 1
    piece, shape = piece[contested], shape[contested]
    overlap = shapely.area(shapely.intersection(pieces[piece], shapes[shape]))
    order = np.lexsort((shape, -overlap, piece))
    piece, first = np.unique(piece[order], return_index=True)
    owner[piece] = shape[order][first]
    return owner


def _one_origin(
    centre: NDArray[np.float64], index: NDArray[np.int32], size: int, column: str
) -> int:
    origin = centre - size * (index + 0.5)
    if np.ptp(origin) > 0.01:
        worst = int(np.argmax(np.abs(origin - np.median(origin))))
        raise SourceError(
            f"{CELLS.full_name}: '{column}' of cell {worst} is {centre[worst]}, off the lattice of "
            f"{size} m on which the others lie. Make the grid again with this cell size."
        )
    return round(float(origin[0]))


def _require_metres(crs: str) -> None:
    advice = "Set grid.crs of the study area to a projected CRS in metres, such as EPSG:32618."
    try:
        known = CRS.from_user_input(crs)
    except CRSError as error:
        raise SettingError(f"grid.crs '{crs}' is not a known CRS. {advice}") from error
    if not known.is_projected or any(axis.unit_name != "metre" for axis in known.axis_info):
        raise SettingError(f"grid.crs '{crs}' ({known.name}) is not in metres. {advice}")
