"""Liquor licences of Detroit as context: counted by cell, known from the day of their file."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import polars as pl
from htrisk_dagster.features.catalogue import feature_catalogue
from htrisk_dagster.grid.area_grid import grid_of
from htrisk_dagster.grid.context_tables import ContextSources, cell_context
from htrisk_dagster.schemas import context, context_sources, raw
from htrisk_dagster.sources import intake
from htrisk_dagster.study_areas.area import load_area
from htrisk_dagster_tests.sources.published_files import write_file

DETROIT = load_area("detroit")
HERE, THERE = (42.3500, -83.0600), (42.4100, -83.1500)


def test_licences_are_counted_by_cell_and_known_a_day_after_their_file(tmp_path: Path):
    rows = [f"SDD,Active,{lat},{lon}" for lat, lon in (HERE, HERE, THERE)]
    made_on = date(2024, 5, 1)
    write_file(tmp_path / "licences.csv", "type,status,latitude,longitude", *rows, day=made_on)

    def read(table: str) -> pl.DataFrame:
        return intake.read(
            table, tmp_path, time_zone=DETROIT.time_zone, bounding_box=DETROIT.bounding_box,
            area=DETROIT,
        ).kept  # fmt: skip

    grid = grid_of(DETROIT, read("boroughs"), read("precincts"))
    absent = {
        name: table.empty()
        for name, table in (
            ("lots", context_sources.TAX_LOTS), ("census", context_sources.CENSUS_AREAS),
            ("hotels", context_sources.HOTELS), ("stations", context_sources.SUBWAY_STATIONS),
            ("neighbourhoods", context_sources.NEIGHBOURHOODS), ("precincts", raw.PRECINCTS),
        )
    }  # fmt: skip
    sources = ContextSources(places=read("places_of_interest"), **absent)
    found = cell_context(sources, context.CELL_NEIGHBOURHOODS.empty(), DETROIT.context, grid)

    assert found["variable"].unique().to_list() == ["places_liquor_store_count"]
    assert found.height == grid.n_cells
    assert set(found["known_on"]) == {made_on + timedelta(days=1)}
    counts = dict(found.filter(pl.col("value") > 0).select("cell_id", "value").rows())
    here, there = grid.cell_of([HERE[1], THERE[1]], [HERE[0], THERE[0]]).tolist()
    assert counts == {here: 2.0, there: 1.0}
    names = [f.name for f in feature_catalogue(("incidents",), DETROIT.context)]
    assert "places_liquor_store_count" in names
