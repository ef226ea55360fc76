from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import shapely
from htrisk_dagster.errors import SettingError, SourceError, TableError
from htrisk_dagster.grid.cells import Grid, build_grid

CRS = "EPSG:32618"
REAL_DATA = Path(__file__).parents[2].parent / "shared" / "data" / "nyc"


@pytest.fixture
def grid(boroughs, precincts) -> Grid:
    return build_grid(boroughs, precincts, crs=CRS, cell_size_m=500, minimum_land_share=0.02)


@pytest.fixture(scope="module")
def nyc(nyc_boundaries) -> Grid:
    return build_grid(*nyc_boundaries, crs=CRS, cell_size_m=500, minimum_land_share=0.02)


def test_cells_of_a_worked_example(grid):
    # Row by row from the south-west; the islet of 0.5% is no cell.
    assert grid.cells.select("cell_id", "col", "row").rows() == [
        (0, 0, 0), (1, 1, 0), (2, 2, 0), (3, 0, 1), (4, 1, 1), (5, 2, 1),
    ]  # fmt: skip
    assert grid.cells["land_share"].to_list() == pytest.approx([0.5, 1, 1] * 2, abs=1e-3)
    assert grid.cells["borough"].to_list() == ["WEST", "EAST", "EAST"] * 2
    # The middle column is 150 m precinct 1 and 349 m precinct 2; the east column lies 1 m from 2.
    assert grid.cells["precinct"].to_list() == [1, 2, 2] * 2
    assert (grid.origin_x_m, grid.origin_y_m) == (585_000, 4_510_000)
    assert grid.cells["x_m"].to_list() == [585_250, 585_750, 586_250] * 2


def test_islet_is_a_cell_where_less_land_is_enough(boroughs, precincts):
    grid = build_grid(boroughs, precincts, crs=CRS, cell_size_m=500, minimum_land_share=0.004)
    assert grid.cells.select("col", "row", "precinct", "borough").row(-1) == (0, 3, 1, "WEST")
    assert grid.cells["land_share"][-1] == pytest.approx(25 * 50 / 500**2, rel=1e-3)


def test_order_of_the_boundary_rows_does_not_matter(grid, boroughs, precincts):
    again = build_grid(
        boroughs.reverse(), precincts.reverse(), crs=CRS, cell_size_m=500, minimum_land_share=0.02
    )
    assert again.cells.equals(grid.cells)


def test_from_cells_gives_the_same_grid(grid):
    again = Grid.from_cells(grid.cells.reverse(), CRS, 500)
    assert again.cells.equals(grid.cells)
    np.testing.assert_array_equal(again.lattice, grid.lattice)
    for field in ("origin_x_m", "origin_y_m", "n_cols", "n_rows", "n_cells"):
        assert getattr(again, field) == getattr(grid, field)


def test_from_cells_refuses_what_is_no_grid(grid):
    with pytest.raises(SourceError, match="'x_m' of cell 1"):
        Grid.from_cells(
            grid.cells.with_columns(
                x_m=pl.when(pl.col("cell_id") == 1).then(1.0).otherwise("x_m")
            ),
            CRS, 500,
        )  # fmt: skip
    with pytest.raises(SourceError, match="not 0 to 4"):
        Grid.from_cells(grid.cells.filter(pl.col("cell_id") != 2), CRS, 500)
    with pytest.raises(SourceError, match="has no row"):
        Grid.from_cells(grid.cells.clear(), CRS, 500)
    with pytest.raises(TableError, match="'precinct'"):
        Grid.from_cells(grid.cells.drop("precinct"), CRS, 500)


def test_centres_fall_in_their_own_cell(grid):
    cells = grid.cells
    np.testing.assert_array_equal(grid.cell_of(cells["lon"], cells["lat"]), cells["cell_id"])


@pytest.mark.parametrize(
    ("x_m", "y_m", "cell"),
    [
        (1, 1, 0),
        (499, 999, 3),
        (501, 999, 4),
        (1510, 490, 2),  # 10 m east of cell 2
        (1510, 510, 5),
        (1990, 10, 2),  # still in the square beside it
        (2010, 10, -1),  # two squares away
        (-490, 1490, 3),  # diagonal
        (-10, -510, -1),
        (740, 1001, 4),
        (300_000, 0, -1),
    ],
)
def test_cell_of_a_point(grid, point, x_m, y_m, cell):
    assert grid.cell_of(*np.array([point(x_m, y_m)]).T).tolist() == [cell]


def test_point_without_coordinates_has_no_cell(grid):
    assert grid.cell_of([np.nan, -73.9, 0.0], [40.7, np.nan, 0.0]).tolist() == [-1, -1, -1]
    assert grid.cell_of([], []).tolist() == []


