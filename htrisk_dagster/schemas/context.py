"""Tables of context: what is known of cells and areas, since when, and how risk relates to it.

Belongs here: what `grid/context_tables.py` and `evaluation/context_relation.py` make. Does not: the
publishers' rows (`context_sources`), features (`features/catalogue.py`).
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas.context_sources import CENSUS_AREA_TYPES, area_columns
from htrisk_dagster.schemas.table import Column, Table

LAYER = "context"
# Name to unit. Those by category of place come on top, `places_<category>_count`.
CELL_VARIABLES = {
    "residents_count": "residents",
    "acs_residents_count": "residents",
    "median_income_usd": "USD a year",
    "poverty_pct": "%",
    "unemployment_pct": "%",
    "foreign_born_pct": "%",
    "limited_english_pct": "%",
    "other_language_pct": "%",
    "hotels_count": "hotels",
    "subway_stations_count": "stations",
}

CELL_NEIGHBOURHOODS = Table(
    LAYER,
    "cell_neighbourhoods",
    "one cell and neighbourhood that share a tax lot",
    "Tax lots as the bridge from neighbourhoods to cells: how many residents the two share.",
    (
        Column("cell_id", pl.Int32, "Cell of the grid.", lower=0),
        Column("neighbourhood", pl.String, "Code of the neighbourhood."),
        Column(
            "residents_count",
            pl.Float64,
            "Residents of the shared lots.",
            unit="residents",
            lower=0,
        ),
        Column("lots_count", pl.Int64, "Shared lots.", unit="lots", lower=1),
    ),
    key=("cell_id", "neighbourhood"),
)


def _value_columns(of: str) -> tuple[Column, ...]:
    return (
        Column("variable", pl.String, "Name of the variable, its unit as a suffix."),
        Column("period_on", pl.Date, "Last day that the value speaks of."),
        Column(
            "known_on", pl.Date, "First day on which it was published: period and publication lag."
        ),
        Column("value", pl.Float64, f"Value of the {of}.", lower=0),
        Column(
            "margin_of_error",
            pl.Float64,
            "Half-width of the 90% interval, from the publisher's; missing where there is none.",
            nullable=True,
            lower=0,
        ),
        Column(
            "is_approximate",
            pl.Boolean,
            "Whether it was brought here by weighting or interpolation, not published so.",
        ),
    )


CELLS = Table(
    LAYER,
    "cells",
    "one cell, variable and period",
    "Context by cell: counts split by residents of tax lots, rates weighted by them, points counted.",
    (Column("cell_id", pl.Int32, "Cell of the grid.", lower=0), *_value_columns("cell")),
    key=("cell_id", "variable", "period_on"),
    warnings=(
        "A cell without residents has no rate: absent, not zero.",
        "A margin of error holds the survey's error only, not that of the weighting.",
        "A median is interpolated in brackets of income, the last of which is open at 200,000.",
    ),
)
AREAS = Table(
    LAYER,
    "areas",
    "one area, variable and period",
    "Context by neighbourhood and by precinct, as published; points counted by boundary.",
    (*area_columns(CENSUS_AREA_TYPES), *_value_columns("area")),
    key=("area_type", "area_id", "variable", "period_on"),
)
_INTERVAL = (
    Column("rate_ratio_low", pl.Float64, "Lower end of its 95% interval.", nullable=True, lower=0),
    Column("rate_ratio_high", pl.Float64, "Upper end of its 95% interval.", nullable=True, lower=0),
)
_NOT_CAUSE = "Association at the level of places, not cause, and nothing about persons."
CONTEXT_RELATION = Table(
    "evaluation",
    "context_relation",
    "one variable",
    "How the target's reports relate to each variable of context, cell by cell within boroughs.",
    (
        Column("target", pl.String, "Target."),
        Column("variable", pl.String, "Variable of `context.cells`."),
        Column(
            "scale", pl.String, "Scale on which it is standardised.", allowed=("linear", "log1p")
        ),
        Column("context_on", pl.Date, "Last day that the variable speaks of."),
        Column("first_on", pl.Date, "First day of the reports."),
        Column("last_on", pl.Date, "Last day of the reports."),
        Column("cells_count", pl.Int32, "Cells that have the variable.", unit="cells", lower=0),
        Column("incidents_count", pl.Int64, "Incidents in them.", unit="incidents", lower=0),
        Column("block_km", pl.Float64, "Side of a block.", unit="km", lower=0),
        Column("blocks_count", pl.Int32, "Blocks.", unit="blocks", lower=0),
        Column(
            "rate_ratio",
            pl.Float64,
            "Reports an area and day at one standard deviation more, as a ratio; missing where too few.",
            nullable=True,
            lower=0,
        ),
        *_INTERVAL,
        Column(
            "deviance_gain_pct",
            pl.Float64,
            "Deviance out of block that the variable takes away, of that without it; below 0 it harms.",
            unit="%",
            nullable=True,
        ),
        Column(
            "blocks_improved_share",
            pl.Float64,
            "Share of blocks that are forecast better with it.",
            unit="share",
            nullable=True,
            lower=0,
            upper=1,
        ),
        Column("sentence", pl.String, "The relation in words."),
    ),
    key=("target", "variable"),
    warnings=(
        _NOT_CAUSE,
        "The variable may be of later years than the reports: compare context_on and last_on.",
    ),
)
_CATEGORY = Column("category", pl.String, "Category of places, such as liquor_store.")
_RATIO = "missing where there is too little to tell"
PLACE_RELATION = Table(
    "evaluation",
    "place_relation",
    "one category of places",
    "Whether the target's reports lie nearer to places of a category, such as liquor stores, than chance has "
    "it: cross-K in a rectangle of land, and a regression by cell within boroughs.",
    (
        Column("target", pl.String, "Target."),
        _CATEGORY,
        Column(
            "places_on",
            pl.Date,
            "Newest day of the files of places; missing where none is placed.",
            nullable=True,
        ),
        Column("first_on", pl.Date, "First day of the reports."),
        Column("last_on", pl.Date, "Last day of the reports."),
        Column("places_count", pl.Int32, "Places on the grid.", unit="places", lower=0),
        Column("incidents_count", pl.Int64, "Incidents on the grid.", unit="incidents", lower=0),
        Column(
            "box_km2",
            pl.Float64,
            "Rectangle of land in which distances are compared.",
            unit="km²",
            lower=0,
        ),
        Column("box_places_count", pl.Int32, "Places in it.", unit="places", lower=0),
        Column("box_incidents_count", pl.Int64, "Incidents in it.", unit="incidents", lower=0),
        Column(
            "cross_k_p_value_prob",
            pl.Float64,
            f"Of the whole curve of `evaluation.place_cross_k` under independence; {_RATIO}.",
            unit="probability",
            nullable=True,
            lower=0,
            upper=1,
        ),
        Column(
            "block_km",
            pl.Float64,
            "Side of the blocks that the regression is judged on.",
            unit="km",
            lower=0,
        ),
        Column("blocks_count", pl.Int32, "Blocks.", unit="blocks", lower=0),
        Column(
            "rate_ratio",
            pl.Float64,
            f"Reports of a cell with one place to its like with none; {_RATIO}.",
            nullable=True,
            lower=0,
        ),
        *_INTERVAL,
        Column(
            "deviance_gain_pct",
            pl.Float64,
            "Deviance out of block that the places take away; below 0 they mislead.",
            unit="%",
            nullable=True,
        ),
        Column("sentence", pl.String, "Both in words."),
    ),
    key=("target", "category"),
    warnings=(
        _NOT_CAUSE,
        "A file of places is of its own day: compare places_on and last_on.",
    ),
)
PLACE_CROSS_K = Table(
    "evaluation",
    "place_cross_k",
    "one category of places and distance",
    "Cross-K of the target's reports around places of a category, over that of patterns without relation, with "
    "its 95% envelope under random shifts of the places.",
    (
        Column("target", pl.String, "Target."),
        _CATEGORY,
        Column("radius_m", pl.Float64, "Distance.", unit="m", lower=0),
        Column(
            "k_ratio",
            pl.Float64,
            "Incidents within it of a place, over pi r² at their density.",
            lower=0,
        ),
        Column("k_ratio_low", pl.Float64, "Lower end of the pointwise envelope.", lower=0),
        Column("k_ratio_high", pl.Float64, "Upper end of the pointwise envelope.", lower=0),
    ),
    key=("target", "category", "radius_m"),
    warnings=("Association at the level of places, not cause, and nothing about persons.",),
)
CONTEXT_TABLES = (CELL_NEIGHBOURHOODS, CELLS, AREAS)
PLACE_TABLES = (PLACE_RELATION, PLACE_CROSS_K)
TABLES = (*CONTEXT_TABLES, CONTEXT_RELATION, *PLACE_TABLES)
