"""The synthetic city's context is read as a publisher's is, whole, and again the same."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.schemas import context_sources
from htrisk_dagster.sources import intake
from htrisk_dagster.sources.synthetic_city.boundary_files import precinct_geojson
from htrisk_dagster.sources.synthetic_city.context_files import (
    RESIDENTS,
    context_tables,
    neighbourhood_codes,
    neighbourhood_geojson,
)
from htrisk_dagster.sources.synthetic_city.land import Land, read_land
from htrisk_dagster.sources.synthetic_city.precincts import Precincts, split_boroughs
from htrisk_dagster.sources.synthetic_city.presets import Preset
from htrisk_dagster_tests.sources.published_files import ZONE, set_day

PRESET = Preset("toy", date(2023, 12, 1), date(2024, 1, 31), complaints_per_day=10)


@pytest.fixture(scope="module")
def ground() -> tuple[Land, Precincts, np.ndarray]:
    land = read_land()
    busy = np.random.default_rng(1).lognormal(0, 0.7, len(land.col))
    return land, split_boroughs(land, busy, np.random.default_rng(2)), busy


def tables_of(ground) -> dict[str, pl.DataFrame]:
    return context_tables(*ground, PRESET, np.random.default_rng(3))


def test_every_row_is_read_and_no_resident_lost(ground, tmp_path: Path):
    _, precincts, _ = ground
    for path, table in tables_of(ground).items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        table.write_csv(tmp_path / path)
    boundaries = neighbourhood_geojson(precinct_geojson(precincts), precincts)
    (tmp_path / "neighbourhoods.geojson").write_text(boundaries)
    for path in tmp_path.rglob("*.*"):
        set_day(path, date(2024, 2, 1))
    read = {t.name: intake.read(t.name, tmp_path, time_zone=ZONE) for t in context_sources.TABLES}
    assert {name: r.quarantined.height for name, r in read.items()} == dict.fromkeys(read, 0)
    assert all(r.kept.height for r in read.values())

    lots, census = read["tax_lots"].kept, read["census_areas"].kept
    assert lots["residents_count"].sum() == pytest.approx(RESIDENTS)
    assert set(read["neighbourhoods"].kept["neighbourhood"]) == set(neighbourhood_codes(precincts))
    surveyed = census.filter(pl.col("variable") == "acs_residents_count")
    for kind in ("neighbourhood", "precinct"):
        of_kind = surveyed.filter(pl.col("area_type") == kind)
        assert of_kind.height == len(precincts.number)
        assert of_kind["value"].sum() == pytest.approx(RESIDENTS, rel=1e-5)
    years = read["hotels"].kept.group_by("tax_year").len().sort("tax_year").rows()
    assert years == [(2022, 600), (2023, 600), (2024, 600)]
    assert read["advert_counts"].kept.height == 5 * 62
    assert read["news_sentiment"].kept["texts_count"].sum() == 4 * 62


def test_the_same_seed_gives_the_same_bytes(ground):
    first, second = tables_of(ground), tables_of(ground)
    for path, table in first.items():
        assert table.write_csv() == second[path].write_csv(), path


def test_hotels_stand_where_it_is_busy(ground):
    land, _, busy = ground
    hotels = tables_of(ground)["context/hotels.csv"]
    from htrisk_dagster.sources.synthetic_city.land import CRS, project

    x, y = project("EPSG:4326", CRS, hotels["longitude"].to_numpy(), hotels["latitude"].to_numpy())
    place = {(c, r): b for c, r, b in zip(land.col, land.row, busy, strict=True)}
    found = [place[int(a // 500), int(b // 500)] for a, b in zip(x, y, strict=True)]
    assert np.mean(found) > 1.3 * busy.mean()
