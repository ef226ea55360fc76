"""Small invented NIBRS deliveries in the FBI's own layouts, and where the real files lie."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from htrisk_dagster.sources import reported_offences
from htrisk_dagster.sources.intake import Intake
from htrisk_dagster.study_areas.area import BoundingBox
from htrisk_dagster_tests.sources.published_files import FILE_DAY, ZONE, set_day, write_file

REAL_NIBRS = Path(__file__).parents[2].parent / "shared/data/connecticut"
needs_real_nibrs = pytest.mark.skipif(
    not REAL_NIBRS.is_dir(), reason=f"real files are absent: there is no folder {REAL_NIBRS}"
)
BOX = BoundingBox(west=-73.8, south=40.9, east=-71.7, north=42.1)

MERGED = (
    "year,agency_location,incident_date,incident_hour,agency_name,state,population,male_officer,"
    "offense_name,offense_category_name,criminal_act_name,location_area"
)
AGENCIES = (
    "yearly_agency_id,agency_id,data_year,ori,pub_agency_name,state_abbr,agency_type_name,"
    "population,male_officer,male_civilian,male_officer+male_civilian,female_officer,"
    "female_civilian,county_name"
)
INCIDENTS = (
    "data_year,agency_id,incident_id,nibrs_month_id,cargo_theft_flag,submission_date,"
    "incident_date,report_date_flag,incident_hour,cleared_except_id,incident_status,data_home"
)
OFFENCES = (
    "data_year,offense_id,incident_id,offense_code,attempt_complete_flag,location_id,"
    "num_premises_entered,method_entry_code"
)
TYPES = "offense_code,offense_name,crime_against,ct_flag,hc_flag,hc_code,offense_category_name"
LOCATIONS = "location_id,location_code,location_name"
VICTIMS = "data_year,victim_id,incident_id,victim_seq_num,victim_type_id,age_num,sex_code,race_id"

TYPE_ROWS = (
    "35A,Drug/Narcotic Violations,Society,f,f,,Drug/Narcotic Offenses",
    "13A,Aggravated Assault,Person,f,t,04,Assault Offenses",
)
LOCATION_ROWS = ("18,20,Residence/Home", "13,13,Highway/Road/Alley/Street/Sidewalk")


def agency(number: object, year: int, **values: object) -> str:
    """One row of `AGENCIES`."""
    good = {
        "yearly_agency_id": f"{number}{year}", "agency_id": number, "data_year": year,
        "pub_agency_name": f"Town {number}", "state_abbr": "CT", "agency_type_name": "City",
        "population": 10_000, "male_officer": 20, "male_civilian": 2, "female_officer": 5,
        "female_civilian": 3, "county_name": "Tolland",
    } | values  # fmt: skip
    return ",".join(str(good.get(name, "")) for name in AGENCIES.split(","))


def incident(
    number: object, day: str, hour: object = 13, *, agency_id: int = 1, flag: str = ""
) -> str:
    """One row of `INCIDENTS`."""
    return f"2023,{agency_id},{number},9,f,2024-01-01,{day},{flag},{hour},6,ACCEPTED,C"


def offence(number: object, incident_id: int, code: str = "35A", location: object = 18) -> str:
    """One row of `OFFENCES`."""
    return f"2023,{number},{incident_id},{code},C,{location},,"


def merged(day: str, hour: object = "13", **values: object) -> str:
    """One row of `MERGED`."""
    good = {
        "year": day[:4], "agency_location": 1, "incident_date": day, "incident_hour": hour,
        "agency_name": "Town 1", "state": "Connecticut", "population": 10_000,
        "offense_name": "Aggravated Assault", "offense_category_name": "Assault Offenses",
        "criminal_act_name": "None/Unknown", "location_area": "Residence/Home",
    } | values  # fmt: skip
    return ",".join(str(good.get(name, "")) for name in MERGED.split(","))


def write_delivery(folder: Path, incidents: list[str], offences: list[str], *more: str) -> None:
    """Write a delivery of lower-case files; `more` are agencies beside agency 1 of 2023."""
    write_file(folder / "NIBRS_incident.csv", INCIDENTS, *incidents)
    write_file(folder / "NIBRS_OFFENSE.csv", OFFENCES, *offences)
    write_file(folder / "NIBRS_OFFENSE_TYPE.csv", TYPES, *TYPE_ROWS)
    write_file(folder / "NIBRS_LOCATION_TYPE.csv", LOCATIONS, *LOCATION_ROWS)
    write_file(folder / "agencies.csv", AGENCIES, agency(1, 2023), *more)


def zip_folder(folder: Path, path: Path) -> Path:
    """Put all files of a folder into a zip of `FILE_DAY`, below a folder CT."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, f"CT/{file.name}")
    set_day(path, FILE_DAY)
    return path


def read_offences(folder: Path) -> Intake:
    """Read the offences of Connecticut."""
    return reported_offences.read_offences(folder, state="CT", time_zone=ZONE, bounding_box=BOX)


def read_agencies(folder: Path) -> Intake:
    """Read the agencies of Connecticut."""
    return reported_offences.read_agencies(folder, state="CT", time_zone=ZONE, bounding_box=BOX)
