"""Points to precincts through their cells, against geopandas' spatial join.

A precinct is here what the grid takes it for, the union of its cells: the question of the features.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.city_inputs import read_grid
from benchmarks.points_to_cells import cell_polygons, prepare, read_points, same_where_joined
from benchmarks.sides import Answer, Row, Side, Target


def _ours(folder: Path) -> Callable[[], object]:
    import numpy as np

    grid, (lon, lat) = read_grid(folder), read_points(folder)
    precinct = np.append(grid.cells["precinct"].to_numpy(), -1)
    return lambda: precinct[grid.cell_of(lon, lat)]


def _geopandas(folder: Path) -> Callable[[], object]:
    import geopandas as gpd

    precincts = cell_polygons(folder).dissolve("precinct").reset_index()[["precinct", "geometry"]]
    lon, lat = read_points(folder)

    def work() -> object:
        places = gpd.GeoDataFrame(geometry=gpd.points_from_xy(lon, lat), crs="EPSG:4326")
        joined = gpd.sjoin(places.to_crs(precincts.crs), precincts, how="left", predicate="within")
        return joined["precinct"].fillna(-1).astype("int32").to_numpy()

    return work


def _answer(found: object) -> Answer:
    return {"precinct": found}  # type: ignore[dict-item]


ROW = Row(
    work="points → precincts, 1.6 M",
    prepare=prepare,
    ours=Side("the precinct of the cell", _ours, _answer),
    usual=Side("geopandas sjoin", _geopandas, _answer),
    same=same_where_joined,
    target=Target(ratio=20),
    note="Precincts as unions of cells on both sides.",
)
