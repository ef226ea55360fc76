"""The points at which a complaint can stand: street corners, station houses, and faults.

Belongs here: their places, and their coordinates as the publisher writes them. Does not: which
complaint stands where (`incidents`).

The real file snaps a complaint to a street corner or the middle of a block, so the same point
repeats. Here 5 x 5 jittered points a cell play the corners; those off the borough or in another
precinct than the cell are dropped, so that precincts have the complaints they should.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.sources.synthetic_city.land import CELL_M, CRS, Land, project
from htrisk_dagster.sources.synthetic_city.precincts import Precincts

_PER_SIDE = 5
_JITTER_DM = 350  # Decimetres, so that the draw is a whole number.
# The middle point is not moved: a cell's centre is on land, so every cell keeps a corner.
_MIDDLE = _PER_SIDE * _PER_SIDE // 2

OUTSIDE_LON, OUTSIDE_LAT = -77.519206334, 40.112709974


@dataclass(frozen=True)
class Corners:
    """Every point of the city, in this order: corners by cell, station houses, three faults.

    Parameters
    ----------
    x_m, y_m : ndarray of float64, shape (n,)
        Corners and station houses in metres.
    precinct : ndarray of int64, shape (n,)
        Index of the precinct a point lies in.
    cell : ndarray of int64, shape (n,)
        Index of the cell a corner lies in, -1 for a station house.
    first, count : ndarray of int64, shape (C,)
        Index of a cell's first corner, and how many it has.
    station : ndarray of int64, shape (P,)
        Index of each precinct's station house.
    """

    x_m: NDArray[np.float64]
    y_m: NDArray[np.float64]
    precinct: NDArray[np.int64]
    cell: NDArray[np.int64]
    first: NDArray[np.int64]
    count: NDArray[np.int64]
    station: NDArray[np.int64]

    @property
    def zero(self) -> int:
        """Index of the fault at zero degrees, zero feet."""
        return len(self.x_m)

    @property
    def outside(self) -> int:
        """Index of the fault far outside the city."""
        return len(self.x_m) + 1

    @property
    def missing(self) -> int:
        """Index of the row without coordinates."""
        return len(self.x_m) + 2


def place_corners(
    land: Land, precincts: Precincts, precinct: NDArray[np.int64], rng: np.random.Generator
) -> Corners:
    """Scatter the corners and add the station houses.

    Parameters
    ----------
    land, precincts
        Cells and areas.
    precinct : ndarray of int64, shape (C,)
        Index of each cell's precinct.
    rng : numpy.random.Generator
        Stream of this part.
    """
    import shapely

    steps = (np.arange(_PER_SIDE) + 0.5) * CELL_M / _PER_SIDE - CELL_M / 2
    offset = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2)
    jitter = rng.integers(-_JITTER_DM, _JITTER_DM + 1, (len(land.col), len(offset), 2)) / 10
    jitter[:, _MIDDLE] = 0.0
    x = (land.x_m[:, None] + offset[:, 0] + jitter[:, :, 0]).ravel()
    y = (land.y_m[:, None] + offset[:, 1] + jitter[:, :, 1]).ravel()
    cell = np.repeat(np.arange(len(land.col)), len(offset))
    borough = land.borough[cell]
    inside = np.zeros(x.shape, dtype=bool)
    for index, outline in enumerate(land.outlines):
        mine = borough == index
        inside[mine] = shapely.contains_xy(outline, x[mine], y[mine])
    inside &= precincts.locate(x, y, borough) == precinct[cell]
    x, y, cell = x[inside], y[inside], cell[inside]
    count = np.bincount(cell, minlength=len(land.col))
    return Corners(
        x_m=np.concatenate([x, precincts.station_m[:, 0]]),
        y_m=np.concatenate([y, precincts.station_m[:, 1]]),
        precinct=np.concatenate([precinct[cell], np.arange(len(precincts.number))]),
        cell=np.concatenate([cell, np.full(len(precincts.number), -1)]),
        first=np.cumsum(count) - count,
        count=count,
        station=len(x) + np.arange(len(precincts.number)),
    )


def written_points(corners: Corners) -> pl.DataFrame:
    """Coordinates of every point as text, one row a point, in the order of `Corners`.

    Columns are the publisher's: X_COORD_CD and Y_COORD_CD in feet of EPSG:2263, Latitude and
    Longitude with at most 9 decimals, Lat_Lon, and the newer point in well-known text.
    """
    lon, lat = project(CRS, "EPSG:4326", corners.x_m, corners.y_m)
    # NAD 83's zone 18 (within a metre of WGS 84's): with one datum on both sides no grid file
    # is looked for, so every machine takes the same path.
    x_ft, y_ft = project("EPSG:26918", "EPSG:2263", corners.x_m, corners.y_m)
    points = pl.DataFrame(
        {
            "X_COORD_CD": np.round([*x_ft, 0, 110_000]).astype(np.int64),
            "Y_COORD_CD": np.round([*y_ft, 0, 30_000]).astype(np.int64),
            "Latitude": np.round([*lat, 0.0, OUTSIDE_LAT], 9),
            "Longitude": np.round([*lon, 0.0, OUTSIDE_LON], 9),
        }
    )
    texts = points.cast(pl.String).with_columns(
        Lat_Lon=pl.format("({}, {})", "Latitude", "Longitude"),
        wkt=pl.format("POINT ({} {})", "Longitude", "Latitude"),
    )
    return pl.concat([texts, pl.DataFrame([[None]] * 6, schema=texts.schema)])
