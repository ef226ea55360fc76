"""Context of cells and areas: what is known, since when, and what is absent."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest
from htrisk_dagster.grid.areal_weighting import shared_lots
from htrisk_dagster.grid.cells import Grid, build_grid
from htrisk_dagster.grid.context_tables import ContextSources, area_context, cell_context
from htrisk_dagster.schemas import context_sources as tables
from htrisk_dagster.sources.context.census_areas import INCOME_BRACKETS_USD, bracket_variable
from htrisk_dagster.study_areas.area import ContextPart

PART = ContextPart.model_validate(
    {
        "census": {"last_year": 2023, "lag_days": 347},
        "hotels": {"lag_days": 1},
        "subway_stations": {"known_from": date(2018, 9, 8)},
        "places": {"lag_days": 2, "categories": ["motel", "bus_station"]},
    }
)
PROVENANCE = {"source_file": "a.csv", "source_row": 1, "pulled_on": date(2025, 5, 5)}


@pytest.fixture
def grid(boroughs, precincts) -> Grid:
    """Six cells in two rows of three."""
    return build_grid(
        boroughs, precincts, crs="EPSG:32618", cell_size_m=500, minimum_land_share=0.02
    )


def rows_of(table: Any, *rows: dict[str, Any]) -> pl.DataFrame:
    return table.conform(
        pl.DataFrame(
            [PROVENANCE | {"source_row": i + 1} | row for i, row in enumerate(rows)],
            schema_overrides={"margin_of_error": pl.Float64, "neighbourhood": pl.String},
        )
    )


@pytest.fixture
def sources(point, boroughs, precincts) -> ContextSources:
    def at(x: float, y: float, **columns: Any) -> dict[str, Any]:
        lon, lat = point(x, y)
        return {"lon": lon, "lat": lat, **columns}

    def census(kind: str, area: str, **values: float) -> list[dict[str, Any]]:
        return [
            {"area_type": kind, "area_id": area, "variable": name, "value": value,
             "margin_of_error": value / 10}
            for name, value in values.items()
        ]  # fmt: skip

    brackets = {bracket_variable(lower): 0.0 for lower in INCOME_BRACKETS_USD}
    west = brackets | {bracket_variable(10_000): 40.0}  # half way from 10,000 to 15,000
    east = brackets | {bracket_variable(200_000): 10.0}
    return ContextSources(
        lots=rows_of(
            tables.TAX_LOTS,
            at(300, 100, neighbourhood="AA0001", precinct=1, residents_count=60.0),
            at(600, 100, neighbourhood="AA0001", precinct=1, residents_count=40.0),
            at(900, 400, neighbourhood="BB0001", precinct=2, residents_count=100.0),
        ),
        census=rows_of(
            tables.CENSUS_AREAS,
            *census("neighbourhood", "AA0001", acs_residents_count=200.0, poverty_pct=10.0, **west),
            *census("neighbourhood", "BB0001", acs_residents_count=80.0, poverty_pct=24.0, **east),
            *census("precinct", "2", acs_residents_count=90.0, poverty_pct=23.0, **east),
        ),
        hotels=rows_of(
            tables.HOTELS,
            at(300, 100, tax_year=2021, parcel="1"),
            at(300, 100, tax_year=2022, parcel="1"),
            at(310, 100, tax_year=2022, parcel="2"),
        ),
        stations=rows_of(tables.SUBWAY_STATIONS, at(700, 700, station="A01")),
        places=rows_of(
            tables.PLACES_OF_INTEREST,
            at(300, 100, category="motel"),
            at(1200, 900, category="motel", pulled_on=date(2025, 6, 6)),
            at(1200, 900, category="bakery"),
        ),
        neighbourhoods=boroughs.rename({"borough": "neighbourhood"}),
        precincts=precincts,
    )


def cells_of(sources: ContextSources, grid: Grid, part: ContextPart = PART) -> pl.DataFrame:
    return cell_context(sources, shared_lots(sources.lots, grid), part, grid)


def values(context: pl.DataFrame, variable: str, key: str = "cell_id") -> dict[Any, float]:
    rows = context.filter(pl.col("variable") == variable)
    return dict(rows.filter(pl.col("period_on") == pl.col("period_on").max())[key, "value"].rows())


def test_cells_of_a_worked_example(sources, grid):
    context = cells_of(sources, grid)
    assert values(context, "residents_count") == {0: 60, 1: 140, 2: 0, 3: 0, 4: 0, 5: 0}
    assert values(context, "acs_residents_count") == {0: 120, 1: 160, 2: 0, 3: 0, 4: 0, 5: 0}
    # Cell 1: 40 residents at 10% and 100 at 24%; nobody lives in the others.
    assert values(context, "poverty_pct") == {0: 10.0, 1: 20.0}
    # Cell 0 has A's households only; cell 1 has 16 of A and 10 of B: the 13th of 26 is in the second
    # bracket, 13/16 of the way.
    assert values(context, "median_income_usd") == {0: 12_500.0, 1: 10_000 + 5_000 * 13 / 16}
    assert values(context, "hotels_count") == {0: 2, 1: 0, 2: 0, 3: 0, 4: 0, 5: 0}
    assert values(context, "subway_stations_count")[4] == 1
    assert values(context, "places_motel_count") == {0: 1, 1: 0, 2: 0, 3: 0, 4: 0, 5: 1}
    # A file of places without a bus station says that there is none.
    assert sum(values(context, "places_bus_station_count").values()) == 0
    assert "places_bakery_count" not in set(context["variable"])


def test_each_value_says_since_when_it_is_known(sources, grid):
    context = cells_of(sources, grid)
    known = set(context.select("variable", "period_on", "known_on").unique().rows())
    census = (date(2023, 12, 31), date(2024, 12, 12))
    assert known >= {
        ("poverty_pct", *census),
        ("residents_count", *census),
        ("hotels_count", date(2021, 12, 31), date(2022, 1, 1)),
        ("hotels_count", date(2022, 12, 31), date(2023, 1, 1)),
        ("subway_stations_count", date(2018, 9, 8), date(2018, 9, 8)),
        ("places_motel_count", date(2025, 6, 6), date(2025, 6, 8)),
    }
    approximate = context.group_by("variable").agg(pl.col("is_approximate").unique())
    flags = {variable: flag for variable, (flag,) in approximate.rows()}
    assert flags["median_income_usd"] and flags["poverty_pct"] and flags["acs_residents_count"]
    assert not flags["residents_count"] and not flags["hotels_count"]


@pytest.mark.parametrize(
    ("left_out", "variables"),
    [
        ("lots", {"residents_count", "poverty_pct", "median_income_usd", "acs_residents_count"}),
        ("census", {"poverty_pct", "median_income_usd", "acs_residents_count"}),
        ("hotels", {"hotels_count"}),
        ("stations", {"subway_stations_count"}),
        ("places", {"places_motel_count", "places_bus_station_count"}),
    ],
)
def test_a_source_that_is_absent_gives_no_row(sources, grid, left_out, variables):
    from dataclasses import replace

    whole = set(cells_of(sources, grid)["variable"])
    frame = getattr(sources, left_out)
    without = cells_of(replace(sources, **{left_out: frame.clear()}), grid)
    assert whole - set(without["variable"]) == variables


def test_what_a_study_area_does_not_declare_is_not_made(sources, grid):
    assert cells_of(sources, grid, ContextPart()).is_empty()
    assert area_context(sources, ContextPart()).is_empty()


def test_areas_are_as_published(sources):
    areas = area_context(sources, PART)
    neighbourhoods, precincts = (
        areas.filter(pl.col("area_type") == kind) for kind in ("neighbourhood", "precinct")
    )
    assert values(neighbourhoods, "poverty_pct", "area_id") == {"AA0001": 10.0, "BB0001": 24.0}
    assert values(neighbourhoods, "residents_count", "area_id") == {
        "AA0001": 100.0,
        "BB0001": 100.0,
    }
    assert values(precincts, "residents_count", "area_id") == {"1": 100.0, "2": 100.0}
    assert values(precincts, "poverty_pct", "area_id") == {"2": 23.0}
    assert values(precincts, "median_income_usd", "area_id") == {"2": 200_000.0}
    # Points by boundary; the fixture's two neighbourhoods here are the boroughs' shapes.
    assert values(neighbourhoods, "hotels_count", "area_id") == {"WEST": 2.0, "EAST": 0.0}
    assert values(precincts, "hotels_count", "area_id") == {"1": 2.0, "2": 0.0}
    published = neighbourhoods.filter(pl.col("variable") == "poverty_pct")
    assert published["margin_of_error"].to_list() == [1.0, 2.4]
    assert not published["is_approximate"].any()
