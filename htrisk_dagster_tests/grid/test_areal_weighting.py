"""Residents are split and none is lost: by hand, by a closed form, and by a second engine."""

from __future__ import annotations

import math
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.grid.areal_weighting import (
    average_rates,
    cells_of_lots,
    interpolated_medians,
    shared_lots,
    split_counts,
)
from htrisk_dagster.grid.cells import Grid, build_grid
from htrisk_dagster.schemas import context_sources
from htrisk_dagster.sources import intake
from htrisk_dagster.sources.context.census_areas import INCOME_BRACKETS_USD

CRS = "EPSG:32618"
CITY_RESIDENTS = 8_804_190  # U.S. Census 2020, New York City
REAL_DATA = Path(__file__).parents[2].parent / "shared" / "data" / "nyc"


@pytest.fixture
def grid(boroughs, precincts) -> Grid:
    """Six cells in two rows; see `test_cells_of_a_worked_example`."""
    return build_grid(boroughs, precincts, crs=CRS, cell_size_m=500, minimum_land_share=0.02)


def lots_at(point, *rows: tuple[float, float, str | None, float]) -> pl.DataFrame:
    """Lots at metres from the south-west corner, with their neighbourhood and residents."""
    places = [point(x, y) for x, y, _, _ in rows]
    return context_sources.TAX_LOTS.conform(
        pl.DataFrame(
            {
                "lon": [lon for lon, _ in places],
                "lat": [lat for _, lat in places],
                "neighbourhood": [area for *_, area, _ in rows],
                "precinct": [1] * len(rows),
                "residents_count": [residents for *_, residents in rows],
                "source_file": "lots",
                "source_row": range(1, len(rows) + 1),
                "pulled_on": date(2024, 1, 1),
            },
            schema_overrides={"neighbourhood": pl.String},
        )
    )


@pytest.fixture
def two_neighbourhoods(point) -> pl.DataFrame:
    """A: 60 residents in cell 0, 40 in cell 1. B: 100 in cell 1, none in cell 2. C: two empty lots."""
    return lots_at(
        point,
        (300, 100, "AA0001", 20.0),
        (350, 100, "AA0001", 40.0),
        (600, 100, "AA0001", 40.0),
        (900, 400, "BB0001", 100.0),
        (1200, 400, "BB0001", 0.0),
        (600, 600, "CC0001", 0.0),
        (1200, 600, "CC0001", 0.0),
    )


def values(variable: str, margin: float | None, **areas: float) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "neighbourhood": list(areas),
            "variable": variable,
            "value": list(areas.values()),
            "margin_of_error": [margin] * len(areas),
        },
        schema_overrides={"margin_of_error": pl.Float64},
    )


def test_lots_are_the_bridge(two_neighbourhoods, grid):
    assert shared_lots(two_neighbourhoods, grid).rows() == [
        (0, "AA0001", 60.0, 2),
        (1, "AA0001", 40.0, 1),
        (1, "BB0001", 100.0, 1),
        (2, "BB0001", 0.0, 1),
        (4, "CC0001", 0.0, 1),
        (5, "CC0001", 0.0, 1),
    ]


def test_counts_are_split_by_residents_as_worked_by_hand(two_neighbourhoods, grid):
    shared = shared_lots(two_neighbourhoods, grid)
    counts = values("households", 10.0, AA0001=50.0, BB0001=30.0, CC0001=8.0)
    split = split_counts(shared, counts)
    # A gives 60% and 40%, B all of it to cell 1, C without residents half a lot's share each.
    assert split.select("cell_id", "value").rows() == [(0, 30.0), (1, 50.0), (4, 4.0), (5, 4.0)]
    assert split["value"].sum() == counts["value"].sum()
    # 0.6 x 10; the root of 4^2 + 10^2; half of 10.
    assert split["margin_of_error"].to_list() == pytest.approx([6.0, math.sqrt(116), 5.0, 5.0])


