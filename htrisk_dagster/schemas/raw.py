"""Tables of the `raw` layer: one row as the publisher sent it, typed, person columns dropped.

Belongs here: the list of what leaves `sources/`, and its tables but those of incidents
(`raw_incidents`) and of the reading itself (`raw_ledgers`), which are handed on. Does not: anything
that needs another source (staging).
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas.raw_incidents import (
    COMPLAINTS,
    FELONIES,
    INCIDENT_REPORTS,
    INCIDENT_TABLES,
    PROVENANCE,
    SHOOTINGS,
)
from htrisk_dagster.schemas.raw_ledgers import INTAKE, OFFENCE_GROUPS, QUARANTINE
from htrisk_dagster.schemas.table import Column, Table

LAYER = "raw"

PERMITTED_EVENTS = Table(
    LAYER,
    "permitted_events",
    "one occurrence of a permitted event",
    "NYC permitted events: historic (bkfu-528j) and current (tvpp-9vvx).",
    (
        Column(
            "event_id",
            pl.String,
            "The publisher's number; it repeats, once an occurrence.",
            source_name="Event ID",
        ),
        Column("starts_at", pl.Datetime("us"), "Start, naive UTC.", source_name="Start Date/Time"),
        Column("ends_at", pl.Datetime("us"), "End, naive UTC.", source_name="End Date/Time"),
        Column("starts_on", pl.Date, "Local day of the start."),
        Column("ends_on", pl.Date, "Local day of the end."),
        Column("event_type", pl.String, "The publisher's type.", source_name="Event Type"),
        Column(
            "agency",
            pl.String,
            "Agency that gave the permit.",
            nullable=True,
            source_name="Event Agency",
        ),
        Column(
            "borough", pl.String, "Borough, upper case.", nullable=True, source_name="Event Borough"
        ),
        Column(
            "precincts",
            pl.List(pl.Int32),
            "Police precincts touched, from a list with a trailing comma.",
            source_name="Police Precinct",
        ),
        *PROVENANCE,
    ),
    warnings=(
        "No coordinates: an event is known by precinct only.",
        "Event names are dropped: some are names of persons.",
    ),
)
AIRPORT_PASSENGERS = Table(
    LAYER,
    "airport_passengers",
    "one airport and month",
    "Passengers through JFK by month (Port Authority of NY & NJ).",
    (
        Column("airport", pl.String, "IATA code."),
        Column("month_on", pl.Date, "First day of the month.", source_name="Activity Period"),
        Column(
            "passengers_count",
            pl.Int64,
            "Revenue passengers in the month.",
            unit="passengers",
            source_name="Revenue Passenger Volume",
            lower=0,
        ),
        *PROVENANCE,
    ),
    key=("airport", "month_on"),
)
TRANSIT_RIDERSHIP = Table(
    LAYER,
    "transit_ridership",
    "one transit service and day",
    "MTA estimated daily ridership (vxuj-8kew), one row a service.",
    (
        Column(
            "service",
            pl.String,
            "subway, bus, lirr, metro_north, access_a_ride, bridges_and_tunnels or staten_island_railway.",
        ),
        Column("ridden_on", pl.Date, "Day.", source_name="Date"),
        Column(
            "riders_count",
            pl.Int64,
            "Estimated riders, trips or crossings.",
            unit="riders",
            source_name="…: Total Estimated Ridership",
            lower=0,
        ),
        *PROVENANCE,
    ),
    key=("service", "ridden_on"),
)
_GEOMETRY = Column("geometry", pl.Binary, "Boundary as WKB, WGS 84, longitude first.")
BOROUGHS = Table(
    LAYER,
    "boroughs",
    "one borough",
    "Borough boundaries clipped to the shore line.",
    (Column("borough", pl.String, "Name, upper case."), _GEOMETRY, *PROVENANCE),
    key=("borough",),
)
PRECINCTS = Table(
    LAYER,
    "precincts",
    "one police precinct",
    "Police precinct boundaries (y76i-bdw7).",
    (Column("precinct", pl.Int32, "Precinct number.", lower=1), _GEOMETRY, *PROVENANCE),
    key=("precinct",),
    warnings=(
        "Precinct 116 was split from 105 and 113 on 2024-12-19: older rows carry the older number.",
    ),
)
HOLIDAYS = Table(
    LAYER,
    "holidays",
    "one holiday and jurisdiction",
    "Holidays of the study area's country and part of it, observed days included (library `holidays`).",
    (
        Column("holiday_on", pl.Date, "Day."),
        Column("jurisdiction", pl.String, "Country, or country and part: US, US-NY (ISO 3166)."),
        Column("name", pl.String, "Name in English."),
    ),
    key=("holiday_on", "jurisdiction"),
)
VERIFIED_CASES = Table(
    "restricted",
    "verified_cases",
    "one verified case report",
    "Verified trafficking cases from a task force's own file. Kept in the restricted store; only counts by area and day leave it.",
    (
        Column(
            "reported_on",
            pl.Date,
            "Day the incident was reported.",
            source_name="Incident Reporting Date",
        ),
        Column("case_type", pl.String, "Type of trafficking.", nullable=True, source_name="Type"),
        Column("sector", pl.String, "Sector of exploitation.", nullable=True, source_name="Sector"),
        Column(
            "location_type", pl.String, "Kind of place.", nullable=True, source_name="Location Type"
        ),
        Column(
            "lon",
            pl.Float64,
            "Longitude, often a borough's centroid.",
            unit="degree",
            nullable=True,
            source_name="Longitude",
            lower=-180,
            upper=180,
        ),
        Column(
            "lat",
            pl.Float64,
            "Latitude, often a borough's centroid.",
            unit="degree",
            nullable=True,
            source_name="Latitude",
            lower=-90,
            upper=90,
        ),
        *PROVENANCE,
    ),
    warnings=(
        "Most rows sit on a few centroids: a place is coarse.",
        "Restricted: never copy a row; what is worked out from a place leaves as suppressed counts only.",
    ),
)
REVIEW_DECISIONS = Table(
    "restricted",
    "review_decisions",
    "one decision on one cell of one map",
    "What reviewers decided on flagged cells, from a partner's own file. Optional, and kept in the restricted store.",
    (
        Column("risk_on", pl.Date, "Day of the map.", source_name="Map Day"),
        Column("cell_id", pl.Int32, "Cell of the grid.", source_name="Cell Id", lower=0),
        Column("reviewer_role", pl.String, "Role, never a name.", source_name="Reviewer Role"),
        Column("decision", pl.String, "What was decided.", source_name="Decision"),
        Column("decided_on", pl.Date, "Day of the decision.", source_name="Decided On"),
        *PROVENANCE,
    ),
    warnings=("A cell's number is of the grid in use: a new grid makes old decisions void.",),
)
RESTRICTED_TABLES = (VERIFIED_CASES, REVIEW_DECISIONS)
"""Rows that stay in the restricted store, and are in no catalog."""
TABLES = (
    *INCIDENT_TABLES,
    PERMITTED_EVENTS,
    AIRPORT_PASSENGERS,
    TRANSIT_RIDERSHIP,
    BOROUGHS,
    PRECINCTS,
    HOLIDAYS,
    OFFENCE_GROUPS,
    *RESTRICTED_TABLES,
    QUARANTINE,
    INTAKE,
)

__all__ = [
    "AIRPORT_PASSENGERS",
    "BOROUGHS",
    "COMPLAINTS",
    "FELONIES",
    "HOLIDAYS",
    "INCIDENT_REPORTS",
    "INCIDENT_TABLES",
    "INTAKE",
    "LAYER",
    "OFFENCE_GROUPS",
    "PERMITTED_EVENTS",
    "PRECINCTS",
    "QUARANTINE",
    "RESTRICTED_TABLES",
    "REVIEW_DECISIONS",
    "SHOOTINGS",
    "TABLES",
    "TRANSIT_RIDERSHIP",
    "VERIFIED_CASES",
]
