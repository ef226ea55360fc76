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
TABLES = (MODEL_SPREAD, QUARTER_COUNTS, HOUR_COUNTS, HOT_SPOT_CLASSES, CURVES)