def test_rates_are_means_over_residents_as_worked_by_hand(two_neighbourhoods, grid):
    shared = shared_lots(two_neighbourhoods, grid)
    rates = average_rates(shared, values("poverty_pct", 3.0, AA0001=10.0, BB0001=24.0))
    # Cell 1: 40 residents at 10% and 100 at 24%. No rate where nobody lives.
    assert rates.select("cell_id", "value").rows() == [(0, 10.0), (1, 20.0)]
    margin = math.sqrt((40 * 3) ** 2 + (100 * 3) ** 2) / 140
    assert rates["margin_of_error"].to_list() == pytest.approx([3.0, margin])


def test_a_missing_margin_is_not_taken_for_none(two_neighbourhoods, grid):
    shared = shared_lots(two_neighbourhoods, grid)
    a = values("poverty_pct", 3.0, AA0001=10.0)
    b = values("poverty_pct", None, BB0001=24.0)
    assert average_rates(shared, pl.concat([a, b]))["margin_of_error"].to_list() == [3.0, None]


def test_a_rate_that_one_neighbourhood_lacks_is_that_of_the_other(two_neighbourhoods, grid):
    shared = shared_lots(two_neighbourhoods, grid)
    rates = average_rates(shared, values("poverty_pct", 3.0, BB0001=24.0))
    assert rates.select("cell_id", "value").rows() == [(1, 24.0)]


def test_a_neighbourhood_without_a_lot_has_no_cell(two_neighbourhoods, grid):
    shared = shared_lots(two_neighbourhoods, grid)
    split = split_counts(shared, values("households", 1.0, AA0001=50.0, DD0001=7.0))
    assert split["value"].sum() == 50.0


def test_a_lot_off_the_grid_goes_to_the_nearest_cell(point, grid):
    lots = lots_at(point, (3_000, 100, "AA0001", 5.0), (-2_000, 900, "AA0001", 7.0))
    assert grid.cell_of(lots["lon"].to_numpy(), lots["lat"].to_numpy()).tolist() == [-1, -1]
    assert cells_of_lots(lots, grid).tolist() == [2, 3]
    assert shared_lots(lots, grid)["residents_count"].sum() == 12.0


def test_the_order_of_lots_moves_no_bit(two_neighbourhoods, grid):
    shuffled = two_neighbourhoods.sample(fraction=1.0, shuffle=True, seed=3)
    assert shared_lots(shuffled, grid).equals(shared_lots(two_neighbourhoods, grid))


def test_medians_of_brackets_as_worked_by_hand():
    lower = (0, 10_000, 20_000, 40_000)
    counts = np.array(
        [
            [10, 20, 10, 0],  # the 20th of 40: half of the second bracket
            [0, 0, 8, 0],  # half of the third
            [1, 1, 1, 7],  # in the open one: its lower end
            [5, 5, 0, 0],  # exactly at the end of the first
            [0, 0, 0, 0],
        ],
        dtype=float,
    )
    medians = interpolated_medians(counts, lower)
    assert medians[:4].tolist() == [15_000.0, 30_000.0, 40_000.0, 10_000.0]
    assert np.isnan(medians[4])


def test_a_median_of_brackets_is_near_that_of_the_incomes():
    incomes = np.random.default_rng(4).lognormal(11.2, 0.7, 50_000)
    edges = np.append(INCOME_BRACKETS_USD, np.inf)
    counts, _ = np.histogram(incomes, edges)
    median = interpolated_medians(counts[None].astype(float), INCOME_BRACKETS_USD)[0]
    assert median == pytest.approx(np.median(incomes), rel=0.02)


