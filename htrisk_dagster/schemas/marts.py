"""Tables of the `marts` layer: what analysts query, made by `dbt/models/marts`.

Belongs here: their columns; a test holds dbt's YAML to these lists. Does not: forecasts.
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas.table import Column, Table

LAYER = "marts"

INCIDENTS_DAILY = Table(
    LAYER,
    "incidents_daily",
    "one source, day, borough, precinct and offence group with an incident",
    "Reported incidents counted by local day of occurrence.",
    (
        Column("source", pl.String, "Raw table the incidents came from."),
        Column("occurred_on", pl.Date, "Local day of occurrence."),
        Column("borough", pl.String, "Borough as published, or `unknown`."),
        Column("precinct", pl.Int32, "Precinct as published.", nullable=True),
        Column("offence_group", pl.String, "Group of the study area's file."),
        Column("incidents_count", pl.Int64, "Reported incidents.", unit="incidents", lower=1),
    ),
    key=("source", "occurred_on", "borough", "precinct", "offence_group"),
    warnings=("Small counts: not for publication.",),
)
REPORTING_DELAY = Table(
    LAYER,
    "reporting_delay",
    "one source, month of the report and offence group",
    "Days between occurrence and report.",
    (
        Column("source", pl.String, "Raw table the incidents came from."),
        Column("month_on", pl.Date, "First day of the month of the report."),
        Column("offence_group", pl.String, "Group of the study area's file."),
        Column("incidents_count", pl.Int64, "Reported incidents.", unit="incidents", lower=1),
        Column("median_delay_days", pl.Int64, "Median delay.", unit="days", lower=0),
        Column(
            "p90_delay_days",
            pl.Int64,
            "90% of reports came within this delay.",
            unit="days",
            lower=0,
        ),
        Column(
            "p99_delay_days",
            pl.Int64,
            "99% of reports came within this delay.",
            unit="days",
            lower=0,
        ),
    ),
    key=("source", "month_on", "offence_group"),
)
TABLES = (INCIDENTS_DAILY, REPORTING_DELAY)
