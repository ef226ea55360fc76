"""Tables of the `nibrs` layer: the FBI's incident-based files as they come, typed.

Belongs here: the two tables that are kept, reported offences and police agencies, and the files of
the FBI's own delivery that are joined into the first. Does not: what is worked out from them
(`staffing`, `volume`). The National Incident-Based Reporting System (NIBRS) is described in the
FBI's user manual, https://le.fbi.gov/informational-tools/ucr.

No victim, offender or arrestee file is read: the program is about places.
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas.raw_incidents import PROVENANCE
from htrisk_dagster.schemas.table import Column, Table

LAYER = "nibrs"

_AGENCY_ID = Column(
    "agency_id",
    pl.String,
    "The FBI's number of the agency.",
    source_name="AGENCY_ID; agency_location",
)
_OCCURRED_ON = Column(
    "occurred_on", pl.Date, "Local day of the incident.", source_name="INCIDENT_DATE"
)
_OCCURRED_HOUR = Column(
    "occurred_hour", pl.Int32, "Local hour; missing where the agency gave none.", unit="hour", nullable=True,
    source_name="INCIDENT_HOUR", lower=0, upper=23,
)  # fmt: skip
_IS_REPORT_DAY = Column(
    "is_report_day", pl.Boolean, "Whether the day is that of the report, the day of the incident being unknown.",
    source_name="REPORT_DATE_FLAG",
)  # fmt: skip
_OFFENCE = Column("offence", pl.String, "The FBI's label.", source_name="OFFENSE_NAME")
_OFFENCE_CATEGORY = Column(
    "offence_category",
    pl.String,
    "The FBI's category of offences.",
    source_name="OFFENSE_CATEGORY_NAME",
)
_NIBRS_CODE = Column(
    "nibrs_code", pl.String, "Offence code, such as 35A.", source_name="OFFENSE_CODE"
)
_LOCATION = Column(
    "location", pl.String, "Kind of place, such as Parking/Drop Lot/Garage.", source_name="LOCATION_NAME; location_area"
)  # fmt: skip


def _nullable(column: Column) -> Column:
    return Column(**{**column.__dict__, "nullable": True})


REPORTED_OFFENCES = Table(
    LAYER,
    "reported_offences",
    "one offence of one reported incident, as the publisher's rows have it",
    "NIBRS offences with their incident, from the FBI's own files or from files merged beforehand.",
    (
        Column(
            "incident_id",
            pl.String,
            "The FBI's number; in a merged file, which has none, agency, day, hour and kind of place.",
            source_name="INCIDENT_ID",
        ),
        Column("is_incident_derived", pl.Boolean, "Whether the number was made here."),
        _AGENCY_ID,
        _OCCURRED_ON,
        _OCCURRED_HOUR,
        _IS_REPORT_DAY,
        _nullable(_NIBRS_CODE),
        _OFFENCE,
        _OFFENCE_CATEGORY,
        _nullable(_LOCATION),
        *PROVENANCE,
    ),
    warnings=(
        "Reported offences, not proven ones; `reported_on` is not published.",
        "A merged file has a row for each criminal act, so an offence may repeat: count incidents by number.",
        "Two incidents of one agency, hour and kind of place are one where the number was made here.",
    ),
)
POLICE_AGENCIES = Table(
    LAYER,
    "police_agencies",
    "one police agency and year",
    "Agencies with residents and police employees of a year (FBI, agencies.csv).",
    (
        _AGENCY_ID,
        Column("year", pl.Int32, "Year of the counts.", source_name="DATA_YEAR", lower=1960, upper=2100),
        Column("agency_year", pl.String, "Agency and year, the row's key in words."),
        Column("agency", pl.String, "Agency as published.", source_name="PUB_AGENCY_NAME"),
        Column("agency_type", pl.String, "City, State Police, Tribal, ….", source_name="AGENCY_TYPE_NAME"),
        Column("state", pl.String, "Two letters.", source_name="STATE_ABBR"),
        Column("county", pl.String, "County, upper case.", nullable=True, source_name="COUNTY_NAME"),
        Column(
            "residents_count", pl.Int64, "Residents of its jurisdiction; 0 where it has none of its own.",
            unit="residents", source_name="POPULATION", lower=0,
        ),
        *(
            Column(
                f"{who}_count", pl.Int64, f"{words} on 31 October, full time; missing where not reported.",
                unit="employees", nullable=True, source_name=source, lower=0,
            )
            for who, words, source in (
                ("male_officers", "Male sworn officers", "MALE_OFFICER"),
                ("female_officers", "Female sworn officers", "FEMALE_OFFICER"),
                ("male_civilians", "Male civilian employees", "MALE_CIVILIAN"),
                ("female_civilians", "Female civilian employees", "FEMALE_CIVILIAN"),
            )
        ),
        *PROVENANCE,
    ),
    key=("agency_id", "year"),
    warnings=(
        "Universities, tribes and state agencies have no residents of their own: no rate can be given.",
        "An agency that reported no employees has missing ones, not 0.",
    ),
)  # fmt: skip
NIBRS_MERGED = Table(
    LAYER,
    "nibrs_merged",
    "one row of a merged file",
    "Offences of a state and year joined with agency and labels beforehand, as rows of one file.",
    REPORTED_OFFENCES.columns,
)
NIBRS_INCIDENTS = Table(
    LAYER,
    "nibrs_incidents",
    "one incident",
    "The FBI's NIBRS_incident file: when, and by which agency.",
    (
        Column("incident_id", pl.String, "The FBI's number.", source_name="INCIDENT_ID"),
        _AGENCY_ID, _OCCURRED_ON, _OCCURRED_HOUR, _IS_REPORT_DAY, *PROVENANCE,
    ),
    key=("incident_id",),
)  # fmt: skip
NIBRS_OFFENCES = Table(
    LAYER,
    "nibrs_offences",
    "one offence of an incident",
    "The FBI's NIBRS_OFFENSE file: what, and at what kind of place, by codes.",
    (
        Column("offence_id", pl.String, "The FBI's number of the offence.", source_name="OFFENSE_ID"),
        Column("incident_id", pl.String, "The incident it is of.", source_name="INCIDENT_ID"),
        Column(
            "offence_type", pl.String, "Offence code; before 2021 the number of the offence type.",
            source_name="OFFENSE_CODE; OFFENSE_TYPE_ID",
        ),
        Column("location_id", pl.String, "Number of the kind of place.", nullable=True, source_name="LOCATION_ID"),
        *PROVENANCE,
    ),
    key=("offence_id",),
)  # fmt: skip
NIBRS_OFFENCE_TYPES = Table(
    LAYER,
    "nibrs_offence_types",
    "one offence code",
    "The FBI's NIBRS_OFFENSE_TYPE list.",
    (
        _NIBRS_CODE,
        Column("offence_type_id", pl.String, "Its number before 2021.", nullable=True, source_name="OFFENSE_TYPE_ID"),
        _OFFENCE, _OFFENCE_CATEGORY, *PROVENANCE,
    ),
    key=("nibrs_code",),
)  # fmt: skip
NIBRS_LOCATIONS = Table(
    LAYER,
    "nibrs_locations",
    "one kind of place",
    "The FBI's NIBRS_LOCATION_TYPE list.",
    (
        Column("location_id", pl.String, "Number of the kind of place.", source_name="LOCATION_ID"),
        _LOCATION, *PROVENANCE,
    ),
    key=("location_id",),
)  # fmt: skip

DELIVERED_TABLES = (
    NIBRS_MERGED, NIBRS_INCIDENTS, NIBRS_OFFENCES, NIBRS_OFFENCE_TYPES, NIBRS_LOCATIONS,
)  # fmt: skip
"""Files of a delivery as they are read; joined into `REPORTED_OFFENCES` and not kept by themselves."""
TABLES = (REPORTED_OFFENCES, POLICE_AGENCIES)