def test_astray_points_go_to_the_nearest_square(grid, point):
    rng = np.random.default_rng(3)
    x, y = rng.uniform(-700, 2700, 400), rng.uniform(-700, 1700, 400)
    found = grid.cell_of(*np.array([point(*p) for p in zip(x, y, strict=True)]).T)
    squares = {row["cell_id"]: (row["col"], row["row"]) for row in grid.cells.iter_rows(named=True)}
    for px, py, cell in zip(x, y, found, strict=True):
        col, row = px // 500, py // 500
        near = {
            i: shapely.distance(
                shapely.Point(px, py),
                shapely.box(c * 500, r * 500, c * 500 + 500, r * 500 + 500),
            )
            for i, (c, r) in squares.items()
            if abs(c - col) <= 1 and abs(r - row) <= 1
        }
        assert cell == (min(near, key=near.get) if near else -1)


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:2263", "EPSG:0", "metres"])
def test_crs_must_be_projected_in_metres(boroughs, precincts, crs):
    with pytest.raises(SettingError, match=r"grid\.crs"):
        build_grid(boroughs, precincts, crs=crs, cell_size_m=500, minimum_land_share=0.02)


def test_boundaries_that_cannot_be_used(boroughs, precincts):
    def build(boroughs, precincts):
        build_grid(boroughs, precincts, crs=CRS, cell_size_m=500, minimum_land_share=0.02)

    with pytest.raises(SourceError, match=r"raw\.precincts has no row"):
        build(boroughs, precincts.clear())
    with pytest.raises(SourceError, match=r"raw\.boroughs: column 'geometry'"):
        build(boroughs.with_columns(geometry=pl.lit(b"no")), precincts)
    with pytest.raises(SourceError, match="no square of 500 m"):
        build(boroughs.with_columns(geometry=pl.lit(shapely.to_wkb(shapely.Point(-74, 40.7)))),
              precincts)  # fmt: skip


@pytest.mark.real_data
def test_land_of_new_york(nyc):
    # Land area of the city by the Census Bureau: 300.5 square miles; the shore line of the file
    # takes in a little more.
    land_km2 = nyc.cells["land_share"].sum() * 0.25
    assert land_km2 == pytest.approx(300.5 * 2.58999, rel=0.02)
    assert 3_100 < nyc.n_cells < 3_700
    assert nyc.cells["precinct"].n_unique() == 78
    assert nyc.cells["borough"].n_unique() == 5


@pytest.mark.real_data
def test_new_york_agrees_with_a_spatial_join(nyc, nyc_boundaries):
    import geopandas as gpd

    cells = nyc.cells
    half = nyc.cell_size_m / 2
    x, y = cells["x_m"].to_numpy(), cells["y_m"].to_numpy()
    squares = gpd.GeoDataFrame(
        {"cell_id": cells["cell_id"].to_numpy()},
        geometry=shapely.box(x - half, y - half, x + half, y + half),
        crs=CRS,
    )
    rng = np.random.default_rng(5)
    lon, lat = rng.uniform(-74.26, -73.70, 20_000), rng.uniform(40.49, 40.92, 20_000)
    points = gpd.GeoDataFrame(geometry=gpd.points_from_xy(lon, lat), crs="EPSG:4326").to_crs(CRS)
    joined = points.sjoin(squares, how="left", predicate="within")["cell_id"]
    inside = joined.notna().to_numpy()
    assert inside.mean() > 0.3
    np.testing.assert_array_equal(nyc.cell_of(lon, lat)[inside], joined[inside].to_numpy())

    # A cell that lies in one precinct has that precinct; others have the one with most of it.
    precincts = gpd.GeoDataFrame(
        {"precinct": nyc_boundaries[1]["precinct"].to_numpy()},
        geometry=shapely.from_wkb(nyc_boundaries[1]["geometry"].to_list()),
        crs="EPSG:4326",
    ).to_crs(CRS)
    within = squares.sjoin(precincts, predicate="within")
    assert len(within) > 1_000
    np.testing.assert_array_equal(
        cells["precinct"].to_numpy()[within["cell_id"]], within["precinct"]
    )
    parts = gpd.overlay(squares, precincts, how="intersection")
    most = parts.assign(area=parts.area).sort_values("area").groupby("cell_id")["precinct"].last()
    agree = cells["precinct"].to_numpy()[most.index] == most.to_numpy()
    assert agree.mean() > 0.99  # the two files draw the shore a little differently


@pytest.mark.real_data
def test_cells_with_felonies_in_new_york(nyc):
    path = REAL_DATA / "complaints" / "nypd_felonies_2014_2015_STHSL.csv.gz"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    rows = pl.read_csv(path)
    cell = nyc.cell_of(rows["Longitude"], rows["Latitude"])
    assert (cell >= 0).all()
    # 2,785 cells were measured for reference/field.md on a lattice of its own.
    assert np.unique(cell).size == pytest.approx(2_785, rel=0.03)
    agree = nyc.cells["precinct"].to_numpy()[cell] == rows["Precinct"].to_numpy()
    assert agree.mean() > 0.85
