"""Tables of the `grid` layer: the cells of a study area, and incidents placed on them.

Belongs here: what `grid/` makes. Does not: counts over time (features).
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas.table import Column, Table

LAYER = "grid"
LOCATION_QUALITIES = ("exact", "station_house", "centroid", "missing", "outside")

CELLS = Table(
    LAYER,
    "cells",
    "one square cell that touches land",
    "The grid of the study area in its projected CRS. `cell_id` is the row number, row by row from the south-west.",
    (
        Column("cell_id", pl.Int32, "0 to n-1 in file order.", lower=0),
        Column("col", pl.Int32, "Column of the lattice, eastwards.", lower=0),
        Column("row", pl.Int32, "Row of the lattice, northwards.", lower=0),
        Column("x_m", pl.Float64, "Easting of the centre.", unit="m"),
        Column("y_m", pl.Float64, "Northing of the centre.", unit="m"),
        Column("lon", pl.Float64, "Longitude of the centre.", unit="degree"),
        Column("lat", pl.Float64, "Latitude of the centre.", unit="degree"),
        Column(
            "land_share",
            pl.Float64,
            "Share of the cell that is land.",
            unit="share",
            lower=0,
            upper=1,
        ),
        Column("precinct", pl.Int32, "Precinct with the largest part of the cell's land."),
        Column("borough", pl.String, "Borough with the largest part of the cell's land."),
    ),
    key=("cell_id",),
)
INCIDENT_CELLS = Table(
    LAYER,
    "incident_cells",
    "one reported incident",
    "Incidents of staging with the cell they fall in and how far their point can be trusted.",
    (
        Column("incident_id", pl.String, "source and number, joined by a colon."),
        Column("source", pl.String, "Raw table the incident came from."),
        Column("offence_group", pl.String, "Group of the study area, by code."),
        Column("occurred_on", pl.Date, "Local day of occurrence."),
        Column("reported_on", pl.Date, "Local day of the report."),
        Column(
            "cell_id",
            pl.Int32,
            "Cell; missing where the point cannot be trusted to a cell.",
            nullable=True,
            lower=0,
        ),
        Column(
            "precinct",
            pl.Int32,
            "Precinct of the cell, or as published where there is no cell.",
            nullable=True,
        ),
        Column(
            "location_quality",
            pl.String,
            "exact; station_house: a point that held an implausible share of its offence before this report; centroid; missing; outside the study area.",
            allowed=LOCATION_QUALITIES,
        ),
    ),
    key=("incident_id",),
)
TABLES = (CELLS, INCIDENT_CELLS)
