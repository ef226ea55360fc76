"""Small invented files in the publishers' layouts, and where the real ones lie."""

from __future__ import annotations

import gzip
import os
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from htrisk_dagster.sources import intake

REAL_FILES = Path(__file__).parents[2].parent / "shared/data/nyc"
FILE_DAY = date(2026, 3, 10)
ZONE = "America/New_York"

needs_real_files = pytest.mark.skipif(
    not REAL_FILES.is_dir(), reason=f"real files are absent: there is no folder {REAL_FILES}"
)

SHOOTINGS = "INCIDENT_KEY,OCCUR_DATE,OCCUR_TIME,BORO,PRECINCT,VIC_SEX,Latitude,Longitude"
FELONIES = "Occurrence Date,Day of Week,Offense,Sector,Precinct,Latitude,Longitude"
COMPLAINTS_24 = (
    "CMPLNT_NUM,CMPLNT_FR_DT,CMPLNT_FR_TM,CMPLNT_TO_DT,CMPLNT_TO_TM,RPT_DT,KY_CD,OFNS_DESC,PD_CD,"
    "PD_DESC,CRM_ATPT_CPTD_CD,LAW_CAT_CD,JURIS_DESC,BORO_NM,ADDR_PCT_CD,LOC_OF_OCCUR_DESC,"
    "PREM_TYP_DESC,PARKS_NM,HADEVELOPT,X_COORD_CD,Y_COORD_CD,Latitude,Longitude,Lat_Lon"
)
EVENTS = (
    "Event ID,Event Name,Start Date/Time,End Date/Time,Event Agency,Event Type,Event Borough,"
    "Event Location,Event Street Side,Street Closure Type,Community Board,Police Precinct"
)


def write_file(path: Path, *lines: str, day: date = FILE_DAY) -> Path:
    """Write lines to `path`, gzipped where its name says so, with the file's own day set."""
    content = "".join(f"{line}\n" for line in lines).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    set_day(path, day)
    return path


def set_day(path: Path, day: date) -> None:
    """Give the file the noon of `day`, UTC, as its time."""
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp()
    os.utime(path, (noon, noon))


def read(table: str, folder: Path) -> intake.Intake:
    """Read a table of `folder` in New York's zone."""
    return intake.read(table, folder, time_zone=ZONE)


def broken_rules(result: intake.Intake) -> list[tuple[int, str, str, str | None]]:
    """Row number, rule, column and value of each refused row."""
    return result.quarantined.select("source_row", "rule", "column", "value").rows()


def complaint(**values: str) -> str:
    """One row of the 24-column layout; commas in a value are quoted."""
    good = {
        "CMPLNT_NUM": "1", "CMPLNT_FR_DT": "12/31/2015", "CMPLNT_FR_TM": "23:45:00",
        "RPT_DT": "12/31/2015", "KY_CD": "113", "OFNS_DESC": "FORGERY", "PD_CD": "729",
        "LAW_CAT_CD": "FELONY", "BORO_NM": "BRONX", "ADDR_PCT_CD": "44",
        "Latitude": "40.828848333", "Longitude": "-73.916661142",
    } | values  # fmt: skip
    fields = [good.get(name, "") for name in COMPLAINTS_24.split(",")]
    return ",".join(f'"{field}"' if "," in field else field for field in fields)
