"""A grid whose cells are areas: for a city that publishes beats or towns and no points.

Belongs here: a cell for each declared area, its square on a schematic map, which areas touch, and the
choice between such a grid and squares of ground.
Does not: squares of ground (`cells`), what a city declares (`study_areas/`).

Every later step counts by cell and day and never asks what a cell is, so that areas can be cells.
Each gets a square of a tile-grid map: where shapes are known the squares are those nearest to the
areas' middles, an assignment of least total squared distance (Jonker & Volgenant 1987); where none
are, rows of squares in order of number. A square's place is for drawing only. Who is a neighbour of
whom comes from shapes that touch, and where there are none, nobody is.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import shapely
from numpy.typing import NDArray

from htrisk_dagster.errors import SourceError
from htrisk_dagster.grid.cells import Grid, build_grid, projected_shapes
from htrisk_dagster.grid.projection import to_degrees, to_plane
from htrisk_dagster.schemas import raw
from htrisk_dagster.study_areas.area import StudyArea

# Kernels reach 11 cells; at this distance along a line even those of two areas hardly meet.
_APART_CELLS = 24
# Of the table from areas to squares: 40 MB.
_MOST_COSTS = 5_000_000
# Shapes drawn by hand leave slivers: areas this near to each other touch.
_TOUCH_M = 20.0


def grid_of(area: StudyArea, boroughs: pl.DataFrame, precincts: pl.DataFrame) -> Grid:
    """The grid that a study area declares: squares of ground, or its areas as cells.

    Parameters
    ----------
    area : StudyArea
    boroughs, precincts : DataFrame
        `schemas.raw.BOROUGHS` and `PRECINCTS`.

    Raises
    ------
    SettingError, SourceError
        As for `cells.build_grid` and `build_area_grid`.
    """
    part = area.grid
    if part.unit == "cell":
        return build_grid(boroughs, precincts, **part.model_dump(exclude={"unit"}))
    rows = [(p.number, (p.district or area.title).upper()) for p in area.areas.values()]
    return build_area_grid(
        pl.DataFrame(rows, schema={"number": pl.Int32, "district": pl.String}, orient="row"),
        precincts,
        middle=area.bounding_box.middle,
        crs=part.crs,
        cell_size_m=part.cell_size_m,
    )


def build_area_grid(
    areas: pl.DataFrame,
    precincts: pl.DataFrame,
    *,
    middle: tuple[float, float],
    crs: str,
    cell_size_m: int,
) -> Grid:
    """Make a cell of every area.

    Parameters
    ----------
    areas : DataFrame
        number (unique, from 1), district.
    precincts : DataFrame
        `schemas.raw.PRECINCTS`: shapes of areas, all or none of them.
    middle : (float, float)
        Longitude and latitude around which squares are laid where there are no shapes.
    crs : str
        Projected CRS in metres.
    cell_size_m : int
        Side of a square of the map. With shapes, the largest area has about that square of land.

    Returns
    -------
    Grid
        Cells in order of `number`, row by row from the south-west as in any grid; contiguity is
        that of the shapes.

    Raises
    ------
    SourceError
        Where there is no area, or some have a shape and others none.
    """
    areas = areas.sort("number")
    if areas.is_empty():
        raise SourceError("The study area declares no [areas], so there is no grid.")
    n = areas.height
    if precincts.is_empty():
        land = np.ones(n)
        place = np.stack(np.divmod(np.arange(n), int(np.ceil(np.sqrt(n)))), axis=1)
        x, y = to_plane(crs).transform(*middle)
        centres = None
    else:
        shapes = _shapes_of(areas, precincts, crs)
        size = shapely.area(shapes)
        land = np.maximum(size / size.max(), 1e-6)
        centres = shapely.get_coordinates(shapely.point_on_surface(shapes))
        place = _nearest_squares(centres, float(np.sqrt(np.median(size))))
        x, y = centres.mean(axis=0)
    origin = np.array([x // cell_size_m, y // cell_size_m]) * cell_size_m
    drawn = origin + cell_size_m * (place[:, ::-1] + 0.5)
    lon, lat = to_degrees(crs, drawn if centres is None else centres)
    cells = pl.DataFrame(
        {
            "row": place[:, 0],
            "col": place[:, 1],
            "x_m": drawn[:, 0],
            "y_m": drawn[:, 1],
            "lon": lon,
            "lat": lat,
            "land_share": land,
            "precinct": areas["number"],
            "borough": areas["district"],
        }
    )
    numbered = cells.sort("row", "col").with_row_index("cell_id")
    grid = Grid.from_cells(numbered, crs, cell_size_m)
    return with_touching_areas(grid, precincts)


def with_touching_areas(grid: Grid, precincts: pl.DataFrame) -> Grid:
    """The grid as one of areas, with the contiguity of their shapes; of none where there are none."""
    if precincts.is_empty():
        return replace(grid, touching=np.empty((0, 2), dtype=np.int32))
    shapes = _shapes_of(grid.cells.select(number="precinct"), precincts, grid.crs)
    one, other = shapely.STRtree(shapes).query(shapes, predicate="dwithin", distance=_TOUCH_M)
    pairs = np.stack([one, other], axis=1)[one != other]
    order = np.lexsort((pairs[:, 1], pairs[:, 0]))
    return replace(grid, touching=pairs[order].astype(np.int32))


def far_apart(n_areas: int) -> NDArray[np.float64]:
    """Places of areas in cells, east and north, so far apart that no kernel joins two, shape (n, 2).

    On one long line; every second one stands a cell aside, which tells a reader of positions how
    large a cell is.
    """
    index = np.arange(n_areas)
    return np.stack([index % 2, _APART_CELLS * index], axis=1).astype(np.float64)


def _shapes_of(areas: pl.DataFrame, precincts: pl.DataFrame, crs: str) -> NDArray[np.object_]:
    """Projected shapes in the order of `areas`."""
    lacking = set(areas["number"]) - set(precincts["precinct"])
    if lacking:
        raise SourceError(
            f"{raw.PRECINCTS.full_name} has no shape of the areas numbered {sorted(lacking)}. Add them "
            "to the file of areas, or take boundary.areas out of the study area: then no area has one."
        )
    numbers, shapes = projected_shapes(precincts, raw.PRECINCTS.full_name, "precinct", crs)
    return shapes[np.searchsorted(numbers, areas["number"].to_numpy())]


def _nearest_squares(centres: NDArray[np.float64], side_m: float) -> NDArray[np.intp]:
    """Row and column of a square of its own for each centre, near to it, shape (n, 2).

    Squares are as large as an area usually is, larger where an area far away would ask for too many.
    """
    from scipy.optimize import linear_sum_assignment

    n = len(centres)
    ground = float((np.ptp(centres, axis=0) + side_m).prod())
    side = max(side_m, float(np.sqrt(ground * n / _MOST_COSTS)))
    at = (centres - centres.min(axis=0)) / side
    n_cols, n_rows = (np.ceil(at.max(axis=0)).astype(int) + 1).tolist()
    row, col = (index.ravel() for index in np.indices((n_rows, n_cols)))
    cost = (at[:, :1] - col) ** 2 + (at[:, 1:] - row) ** 2
    _, chosen = linear_sum_assignment(cost)
    place: NDArray[np.intp] = np.stack([row[chosen], col[chosen]], axis=1)
    place -= place.min(axis=0)
    return place
