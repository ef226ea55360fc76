from __future__ import annotations

import gzip
import json
import zipfile
from datetime import date

import duckdb
import numpy as np
import polars as pl
import pytest
from htrisk_dagster.publishing.canary_search import canary_is_nowhere, of_day, search, shows
from htrisk_dagster.schemas.governance import CONTROL
from htrisk_dagster.schemas.raw import VERIFIED_CASES
from htrisk_dagster.sources.canary_case import canary_of, planted, without_canary
from htrisk_dagster.study_areas.area import BoundingBox

BOX = BoundingBox(west=-74.3, south=40.47, east=-73.65, north=40.95)
CANARY = canary_of("nyc", 1, BOX)
DAY = date(2024, 4, 5)


def case(**values):
    row = {
        "reported_on": DAY, "case_type": "labour", "sector": None, "location_type": None,
        "lon": -73.9, "lat": 40.7, "source_file": "c.csv", "source_row": 1, "pulled_on": DAY,
    }  # fmt: skip
    return pl.DataFrame([row | values], schema=VERIFIED_CASES.polars_schema())


def test_the_canary_is_one_of_its_area_and_seed_inside_the_box():
    assert canary_of("nyc", 1, BOX) == CANARY
    others = {canary_of("nyc", 2, BOX), canary_of("detroit", 1, BOX), CANARY}
    assert len({c.text for c in others}) == len({c.lon for c in others}) == 3
    assert BOX.west < CANARY.lon < BOX.east
    assert BOX.south < CANARY.lat < BOX.north


@pytest.mark.parametrize("cases", [case(), case(case_type=None), case().clear()])
def test_it_is_planted_with_the_cases_and_taken_out_again(cases):
    found = planted(cases, CANARY)
    VERIFIED_CASES.validate(found)
    assert found.height == cases.height + 1
    assert without_canary(found).equals(cases)


FRAME = planted(case(), CANARY)


def write_duckdb(path):
    with duckdb.connect(str(path)) as database:
        database.register("frame", FRAME.select("lon", "lat").to_arrow())
        database.execute("create schema marts; create table marts.points as select * from frame")


WRITERS = {
    "page.html": lambda p: p.write_text(f"<p>{CANARY.text}</p>"),
    "log.txt": lambda p: p.write_text(f"a case at {CANARY.lon}, {CANARY.lat}"),
    "table.csv": lambda p: FRAME.select("lon").write_csv(p),
    "points.json": lambda p: p.write_text(json.dumps({"lat": CANARY.lat})),
    "rows.parquet": lambda p: FRAME.write_parquet(p),
    "points.parquet": lambda p: FRAME.select("lat").write_parquet(p),
    "packed.parquet": lambda p: pl.DataFrame({"raw": [CANARY.text.encode()]}).write_parquet(p),
    "page.html.gz": lambda p: p.write_bytes(gzip.compress(CANARY.text.encode())),
    "arrays.npz": lambda p: np.savez_compressed(p, at=np.array([CANARY.lon])),
    "snapshot.duckdb": write_duckdb,
}


@pytest.mark.parametrize("name", WRITERS)
def test_it_is_found_in_files_of_every_kind(tmp_path, name):
    path = tmp_path / name
    WRITERS[name](path)
    assert shows(path, CANARY)
    assert not shows(path, canary_of("nyc", 2, BOX))


def test_a_packed_folder_is_looked_into(tmp_path):
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as packed:
        packed.writestr("deep/page.html", CANARY.text)
    assert shows(tmp_path / "all.zip", CANARY)


@pytest.fixture
def control(tmp_path):
    FRAME.write_parquet(tmp_path / "cases.parquet")
    return tmp_path / "cases.parquet"


def test_a_clean_search_passes_and_a_leak_is_named(tmp_path, control):
    clean, leak = tmp_path / "map.html", tmp_path / "b.csv"
    clean.write_text("nothing")
    FRAME.write_csv(leak)
    found = of_day(search({"risk map": [clean]}, CANARY, control=control), DAY)
    assert canary_is_nowhere(found).holds
    assert found.filter(place=CONTROL)["found_count"].to_list() == [1]

    found = of_day(search({"risk map": [clean], "tables": [leak]}, CANARY, control=control), DAY)
    verdict = canary_is_nowhere(found)
    assert not verdict.holds
    assert "b.csv (tables)" in verdict.sentence


def test_a_search_that_finds_nothing_anywhere_says_nothing(tmp_path, control):
    clean = tmp_path / "map.html"
    clean.write_text("nothing")
    blind = of_day(search({"map": [clean]}, canary_of("nyc", 2, BOX), control=control), DAY)
    absent = of_day(search({"map": [clean]}, CANARY, control=tmp_path / "none.parquet"), DAY)
    for found in (blind, absent):
        assert "says nothing" in canary_is_nowhere(found).sentence
    nothing = of_day(search({}, CANARY, control=control), DAY)
    assert "Nothing but the restricted store" in canary_is_nowhere(nothing).sentence
    assert not canary_is_nowhere(nothing.clear()).holds


def test_more_files_at_another_hour_are_the_same_search(tmp_path, control):
    (tmp_path / "map.html").write_text("nothing")
    (tmp_path / "later.html").write_text("nothing either")
    places = [[tmp_path / "map.html"], [tmp_path / "map.html", tmp_path / "later.html"]]
    early, late = (search({"reports": p}, CANARY, control=control) for p in places)
    assert early.equals(late)
