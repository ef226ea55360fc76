"""The cell of a point, for millions of points: arithmetic on the lattice, PROJ only where it matters.

Belongs here: from longitude and latitude to a square, and the nearest cell beside an empty one. Does
not: the lattice (`cells`), the fitted projection (`projection`).
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.grid.projection import local_projection, to_plane

NO_CELL = -1
# Points that fit into a core's cache together with what is made of them.
_CHUNK = 16_384
# Squares around the lattice, so that those around a point just off it exist.
_RIM = 2

Array = NDArray[np.float64]


def cell_of_points(
    lattice: NDArray[np.int32],
    *,
    crs: str,
    origin_m: tuple[float, float],
    cell_size_m: float,
    lon: Array,
    lat: Array,
) -> NDArray[np.int32]:
    """Cell of each point, the same as `cell_by_projection` in a sixth of the time.

    Parameters
    ----------
    lattice : int32, shape (n_rows, n_cols)
        Cell of each square, -1 where it is none.
    crs : str
        Projected CRS in metres.
    origin_m : (float, float)
        South-west corner of square (0, 0), metres.
    cell_size_m : float
    lon, lat : float64, shape (n,)
        Degrees; NaN where there is no point.

    Returns
    -------
    int32, shape (n,)
        -1 for a point outside the lattice or NaN.
    """
    west, south = (start - _RIM * cell_size_m for start in origin_m)
    rimmed = np.pad(lattice, _RIM, constant_values=NO_CELL)
    n_rows, n_cols = rimmed.shape
    fitted = local_projection(
        crs, west, south, west + n_cols * cell_size_m, south + n_rows * cell_size_m
    )
    if fitted is None:
        return cell_by_projection(
            lattice, crs=crs, origin_m=origin_m, cell_size_m=cell_size_m, lon=lon, lat=lat
        )
    # The polynomial knows the square but at its very edge, and no distances: those are PROJ's.
    margin = 2 * fitted.error_m / cell_size_m + 1e-9
    squares = rimmed.ravel()
    found = np.full(lon.shape, NO_CELL, dtype=np.int32)
    again = [np.zeros(0, dtype=np.intp)]
    for start in range(0, lon.size, _CHUNK):
        here = slice(start, start + _CHUNK)
        covered = fitted.covers(lon[here], lat[here])
        x, y = fitted.transform(
            np.where(covered, lon[here], fitted.centre[0]),
            np.where(covered, lat[here], fitted.centre[1]),
        )
        east, north = (x - west) / cell_size_m, (y - south) / cell_size_m
        col, row = east.astype(np.int32), north.astype(np.int32)
        inside = covered & (east > 0) & (north > 0) & (col < n_cols) & (row < n_rows)
        cell = squares[np.where(inside, row * n_cols + col, 0)]
        edge = np.abs(east - np.rint(east)) < margin
        edge |= np.abs(north - np.rint(north)) < margin
        found[here] = cell
        again.append(start + np.flatnonzero(covered & (edge | (cell == NO_CELL))))
    which = np.concatenate(again)
    found[which] = cell_by_projection(
        lattice, crs=crs, origin_m=origin_m, cell_size_m=cell_size_m, lon=lon[which], lat=lat[which]
    )
    return found


def cell_by_projection(
    lattice: NDArray[np.int32],
    *,
    crs: str,
    origin_m: tuple[float, float],
    cell_size_m: float,
    lon: Array,
    lat: Array,
) -> NDArray[np.int32]:
    """Cell of each point by PROJ; parameters as of `cell_of_points`."""
    n_rows, n_cols = lattice.shape
    x, y = to_plane(crs).transform(lon, lat)
    # In cells from the origin. What the projection cannot place comes back as infinity.
    east = (np.asarray(x) - origin_m[0]) / cell_size_m
    north = (np.asarray(y) - origin_m[1]) / cell_size_m
    near = (east >= -1) & (east < n_cols + 1) & (north >= -1) & (north < n_rows + 1)
    found = np.full(lon.shape, NO_CELL, dtype=np.int32)
    rimmed = np.pad(lattice, _RIM, constant_values=NO_CELL)
    found[near] = _cell_or_nearest(rimmed, east[near] + _RIM, north[near] + _RIM)
    return found


def _cell_or_nearest(
    lattice: NDArray[np.int32], east: NDArray[np.float64], north: NDArray[np.float64]
) -> NDArray[np.int32]:
    col, row = np.floor(east).astype(np.intp), np.floor(north).astype(np.intp)
    found = lattice[row, col]
    astray = np.flatnonzero(found == NO_CELL)
    col, row = col[astray], row[astray]
    across, up = east[astray] - col, north[astray] - row
    # Distance from the point, at (across, up) of its own square, to the square around it.
    gap_x = {-1: across, 0: np.zeros_like(across), 1: 1 - across}
    gap_y = {-1: up, 0: np.zeros_like(up), 1: 1 - up}
    best = np.full(astray.size, np.inf)
    for step_y, step_x in product((-1, 0, 1), repeat=2):  # in order of cell number
        neighbour = lattice[row + step_y, col + step_x]
        distance = np.hypot(gap_x[step_x], gap_y[step_y])
        closer = (neighbour != NO_CELL) & (distance < best)
        best[closer] = distance[closer]
        found[astray[closer]] = neighbour[closer]
    return found
