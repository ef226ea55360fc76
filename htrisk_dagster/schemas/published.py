"""Tables that exist in published snapshots alone: what of a small or large table may be shown.

Belongs here: their columns. Does not: tables that are published as they are (their own modules), the
snapshot's file (`publishing/snapshot.py`).

None of them is in the warehouse: `ALL_TABLES` and the catalog do not know them.
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas.hotspots import PATTERNS, SPOTS
from htrisk_dagster.schemas.table import Column, Table

LAYER = "published"
CURVE_NAMES = ("roc", "precision_recall", "pai_by_area", "calibration")
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SUPPRESSED = (
    "Counts of 1 to 10, and those from which one could be worked out, are missing (k = 11)."
)
_DISJOINT = "No incident is in two series, and the sum over series is not published."

_SERIES = Column("series", pl.String, "Target or series of the study area's file.")
_COUNT = Column(
    "incidents_count",
    pl.Int64,
    "Reported incidents; missing where hidden (k = 11).",
    unit="incidents",
    nullable=True,
    lower=0,
)

MODEL_SPREAD = Table(
    LAYER,
    "model_spread",
    "one cell and day",
    "How far the models disagree on a cell and day: the upper quartile of their expected counts over the lower.",
    (
        Column("risk_on", pl.Date, "Day the forecast is for, local."),
        Column("cell_id", pl.Int32, "Cell of the grid.", lower=0),
        Column(
            "spread_ratio",
            pl.Float64,
            "Upper quartile over lower quartile of the models; 1 where all agree.",
            unit="ratio",
            lower=1,
        ),
    ),
    key=("risk_on", "cell_id"),
    warnings=("Models that agree can be wrong together.",),
)
QUARTER_COUNTS = Table(
    LAYER,
    "quarter_counts",
    "one series, borough or `(all)`, and complete quarter or all of them",
    "Reported incidents by calendar quarter of occurrence and borough.",
    (
        _SERIES,
        Column("borough", pl.String, "Borough, `unknown`, or `(all)`."),
        Column(
            "quarter_on",
            pl.Date,
            "First day of the quarter; missing: all quarters.",
            nullable=True,
        ),
        _COUNT,
    ),
    key=("series", "borough", "quarter_on"),
    warnings=(_SUPPRESSED, _DISJOINT, "The newest quarter still gains late reports."),
)
HOUR_COUNTS = Table(
    LAYER,
    "hour_counts",
    "one series, weekday or `(all)`, and block of hours or all hours",
    "Reported incidents by local weekday and hour of occurrence, over the same complete quarters. Rare series in blocks of three or six hours.",
    (
        _SERIES,
        Column("weekday", pl.String, "Weekday, or `(all)`.", allowed=(*WEEKDAYS, "(all)")),
        Column(
            "hour",
            pl.Int32,
            "First local hour of the block; missing: all hours.",
            nullable=True,
            lower=0,
            upper=23,
        ),
        Column("block_hours", pl.Int32, "Hours in a block.", unit="hours", lower=1, upper=6),
        _COUNT,
    ),
    key=("series", "weekday", "hour"),
    warnings=(
        _SUPPRESSED,
        _DISJOINT,
        "Full hours, noon and midnight are heaped: they stand for times that nobody knew.",
    ),
)
HOT_SPOT_CLASSES = Table(
    LAYER,
    "hot_spot_classes",
    "one series and cell with a pattern",
    "Classes of emerging hot spots without the counts behind them.",
    (
        _SERIES,
        Column("cell_id", pl.Int32, "Cell of the grid.", lower=0),
        Column("first_week_on", pl.Date, "Monday of the first week."),
        Column("last_week_on", pl.Date, "Monday of the final week."),
        Column("pattern", pl.String, "Class of the cell.", allowed=PATTERNS),
        Column("spot", pl.String, "hot or cold over all weeks together.", allowed=SPOTS),
    ),
    key=("series", "cell_id"),
    warnings=("Incidents located at a station house have no cell and are not in it.",),
)
_NO_SMALL_COUNT = (
    "A spot is told where its cell and the cells around it have 11 reported incidents or more in the week, "
    "or none; a hidden spot looks like a cell that is neither hot nor cold."
)
WEEK_SPOTS = Table(
    LAYER,
    "week_spots",
    "one series, week and cell that is hot or cold in it",
    "Hot and cold cells of each of the last 104 weeks by Gi*, at a false-discovery rate of 5% within the week.",
    (
        _SERIES,
        Column("week_on", pl.Date, "Monday of the week, local."),
        Column("cell_id", pl.Int32, "Cell of the grid.", lower=0),
        Column("spot", pl.String, "hot or cold in the week.", allowed=("hot", "cold")),
    ),
    key=("series", "week_on", "cell_id"),
    warnings=(
        _NO_SMALL_COUNT,
        "Incidents located at a station house have no cell and are not in it.",
        "The newest weeks still gain late reports.",
    ),
)


def _cells(kind: str, description: str) -> Column:
    return Column(f"{kind}_cells_count", pl.Int32, description, unit="cells", lower=0)


HOT_SPOT_WEEKS = Table(
    LAYER,
    "hot_spot_weeks",
    "one series and week",
    "How many cells of each week are told as hot or cold, and how many spots are hidden.",
    (
        _SERIES,
        Column("week_on", pl.Date, "Monday of the week, local."),
        _cells("hot", "Cells told as hot."),
        _cells("cold", "Cells told as cold."),
        _cells("hidden", "Hot and cold cells that are hidden."),
    ),
    key=("series", "week_on"),
    warnings=(_NO_SMALL_COUNT,),
)
CURVES = Table(
    LAYER,
    "curves",
    "one curve, model and point",
    "Curves of every model on the scored days, on active cells, with the ceiling.",
    (
        Column("curve", pl.String, "Which curve.", allowed=CURVE_NAMES),
        Column("model", pl.String, "Name of the model, or `ceiling`."),
        Column("point", pl.Int32, "Order along the curve.", lower=0),
        Column("x", pl.Float64, "Value on the axis named by `x_title`."),
        Column("y", pl.Float64, "Value on the axis named by `y_title`."),
        Column("x_title", pl.String, "What x is, with its unit."),
        Column("y_title", pl.String, "What y is, with its unit."),
    ),
    key=("curve", "model", "point"),
)
OFFENCE_MIX = Table(
    LAYER,
    "offence_mix",
    "one part of the day, kind of day and offence category",
    "Which category is reported, given that one is: predicted beside the share in the past, all police agencies together.",
    (
        Column("day_part", pl.String, "Quarter of the day."),
        Column("is_weekend", pl.Boolean, "Saturday or Sunday."),
        Column("offence_category", pl.String, "The FBI's category; rare ones together."),
        Column("predicted_pct", pl.Float64, "Calibrated probability.", unit="%", lower=0, upper=100.0001),
        Column("historical_pct", pl.Float64, "Share of the past, all hours.", unit="%", lower=0, upper=100.0001),
    ),
    key=("day_part", "is_weekend", "offence_category"),
    warnings=(
        "Shares of reports, no risk: nothing is said of how many there are.",
        "Categories of fewer than 11 offences are told together; no agency is told by itself.",
    ),
)  # fmt: skip
MAP_DOSSIERS = Table(
    LAYER,
    "map_dossiers",
    "one day with a map",
    "Which map of a day is in the snapshot: the digest under which reviewers sign for it and its documents.",
    (
        Column("risk_on", pl.Date, "Day the map is for, local."),
        Column("dossier", pl.String, "SHA-256 over the map and its documents, 64 hex digits."),
    ),
    key=("risk_on",),
    warnings=(
        "Whether the map is out stands in the log of releases alone: it changes after the snapshot.",
    ),
)
TABLES = (
    MODEL_SPREAD, QUARTER_COUNTS, HOUR_COUNTS, HOT_SPOT_CLASSES, WEEK_SPOTS,
    HOT_SPOT_WEEKS, CURVES, OFFENCE_MIX, MAP_DOSSIERS,
)  # fmt: skip
