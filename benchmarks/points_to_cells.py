"""Points to grid cells by arithmetic, against geopandas' spatial join."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.city_inputs import points, read_grid, simulate
from benchmarks.sides import Answer, Row, Side, Target


def prepare(folder: Path) -> None:
    """Points of all complaints, and the grid."""
    simulate(folder)
    points(folder)


def read_points(folder: Path):
    """Longitude and latitude, float64."""
    import numpy as np

    stored = np.load(points(folder))
    return stored["lon"], stored["lat"]


def cell_polygons(folder: Path):
    """Cells as squares in the plane of the grid, with number and precinct."""
    import geopandas as gpd
    import shapely

    grid = read_grid(folder)
    x, y = grid.cells["x_m"].to_numpy(), grid.cells["y_m"].to_numpy()
    half = grid.cell_size_m / 2
    return gpd.GeoDataFrame(
        {
            "cell_id": grid.cells["cell_id"].to_numpy(),
            "precinct": grid.cells["precinct"].to_numpy(),
        },
        geometry=shapely.box(x - half, y - half, x + half, y + half),
        crs=grid.crs,
    )


def _ours(folder: Path) -> Callable[[], object]:
    grid, (lon, lat) = read_grid(folder), read_points(folder)
    return lambda: grid.cell_of(lon, lat)


def _geopandas(folder: Path) -> Callable[[], object]:
    import geopandas as gpd

    squares, (lon, lat) = cell_polygons(folder)[["cell_id", "geometry"]], read_points(folder)

    def work() -> object:
        places = gpd.GeoDataFrame(geometry=gpd.points_from_xy(lon, lat), crs="EPSG:4326")
        joined = gpd.sjoin(places.to_crs(squares.crs), squares, how="left", predicate="within")
        return joined["cell_id"].fillna(-1).astype("int32").to_numpy()

    return work


def _answer(cells: object) -> Answer:
    return {"cell_id": cells}  # type: ignore[dict-item]


def same_where_joined(ours: Answer, usual: Answer) -> str | None:
    """Equal wherever the join finds a square; piers and bridges, which it leaves out, are ours."""
    name = next(iter(ours))
    a, b = ours[name], usual[name]
    if len(a) != len(b):
        return f"{len(a):,} answers and {len(b):,}"
    differ = (b >= 0) & (a != b)
    lost = (b >= 0) & (a < 0)
    left_out = int((b < 0).sum())
    if differ.any() or lost.any() or left_out > 0.01 * len(a):
        return f"{int(differ.sum()):,} of {len(a):,} points differ; the join left out {left_out:,}"
    return None


ROW = Row(
    work="points → cells, 1.6 M",
    prepare=prepare,
    ours=Side("arithmetic on the lattice", _ours, _answer),
    usual=Side("geopandas sjoin", _geopandas, _answer),
    same=same_where_joined,
    target=Target(ratio=50),
    note="Both project from degrees. A point on a pier, in no cell, is given to the nearest by ours.",
)
