"""Areas as cells: a square for each, contiguity of shapes that touch, and kernels that join none."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import shapely
from htrisk_dagster.errors import SourceError
from htrisk_dagster.grid.area_grid import build_area_grid, far_apart, with_touching_areas
from htrisk_dagster.grid.cells import Grid
from htrisk_dagster.grid.lattice_kernel import mass_between_squares
from htrisk_dagster.grid.location_quality import place_incidents
from htrisk_dagster.grid.neighbours import queen_contiguity, within_radius
from htrisk_dagster.schemas import raw, staging

CRS = "EPSG:32721"  # UTM 21 south
WEST, SOUTH, SIDE = -56.2, -34.9, 0.02
FORM = {"middle": (WEST, SOUTH), "crs": CRS, "cell_size_m": 2_000}


def areas(*numbers: int) -> pl.DataFrame:
    rows = [(n, "NORTH" if n > 3 else "SOUTH") for n in numbers]
    return pl.DataFrame(rows, schema={"number": pl.Int32, "district": pl.String}, orient="row")


def shapes(places: dict[int, tuple[int, int]]) -> pl.DataFrame:
    """One square a number, at a column and row."""
    rows = [
        {
            "precinct": number,
            "geometry": shapely.to_wkb(
                shapely.box(WEST + SIDE * col, SOUTH + SIDE * row,
                            WEST + SIDE * (col + 1), SOUTH + SIDE * (row + 1))
            ),
            "source_file": "beats.geojson", "source_row": number, "pulled_on": None,
        }
        for number, (col, row) in places.items()
    ]  # fmt: skip
    frame = pl.DataFrame(rows).with_columns(pulled_on=pl.date(2024, 1, 1))
    return raw.PRECINCTS.conform(frame)


# 1 2 3 in a row, 4 above 2, and 9 far away.
PLACES = {1: (0, 0), 2: (1, 0), 3: (2, 0), 4: (1, 1), 9: (9, 7)}


def neighbours(grid: Grid) -> dict[int, set[int]]:
    numbers = grid.cells["precinct"].to_numpy()
    matrix = queen_contiguity(grid).toarray()
    return {int(n): set(numbers[row > 0].tolist()) for n, row in zip(numbers, matrix, strict=True)}


def test_areas_with_shapes_lie_on_the_map_as_on_the_ground_and_touch_as_shapes_do():
    grid = build_area_grid(areas(*PLACES), shapes(PLACES), **FORM)
    cells = {row["precinct"]: row for row in grid.cells.iter_rows(named=True)}
    assert neighbours(grid) == {1: {2, 4}, 2: {1, 3, 4}, 3: {2, 4}, 4: {1, 2, 3}, 9: set()}
    assert cells[1]["col"] < cells[2]["col"] < cells[3]["col"] < cells[9]["col"]
    assert cells[4]["row"] > cells[2]["row"]
    # The point of an area lies inside it, south of the equator as it should.
    assert WEST < cells[1]["lon"] < WEST + SIDE
    assert SOUTH < cells[1]["lat"] < SOUTH + SIDE
    assert cells[4]["borough"] == "NORTH"
    np.testing.assert_allclose(grid.cells["land_share"], 1.0, rtol=2e-3)


def test_the_share_of_land_is_the_size_of_an_area_by_that_of_the_largest():
    twice = shapes({1: (0, 0)})
    wide = shapely.to_wkb(shapely.box(WEST, SOUTH + 1, WEST + 2 * SIDE, SOUTH + 1 + SIDE))
    both = pl.concat(
        [twice, twice.with_columns(precinct=pl.lit(2, pl.Int32), geometry=pl.lit(wide))]
    )
    land = build_area_grid(areas(1, 2), both, **FORM).cells.sort("precinct")["land_share"]
    # A degree of longitude a degree farther north is longer by cos 33.9 / cos 34.9.
    longer = np.cos(np.radians(33.89)) / np.cos(np.radians(34.89))
    assert land.to_list() == pytest.approx([0.5 / longer, 1.0], rel=2e-3)


def test_areas_without_shapes_are_rows_of_squares_and_have_no_neighbours():
    grid = build_area_grid(areas(3, 1, 2, 7, 8), raw.PRECINCTS.empty(), **FORM)
    assert grid.cells["precinct"].to_list() == [1, 2, 3, 7, 8]
    assert grid.cells.select("row", "col").rows() == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]
    assert queen_contiguity(grid).nnz == 0
    assert within_radius(grid, 5_000.0).toarray().tolist() == np.eye(5).tolist()


def test_a_stored_grid_is_made_again_with_its_shapes():
    grid = build_area_grid(areas(*PLACES), shapes(PLACES), **FORM)
    again = with_touching_areas(Grid.from_cells(grid.cells, CRS, 2_000), shapes(PLACES))
    assert neighbours(again) == neighbours(grid)


def test_an_area_without_a_shape_among_others_is_named():
    with pytest.raises(SourceError, match=r"no shape of the areas numbered \[5\]"):
        build_area_grid(areas(1, 5), shapes({1: (0, 0)}), **FORM)


def test_no_kernel_joins_two_areas():
    places = far_apart(40)
    assert len({*map(tuple, places)}) == 40
    assert np.unique(np.diff(np.unique(places[:, 0]))).tolist() == [1.0]  # a cell is one step
    nearest = int(np.diff(places[:, 1]).min())
    # The widest kernel that any model tries, 11 cells, at two areas beside each other.
    assert (
        mass_between_squares(nearest + 1, 1 / 11)[0, nearest]
        < 0.1 * mass_between_squares(1, 1 / 11)[0, 0]
    )
    assert mass_between_squares(nearest + 1, 1 / 4)[0, nearest] < 1e-8


def test_a_report_is_placed_by_its_area_alone():
    grid = build_area_grid(areas(1, 2), raw.PRECINCTS.empty(), **FORM)
    row = {
        "source": "incident_reports", "occurred_at": None, "occurred_on": None, "reported_on": None,
        "offence_code": None, "offence_group": "other", "law_category": None, "borough": None,
        "origin": "reported",
    }  # fmt: skip
    staged = pl.DataFrame(
        [
            {**row, "incident_id": "a", "precinct": 2, "lon": None, "lat": None},
            {**row, "incident_id": "b", "precinct": None, "lon": None, "lat": None},
            {**row, "incident_id": "c", "precinct": 2, "lon": 0.0, "lat": 0.0},
        ],
        schema=staging.INCIDENTS.polars_schema(),
    ).with_columns(
        occurred_on=pl.date(2024, 1, 1), reported_on=pl.date(2024, 1, 1),
        occurred_at=pl.datetime(2024, 1, 1),
    )  # fmt: skip
    empty = raw.PRECINCTS.empty()
    placed = place_incidents(staged, grid, boroughs=raw.BOROUGHS.empty(), precincts=empty)
    assert placed.select("cell_id", "location_quality").rows() == [
        (1, "exact"), (None, "missing"), (1, "exact"),
    ]  # fmt: skip
