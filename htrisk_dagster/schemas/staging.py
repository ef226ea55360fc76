"""Tables of the `staging` layer: canonical, deduplicated, one shape for every study area.

Belongs here: what `dbt/models/staging` makes; a test holds its YAML to these lists. Does not:
raw rows (`raw`), what analysts query (`marts`).
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas.table import Column, Table

LAYER = "staging"

INCIDENTS = Table(
    LAYER,
    "incidents",
    "one reported incident",
    "Every raw table of incidents as one: one row a number, offences grouped by code or label.",
    (
        Column("incident_id", pl.String, "source and number, joined by a colon."),
        Column(
            "source",
            pl.String,
            "Raw table the incident came from.",
            allowed=("complaints", "felonies", "shootings", "incident_reports"),
        ),
        Column("occurred_at", pl.Datetime("us"), "When it is said to have begun, naive UTC."),
        Column("occurred_on", pl.Date, "Local day of occurrence."),
        Column("reported_on", pl.Date, "Local day of the report."),
        Column("offence_code", pl.Int32, "Offence key code.", nullable=True),
        Column(
            "offence_group",
            pl.String,
            "Group of the study area's file, by code; `other` where none fits.",
        ),
        Column("law_category", pl.String, "felony, misdemeanor or violation.", nullable=True),
        Column("borough", pl.String, "Borough as published.", nullable=True),
        Column("precinct", pl.Int32, "Precinct as published.", nullable=True),
        Column("lon", pl.Float64, "Longitude, WGS 84.", unit="degree", nullable=True),
        Column("lat", pl.Float64, "Latitude, WGS 84.", unit="degree", nullable=True),
        Column(
            "origin",
            pl.String,
            "Whether somebody reported it or the police discovered it by being there.",
            allowed=("reported", "discovered"),
        ),
    ),
    key=("incident_id",),
    warnings=("Reported incidents, not crimes.",),
)
EVENTS = Table(
    LAYER,
    "events",
    "one occurrence of a permitted event in one precinct",
    "Permitted events by precinct; an event in two precincts has two rows with `precinct_share` one half.",
    (
        Column("event_id", pl.String, "The publisher's number."),
        Column("starts_on", pl.Date, "Local day of the start."),
        Column("ends_on", pl.Date, "Local day of the end, 30 days after the start at the latest."),
        Column("event_type", pl.String, "The publisher's type."),
        Column("precinct", pl.Int32, "Police precinct."),
        Column(
            "precinct_share",
            pl.Float64,
            "One over the number of precincts of the event.",
            unit="share",
            lower=0,
            upper=1,
        ),
    ),
    key=("event_id", "starts_on", "ends_on", "event_type", "precinct"),
)
MOBILITY = Table(
    LAYER,
    "mobility",
    "one series and period",
    "Airport passengers by month and transit riders by day in one table.",
    (
        Column("series", pl.String, "Name, such as airport_jfk or transit_subway."),
        Column("period_on", pl.Date, "First day of the period."),
        Column("period", pl.String, "Length of the period.", allowed=("day", "month")),
        Column(
            "passengers_count",
            pl.Int64,
            "Passengers, riders or crossings in the period.",
            unit="passengers",
            lower=0,
        ),
    ),
    key=("series", "period_on"),
)
VERIFIED_CASE_COUNTS = Table(
    LAYER,
    "verified_case_counts",
    "one borough or `(all)`, and period or all periods",
    "Verified cases counted by borough and period of report, with totals: the shortest of months, quarters, half-years and years in which a borough has eleven in the mean.",
    (
        Column("borough", pl.String, "Borough, `unknown`, or `(all)` for the city."),
        Column(
            "period_on",
            pl.Date,
            "First day of the period of the report; missing: all periods.",
            nullable=True,
        ),
        Column(
            "months_count",
            pl.Int32,
            "Length of the period; missing for all periods.",
            unit="months",
            nullable=True,
            lower=1,
            upper=12,
        ),
        Column(
            "cases_count",
            pl.Int64,
            "Cases; missing where 1 to 10 (k = 11), or where one could be worked out.",
            unit="cases",
            nullable=True,
            lower=0,
        ),
    ),
    key=("borough", "period_on"),
    warnings=(
        "Suppressed at k = 11 with complementary suppression; two releases of a growing file can "
        "still tell what came between them, so release it seldom.",
    ),
)
TABLES = (INCIDENTS, EVENTS, MOBILITY, VERIFIED_CASE_COUNTS)
