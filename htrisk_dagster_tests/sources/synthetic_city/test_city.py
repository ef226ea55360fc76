from __future__ import annotations

import hashlib
import json
import time
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from htrisk_dagster.errors import SettingError, SourceError
from htrisk_dagster.sources.synthetic_city import PRESETS, Preset, write_city

from .conftest import HISTORIC, SEED, YEAR_TO_DATE, City

SAMPLES = Path(__file__).parents[3].parent / "shared/data/nyc"
MTA = "mobility/MTA_Daily_Ridership.csv"
SAMPLE_OF = {
    HISTORIC: "complaints/nypd_complaint_historic_35col_random2000_samado.csv",
    YEAR_TO_DATE: "complaints/nypd_complaint_ytd2025_36col_quoted_lugisz.csv",
    "events/NYC_Permitted_Events.csv": "events/nyc_permitted_events_tvpp-9vvx_feb2022_TZgroup4.csv",
    "mobility/JFK_passengers.csv": "mobility/Passenger_volume_JFKinbound_2021_2024.csv",
    MTA: "mobility/MTA_Daily_Ridership_Data__Beginning_2020_brandonkeung.csv",
}
# The header lines as published, for machines without the samples.
LITERAL = {
    HISTORIC: (
        "CMPLNT_NUM,CMPLNT_FR_DT,CMPLNT_FR_TM,CMPLNT_TO_DT,CMPLNT_TO_TM,ADDR_PCT_CD,RPT_DT,KY_CD,"
        "OFNS_DESC,PD_CD,PD_DESC,CRM_ATPT_CPTD_CD,LAW_CAT_CD,BORO_NM,LOC_OF_OCCUR_DESC,"
        "PREM_TYP_DESC,JURIS_DESC,JURISDICTION_CODE,PARKS_NM,HADEVELOPT,HOUSING_PSA,X_COORD_CD,"
        "Y_COORD_CD,SUSP_AGE_GROUP,SUSP_RACE,SUSP_SEX,TRANSIT_DISTRICT,Latitude,Longitude,Lat_Lon,"
        "PATROL_BORO,STATION_NAME,VIC_AGE_GROUP,VIC_RACE,VIC_SEX"
    ),
    "events/NYC_Permitted_Events.csv": (
        "Event ID,Event Name,Start Date/Time,End Date/Time,Event Agency,Event Type,Event Borough,"
        "Event Location,Event Street Side,Street Closure Type,Community Board,Police Precinct"
    ),
    "mobility/JFK_passengers.csv": (
        "Activity Period,Revenue Passenger Volume,Freight Volume,Mail Volume,Total Flights"
    ),
}


def first_line(path: Path) -> str:
    with path.open() as file:
        return file.readline().rstrip("\r\n")


def digests(folder: Path) -> dict[str, str]:
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


@pytest.mark.parametrize("path", LITERAL)
def test_header_is_the_published_one(city: City, path: str) -> None:
    assert first_line(city.folder / path) == LITERAL[path]


@pytest.mark.real_data
@pytest.mark.parametrize("path", SAMPLE_OF)
def test_header_equals_the_real_samples(city: City, path: str) -> None:
    sample = SAMPLES / SAMPLE_OF[path]
    if not sample.exists():
        pytest.skip(f"{sample} is absent")
    assert first_line(city.folder / path) == first_line(sample)


def test_tiny_keeps_its_promise_of_size(city: City) -> None:
    assert 55_000 < city.rows[HISTORIC] + city.rows[YEAR_TO_DATE] < 67_000
    for path, rows in city.rows.items():
        if path.endswith(".csv"):
            assert pl.read_csv(city.folder / path, infer_schema=False).height == rows


def test_same_seed_same_bytes_other_seed_others(city: City, tmp_path: Path) -> None:
    write_city(tmp_path / "same", PRESETS["tiny"], SEED)
    write_city(tmp_path / "other", PRESETS["tiny"], SEED + 1)
    first, same, other = (digests(f) for f in (city.folder, tmp_path / "same", tmp_path / "other"))
    assert same == first
    equal = {path for path in first if first[path] == other[path]}
    assert equal == {"geo/boroughs.geojson"}  # real outlines; all else is drawn


def test_manifest_names_the_bytes(city: City) -> None:
    manifest = json.loads((city.folder / "city.json").read_text())
    assert manifest["preset"]["name"] == "tiny"
    assert manifest["seed"] == SEED
    found = digests(city.folder)
    del found["city.json"]
    assert {path: entry["sha256"] for path, entry in manifest["files"].items()} == found


def test_every_file_is_dated_the_day_after_the_last(city: City) -> None:
    noon = datetime(2024, 5, 1, 12, tzinfo=UTC).timestamp()
    assert {p.stat().st_mtime for p in city.folder.rglob("*")} == {noon}


def test_second_call_writes_nothing(city: City) -> None:
    inode = (city.folder / HISTORIC).stat().st_ino
    began = time.perf_counter()
    said: list[str] = []
    assert write_city(city.folder, PRESETS["tiny"], SEED, said.append) == city.rows
    assert time.perf_counter() - began < 0.2
    assert (city.folder / HISTORIC).stat().st_ino == inode
    assert "is there already" in said[0]


def test_damaged_city_is_written_anew(city: City, tmp_path: Path) -> None:
    folder = tmp_path / "city"
    write_city(folder, PRESETS["tiny"], SEED)
    with (folder / MTA).open("a") as file:
        file.write("cut")
    write_city(folder, PRESETS["tiny"], SEED)
    assert digests(folder) == digests(city.folder)
    assert [p.name for p in tmp_path.iterdir()] == ["city"]


def test_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text("a\n1\n")
    with pytest.raises(SourceError, match=r"holds no city\.json.*Name another folder"):
        write_city(tmp_path, PRESETS["tiny"], SEED)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.csv"]


def test_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail(line: str) -> None:
        if line.startswith(HISTORIC):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_city(tmp_path / "city", PRESETS["tiny"], SEED, fail)
    assert list(tmp_path.iterdir()) == []


def test_preset_within_one_year_is_refused() -> None:
    first, last = PRESETS["demo"].year_to_date_start, PRESETS["demo"].days
    assert str(last[first]) == "2024-01-01"
    tiny = PRESETS["tiny"]
    with pytest.raises(SettingError, match="Choose an earlier first_day"):
        Preset("short", tiny.last_day.replace(month=1), tiny.last_day, 100)
