"""Reports and places of a category: a planted relation is found by both methods, none is claimed without."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.evaluation.place_relation import (
    PointReports,
    land_rectangle,
    relate_categories,
)
from htrisk_dagster.grid.cells import Grid
from htrisk_dagster.grid.projection import to_degrees
from htrisk_dagster.schemas.context import PLACE_RELATION

CRS = "EPSG:32617"
WEST, SOUTH, SIDE = 320_000, 4_680_000, 60  # 30 km: nine blocks of 10 km
CATEGORIES = ("liquor_store", "motel")


def grid_of(land: np.ndarray) -> Grid:
    """A grid of 500 m squares, rows northwards; squares without land are no cells."""
    row, col = np.nonzero(land > 0)
    x, y = WEST + 500 * (col + 0.5), SOUTH + 500 * (row + 0.5)
    lon, lat = to_degrees(CRS, np.column_stack([x, y]))
    cells = pl.DataFrame(
        {
            "cell_id": np.arange(len(row)), "col": col, "row": row, "x_m": x, "y_m": y, "lon": lon,
            "lat": lat, "land_share": land[row, col], "precinct": 1, "borough": "DETROIT",
        }
    )  # fmt: skip
    return Grid.from_cells(cells, CRS, 500)


@pytest.fixture(scope="module")
def grid() -> Grid:
    return grid_of(np.ones((SIDE, SIDE)))


def clustered(n: int, seed: int) -> np.ndarray:
    """Metres from the corner, in forty clusters 400 m wide."""
    rng = np.random.default_rng(seed)
    parents = rng.uniform(0, 500 * SIDE, (40, 2))
    points = parents[rng.integers(0, 40, n)] + rng.normal(scale=400.0, size=(n, 2))
    return points % (500 * SIDE)


def degrees(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return to_degrees(CRS, points + np.array([WEST, SOUTH]))


def reports(points: np.ndarray) -> PointReports:
    return PointReports("robbery", *degrees(points), date(2022, 1, 1), date(2023, 12, 31))


def places(points: np.ndarray, category: str = "liquor_store") -> pl.DataFrame:
    lon, lat = degrees(points)
    return pl.DataFrame({"category": category, "lon": lon, "lat": lat}).with_columns(
        pulled_on=pl.lit(date(2024, 5, 1))
    )


def test_reports_around_stores_are_found_by_both_methods(grid: Grid) -> None:
    rng = np.random.default_rng(1)
    stores = clustered(150, 2)
    near = stores[rng.integers(0, 150, 600)] + rng.normal(scale=100.0, size=(600, 2))
    elsewhere = rng.uniform(0, 500 * SIDE, (600, 2))
    at = reports(np.vstack([near % (500 * SIDE), elsewhere]))
    relation, curves = relate_categories(at, places(stores), CATEGORIES, grid, seed=3, n_shifts=39)
    row = relation.row(0, named=True)
    assert row["cross_k_p_value_prob"] == pytest.approx(1 / 40)
    assert row["rate_ratio_low"] > 1.5
    assert (row["places_count"], row["incidents_count"]) == (150, 1200)
    assert row["box_km2"] == 900.0
    assert (row["block_km"], row["blocks_count"]) == (10.0, 9)
    assert row["places_on"] == date(2024, 5, 1)
    told = curves.filter(radius_m=300.0).row(0, named=True)
    assert told["k_ratio"] > told["k_ratio_high"]
    assert f"stood {told['k_ratio']:.2f} times" in row["sentence"]
    assert "not cause" in row["sentence"]
    # A category without a place has its row, and says so.
    none = relation.row(1, named=True)
    assert none["category"] == "motel"
    assert none["rate_ratio"] is None
    assert none["sentence"].startswith("Too few places of the category motel")


def test_patterns_that_ignore_each_other_are_seldom_related(grid: Grid) -> None:
    found = [
        relate_categories(
            reports(clustered(400, 10 + 2 * i)), places(clustered(80, 11 + 2 * i)),
            CATEGORIES[:1], grid, seed=i, n_shifts=39,
        )[0].row(0, named=True)
        for i in range(20)
    ]  # fmt: skip
    # Of twenty true nulls at 5%, five or more have probability .003.
    assert sum(r["cross_k_p_value_prob"] <= 0.05 for r in found) < 5


def test_the_largest_rectangle_of_land() -> None:
    land = np.ones((20, 30))
    land[:, 10] = 0.5  # a river: of 10 and of 19 columns, the latter is cut by a lake
    land[15:, 25] = 0.0
    box = land_rectangle(grid_of(land))
    # Columns 11 to 29 of rows 0 to 14 (285) beat 11 to 24 of all rows (280) and 0 to 9 (200).
    assert box == (WEST + 5500, SOUTH, WEST + 15_000, SOUTH + 7500)
    islets = grid_of(np.full((30, 30), 0.5))
    assert land_rectangle(islets) is None
    rng = np.random.default_rng(9)
    at, stores = (rng.uniform(0, 15_000, (n, 2)) for n in (300, 60))
    relation, curves = relate_categories(
        reports(at), places(stores), CATEGORIES[:1], islets, seed=1, n_shifts=19
    )
    assert curves.is_empty()
    assert relation.select("box_km2", "box_places_count").row(0) == (0.0, 0)
    assert relation["rate_ratio"].null_count() == 0, "the regression needs no rectangle"


def test_a_small_city_has_smaller_blocks_and_too_small_a_one_no_regression() -> None:
    rng = np.random.default_rng(4)
    small = grid_of(np.ones((30, 30)))  # 15 km: four blocks of 10 km, nine of 5 km
    at, stores = (rng.uniform(0, 15_000, (n, 2)) for n in (300, 60))
    relation, _ = relate_categories(
        reports(at), places(stores), CATEGORIES[:1], small, seed=1, n_shifts=19
    )
    assert relation.select("block_km", "blocks_count").row(0) == (5.0, 9)
    tiny = grid_of(np.ones((10, 10)))
    at, stores = at % 5000, stores % 5000
    relation, curves = relate_categories(
        reports(at), places(stores), CATEGORIES[:1], tiny, seed=1, n_shifts=19
    )
    row = relation.row(0, named=True)
    assert row["rate_ratio"] is None
    assert row["cross_k_p_value_prob"] > 0.05
    assert row["sentence"].endswith("not cause.")
    assert curves["radius_m"].max() == 1000.0
    assert PLACE_RELATION.problems(relation) == []
