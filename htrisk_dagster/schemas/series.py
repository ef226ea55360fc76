"""Tables of the `series` layer: counts of areas by period, their forecasts, and what follows from them.

Belongs here: what is known and expected of an area and period. Does not: cells and days
(`predictions.py`).
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas.table import Column, Table

LAYER = "series"
FREQUENCIES = ("day", "week", "month")

_AREA = Column("area", pl.String, "Police precinct, or `(all)` for the study area.")
_REPORTED = "Reported incidents, not crimes."

AREA_PERIODS = Table(
    LAYER,
    "area_periods",
    "one frequency, area and period",
    "Reported incidents counted by area and day, week or month of occurrence, zeros included.",
    (
        Column("frequency", pl.String, "Length of the period.", allowed=FREQUENCIES),
        _AREA,
        Column("period_on", pl.Date, "First local day of the period; weeks begin on Monday."),
        Column("days_count", pl.Int16, "Days of the period.", unit="days", lower=1, upper=31),
        Column(
            "covered_days_count",
            pl.Int16,
            "Of these, days that the incidents cover.",
            unit="days",
            lower=1,
            upper=31,
        ),
        Column("incidents_count", pl.Int32, "Reported incidents.", unit="incidents", lower=0),
        Column("is_partial", pl.Boolean, "The incidents cover the period in part only."),
    ),
    key=("frequency", "area", "period_on"),
    warnings=(
        _REPORTED,
        "The count of a partial period is no count of a period: models leave it out.",
        "Small counts: not for publication.",
    ),
)
TABLES: tuple[Table, ...] = (AREA_PERIODS,)
