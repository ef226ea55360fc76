"""Tables of the `raw` layer: one row as the publisher sent it, typed, person columns dropped.

Belongs here: what leaves `sources/`. Does not: anything that needs another source (staging).
Every raw table of incidents has the same columns, so that a query written for one serves all.
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
    "US federal and New York State holidays, observed days included (library `holidays`).",
    (
        Column("holiday_on", pl.Date, "Day."),
        Column("jurisdiction", pl.String, "US or US-NY.", allowed=("US", "US-NY")),
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
        "Restricted: never join to places finer than a precinct, never copy a row.",
    ),
)
QUARANTINE = Table(
    LAYER,
    "quarantine",
    "one row that was read and refused",
    "Rows that a named rule refused, with the reason; rows read = rows kept + rows here.",
    (
        Column("source", pl.String, "Raw table the row was meant for."),
        Column("source_file", pl.String, "File the row came from."),
        Column(
            "source_row", pl.Int64, "Row in that file, 1 for the first after the header.", lower=1
        ),
        Column("rule", pl.String, "Name of the rule."),
        Column("column", pl.String, "The publisher's column that broke it."),
        Column("value", pl.String, "The value found, cut at 80 characters.", nullable=True),
        Column("reason", pl.String, "One sentence."),
        Column("pulled_on", pl.Date, "Day the file was read, from the file's own date."),
    ),
)

OFFENCE_GROUPS = Table(
    LAYER,
    "offence_groups",
    "one rule of the study area's offence groups",
    "The groups declared in the study area's file as rows, so that SQL and Python group alike.",
    (
        Column("offence_group", pl.String, "Name of the group."),
        Column("priority", pl.Int32, "Order in the file; the first rule that fits wins.", lower=0),
        Column(
            "offence_code",
            pl.Int32,
            "Key code that fits, missing where the rule is by label.",
            nullable=True,
            source_name="KY_CD",
        ),
        Column(
            "offence",
            pl.String,
            "Label that fits, missing where the rule is by code.",
            nullable=True,
            source_name="OFNS_DESC",
        ),
        Column(
            "is_discovered", pl.Boolean, "Whether the police find such incidents by being there."
        ),
    ),
)
INTAKE = Table(
    LAYER,
    "intake",
    "one file and raw table",
    "What was read from each file: rows read = rows kept + rows quarantined.",
    (
        Column("source", pl.String, "Raw table."),
        Column("source_file", pl.String, "File."),
        Column("layout", pl.String, "Layout recognised by its header."),
        Column("sha256", pl.String, "Digest of the file's bytes."),
        Column("rows_read_count", pl.Int64, "Rows in the file.", unit="rows", lower=0),
        Column("rows_kept_count", pl.Int64, "Rows kept.", unit="rows", lower=0),
        Column("rows_quarantined_count", pl.Int64, "Rows refused.", unit="rows", lower=0),
        Column("first_on", pl.Date, "First day among the kept rows.", nullable=True),
        Column("last_on", pl.Date, "Last day among the kept rows.", nullable=True),
    ),
    key=("source", "source_file"),
)

INCIDENT_TABLES = (COMPLAINTS, FELONIES, SHOOTINGS)
TABLES = (
    *INCIDENT_TABLES,
    PERMITTED_EVENTS,
    AIRPORT_PASSENGERS,
    TRANSIT_RIDERSHIP,
    BOROUGHS,
    PRECINCTS,
    HOLIDAYS,
    OFFENCE_GROUPS,
    VERIFIED_CASES,
    QUARANTINE,
    INTAKE,
)
