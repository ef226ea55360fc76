"""Tables of the `hotspots` layer: where reported incidents concentrate, and how that changes.

Belongs here: local statistics of cells and weeks. Does not: density, clusters and spikes
(`hot_places.py`), forecasts (`predictions.py`).
"""

from __future__ import annotations

from itertools import product

import polars as pl

from htrisk_dagster.schemas.table import Column, Table

LAYER = "hotspots"
NO_PATTERN = "no pattern"
_PATTERN_NAMES = (
    "new", "consecutive", "intensifying", "persistent", "diminishing", "sporadic", "oscillating",
    "historical",
)  # fmt: skip
PATTERNS = (
    *(f"{name} {kind} spot" for kind, name in product(("hot", "cold"), _PATTERN_NAMES)),
    NO_PATTERN,
)
SPOTS = ("hot", "cold", "neither")
CHANGES = ("more", "fewer", "no change")

_SERIES = Column(
    "series", pl.String, "`incidents` for all reported incidents, or the name of the target."
)
_CELL = Column("cell_id", pl.Int32, "Cell of the grid.", lower=0)
_COUNT = Column(
    "incidents_count", pl.Int32, "Reported incidents that have a cell.", unit="incidents", lower=0
)
_OF_PLACES = "Incidents located at a station house have no cell and are not in it; their share is in the asset's metadata."


def _probability(name: str, description: str) -> Column:
    return Column(
        name, pl.Float64, description, unit="probability", nullable=True, lower=0, upper=1
    )


CELL_WEEK_GI_STAR = Table(
    LAYER,
    "cell_week_gi_star",
    "one series, week and cell",
    "Getis-Ord Gi* of the last 104 weeks with queen contiguity, each week compared within itself.",
    (
        _SERIES,
        Column("week_on", pl.Date, "Monday of the week, local."),
        _CELL,
        _COUNT,
        Column(
            "gi_star_z",
            pl.Float64,
            "Gi* as a z-score; missing in a week whose cells all have the same count.",
            unit="standard deviations",
            nullable=True,
        ),
        _probability("p_value_prob", "Two-sided analytic p-value."),
        _probability(
            "fdr_p_value_prob",
            "The same after Benjamini and Hochberg over the cells of the week.",
        ),
        _probability(
            "permutation_p_value_prob", "Two-sided exact p-value over all conditional permutations."
        ),
        _probability(
            "permutation_fdr_p_value_prob",
            "The same after Benjamini and Hochberg over the cells of the week.",
        ),
        Column(
            "spot",
            pl.String,
            "hot or cold by permutation, at a false-discovery rate of 5% within the week.",
            allowed=SPOTS,
        ),
    ),
    key=("series", "week_on", "cell_id"),
    warnings=(
        _OF_PLACES,
        "With few incidents a cell the analytic p-value of a hot cell is far too small, and nine cells look hot around each incident: use the permutation p-value.",
        "Small counts: not for publication.",
    ),
)
EMERGING_HOT_SPOTS = Table(
    LAYER,
    "emerging_hot_spots",
    "one series and cell",
    "What became of each cell's hot and cold weeks over the last 104, in the 17 classes of emerging hot spot analysis.",
    (
        _SERIES,
        _CELL,
        Column("first_week_on", pl.Date, "Monday of the first week."),
        Column("last_week_on", pl.Date, "Monday of the final week."),
        Column("pattern", pl.String, "Class of the cell.", allowed=PATTERNS),
        Column("hot_weeks_count", pl.Int32, "Weeks the cell was hot.", unit="weeks", lower=0),
        Column("cold_weeks_count", pl.Int32, "Weeks the cell was cold.", unit="weeks", lower=0),
        Column(
            "trend_z",
            pl.Float64,
            "Mann-Kendall trend of the weekly Gi*, corrected for ties.",
            unit="standard deviations",
            nullable=True,
        ),
        _probability("trend_p_value_prob", "Two-sided p-value of the trend."),
        Column(
            "incidents_count",
            pl.Int32,
            "Reported incidents of all weeks that have a cell.",
            unit="incidents",
            lower=0,
        ),
        Column(
            "gi_star_z",
            pl.Float64,
            "Gi* of all weeks together.",
            unit="standard deviations",
            nullable=True,
        ),
        _probability(
            "fdr_p_value_prob",
            "Two-sided analytic p-value of all weeks together, after Benjamini and Hochberg.",
        ),
        _probability(
            "permutation_p_value_prob",
            "Two-sided exact p-value of all weeks together, over all conditional permutations.",
        ),
        _probability(
            "permutation_fdr_p_value_prob", "The same after Benjamini and Hochberg over the cells."
        ),
        Column(
            "spot",
            pl.String,
            "hot or cold of all weeks together, by permutation, at a false-discovery rate of 5%.",
            allowed=SPOTS,
        ),
    ),
    key=("series", "cell_id"),
    warnings=(_OF_PLACES, "Small counts: not for publication."),
)
PERIOD_CHANGE = Table(
    LAYER,
    "period_change",
    "one series and cell",
    "The later half of the last 104 weeks against the earlier half: Poisson rate ratio and Andresen's similarity.",
    (
        _SERIES,
        _CELL,
        Column("base_first_week_on", pl.Date, "Monday of the earlier half's first week."),
        Column("recent_first_week_on", pl.Date, "Monday of the later half's first week."),
        Column(
            "base_incidents_count",
            pl.Int32,
            "Reported incidents of the earlier half.",
            unit="incidents",
            lower=0,
        ),
        Column(
            "recent_incidents_count",
            pl.Int32,
            "Reported incidents of the later half.",
            unit="incidents",
            lower=0,
        ),
        Column(
            "rate_ratio",
            pl.Float64,
            "Later rate over earlier; missing where the earlier half has no incident.",
            unit="ratio",
            nullable=True,
            lower=0,
        ),
        _probability("p_value_prob", "Two-sided exact p-value of equal rates."),
        _probability(
            "fdr_p_value_prob",
            "The same after Benjamini and Hochberg over the cells with an incident.",
        ),
        Column(
            "change",
            pl.String,
            "more or fewer at a false-discovery rate of 5%.",
            allowed=CHANGES,
        ),
        Column(
            "is_share_similar",
            pl.Boolean,
            "The cell's share of the city's incidents is as before, by Andresen's test; missing where a half has no incident.",
            nullable=True,
        ),
    ),
    key=("series", "cell_id"),
    warnings=(_OF_PLACES, "Small counts: not for publication."),
)
TABLES = (CELL_WEEK_GI_STAR, EMERGING_HOT_SPOTS, PERIOD_CHANGE)