@pytest.fixture(scope="module")
def real() -> tuple[pl.DataFrame, pl.DataFrame, Grid]:
    """Lots, census and grid of New York."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"{REAL_DATA} is absent: tax lots of New York are needed")
    read = {
        name: intake.read(name, REAL_DATA, time_zone="America/New_York").kept
        for name in ("tax_lots", "census_areas", "boroughs", "precincts")
    }
    grid = build_grid(
        read["boroughs"], read["precincts"], crs=CRS, cell_size_m=500, minimum_land_share=0.02
    )
    return read["tax_lots"], read["census_areas"], grid


@pytest.mark.slow
@pytest.mark.real_data
def test_new_yorks_cells_sum_to_its_residents(real):
    lots, census, grid = real
    shared = shared_lots(lots, grid)
    assert shared["residents_count"].sum() == pytest.approx(CITY_RESIDENTS, abs=1e-3)

    published = census.filter(
        (pl.col("area_type") == "neighbourhood") & (pl.col("variable") == "acs_residents_count")
    ).rename({"area_id": "neighbourhood"})
    split = split_counts(shared, published)
    assert published["value"].sum() == 8_516_202
    assert split["value"].sum() == pytest.approx(8_516_202, rel=1e-12)

    # A second engine on a sample: geopandas puts lots into squares, and the formula is by hand.
    _assert_as_by_geopandas(lots, published, grid, split)


def _assert_as_by_geopandas(lots, published, grid, split) -> None:
    import geopandas
    import pandas as pd
    import shapely

    some = ["BK0101", "MN0502", "QN0403", "BX0401", "SI0204"]
    rows = lots.filter(pl.col("neighbourhood").is_in(some)).to_pandas()
    points = geopandas.GeoDataFrame(
        rows, geometry=geopandas.points_from_xy(rows.lon, rows.lat), crs="EPSG:4326"
    ).to_crs(CRS)
    half = grid.cell_size_m / 2
    x, y = (grid.cells[c].to_numpy() for c in ("x_m", "y_m"))
    squares = geopandas.GeoDataFrame(
        {"cell_id": grid.cells["cell_id"].to_numpy()},
        geometry=shapely.box(x - half, y - half, x + half, y + half),
        crs=CRS,
    )
    joined = points.sjoin(squares, predicate="within")
    assert len(joined) > 10_000
    assert len(joined) == len(points)
    by_hand: dict[int, float] = {}
    acs = dict(published.select("neighbourhood", "value").rows())
    for area, of_area in joined.groupby("neighbourhood"):
        total = of_area.residents_count.sum()
        for cell, residents in of_area.groupby("cell_id").residents_count.sum().items():
            by_hand[cell] = by_hand.get(cell, 0.0) + acs[area] * residents / total
    ours = split_counts(
        shared_lots(lots.filter(pl.col("neighbourhood").is_in(some)), grid), published
    )
    expected = pd.Series(by_hand)
    found = ours.to_pandas().set_index("cell_id").value
    expected = expected[expected > 0].sort_index()
    assert found.index.tolist() == expected.index.tolist()
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.slow
@pytest.mark.real_data
def test_poverty_weighted_to_precincts_is_near_what_is_published_for_them(real):
    """The census has precincts too: neighbourhoods brought there by lots are held to it."""
    lots, census, _ = real
    rate = pl.col("variable") == "poverty_pct"
    neighbourhoods = census.filter(rate & (pl.col("area_type") == "neighbourhood"))
    precincts = census.filter(rate & (pl.col("area_type") == "precinct"))
    shared = (
        lots.group_by(pl.col("precinct").alias("cell_id"), "neighbourhood")
        .agg(pl.col("residents_count").sum(), pl.len().alias("lots_count"))
    )  # fmt: skip
    weighted = average_rates(shared, neighbourhoods.rename({"area_id": "neighbourhood"}))
    both = weighted.with_columns(area_id=pl.col("cell_id").cast(pl.String)).join(
        precincts, on="area_id", suffix="_published"
    )
    error = (both["value"] - both["value_published"]).abs()
    assert both.height == 76
    assert error.median() < 0.3  # points of per cent; measured 0.18
    assert error.quantile(0.9) < 1.2  # measured 0.83
    # 95% lie within the margin that is published for the precinct itself.
    assert (error <= both["margin_of_error_published"]).mean() > 0.9
