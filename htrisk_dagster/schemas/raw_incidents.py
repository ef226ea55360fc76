"""Raw tables of incidents: complaints, felonies, shootings and a city's own reports, alike.

Belongs here: those four tables and the columns that tell where any raw row came from. Does not:
other raw tables (`raw`), what refused rows become (`raw_ledgers`). The columns are the same so that
a query written for one serves all.
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas.table import Column, Table

LAYER = "raw"

PROVENANCE = (
    Column(
        "source_file", pl.String, "Name of the file the row came from, or of the API page kept."
    ),
    Column("source_row", pl.Int64, "Row in that file, 1 for the first after the header.", lower=1),
    Column(
        "pulled_on",
        pl.Date,
        "Day the file was read or the API was asked, from the file's own date.",
    ),
)

_INCIDENT = (
    Column(
        "report_id",
        pl.String,
        "The publisher's number, or a hash of the row where it has none.",
        source_name="CMPLNT_NUM; INCIDENT_KEY",
    ),
    Column(
        "occurred_at",
        pl.Datetime("us"),
        "When it is said to have begun, naive UTC.",
        source_name="CMPLNT_FR_DT + CMPLNT_FR_TM; Occurrence Date; OCCUR_DATE + OCCUR_TIME",
    ),
    Column("occurred_on", pl.Date, "Local day of `occurred_at`."),
    Column(
        "reported_on",
        pl.Date,
        "Local day on which the police were told; the day of occurrence where the publisher gives none.",
        source_name="RPT_DT",
    ),
    Column(
        "offence_code",
        pl.Int32,
        "Three-digit offence key code.",
        nullable=True,
        source_name="KY_CD",
    ),
    Column(
        "offence_detail_code",
        pl.Int32,
        "Finer internal classification code.",
        nullable=True,
        source_name="PD_CD",
    ),
    Column(
        "offence",
        pl.String,
        "The publisher's label. Labels drift: group by code.",
        nullable=True,
        source_name="OFNS_DESC; Offense",
    ),
    Column(
        "law_category",
        pl.String,
        "Felony, misdemeanor or violation, lower case.",
        nullable=True,
        source_name="LAW_CAT_CD",
        allowed=("felony", "misdemeanor", "violation"),
    ),
    Column(
        "borough",
        pl.String,
        "Borough as published, upper case.",
        nullable=True,
        source_name="BORO_NM; BORO",
    ),
    Column(
        "precinct",
        pl.Int32,
        "Police precinct as published.",
        nullable=True,
        source_name="ADDR_PCT_CD; Precinct",
    ),
    Column(
        "lon",
        pl.Float64,
        "Longitude, WGS 84; missing where not geocoded.",
        unit="degree",
        nullable=True,
        source_name="Longitude",
        lower=-180,
        upper=180,
    ),
    Column(
        "lat",
        pl.Float64,
        "Latitude, WGS 84; missing where not geocoded.",
        unit="degree",
        nullable=True,
        source_name="Latitude",
        lower=-90,
        upper=90,
    ),
    *PROVENANCE,
)

_SNAPPED = "Points are snapped to street corners; rapes and sex crimes stand at the station house (NYPD footnotes 9-11)."

COMPLAINTS = Table(
    LAYER,
    "complaints",
    "one row of the publisher's complaint file",
    "NYPD complaints: historic (qgea-i56i) and year to date (5uac-w243), in any of their layouts.",
    _INCIDENT,
    warnings=(
        "A complaint is a report, not a proven crime.",
        _SNAPPED,
        "The two files overlap and numbers repeat: staging keeps one row a number.",
    ),
)
FELONIES = Table(
    LAYER,
    "felonies",
    "one row of the publisher's felony file",
    "NYPD seven-major-felony incidents 2014-2015: robbery, burglary, felony assault, grand larceny.",
    _INCIDENT,
    warnings=(
        "No number and no report date: `reported_on` is the day of occurrence.",
        "Exact duplicates are kept and numbered; two thefts at one corner in one hour are not rare.",
        _SNAPPED,
    ),
)
SHOOTINGS = Table(
    LAYER,
    "shootings",
    "one victim row of the publisher's shooting file",
    "NYPD shooting incidents (833y-fsy8). A rare event that stands in for verified cases.",
    _INCIDENT,
    warnings=(
        "One row a victim: the number repeats within an incident; staging keeps one row an incident.",
        "No report date: `reported_on` is the day of occurrence.",
    ),
)

INCIDENT_REPORTS = Table(
    LAYER,
    "incident_reports",
    "one row of a city's own file of incidents",
    "A city's file of incidents, or of its feature service, by the columns that its study area names.",
    (
        *_INCIDENT[: -len(PROVENANCE)],
        Column(
            "agency",
            pl.String,
            "Agency that took the report, as published; missing where the file names none.",
            nullable=True,
        ),
        *PROVENANCE,
    ),
    warnings=(
        "The borough is the district that the study area names, else the agency, else the city.",
        "An area's code becomes the number that the study area gives it, in `precinct`.",
    ),
)

INCIDENT_TABLES = (COMPLAINTS, FELONIES, SHOOTINGS, INCIDENT_REPORTS)
