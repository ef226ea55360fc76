"""Tables of the validation against verified cases: suppressed aggregates, all that leaves.

Belongs here: what `verified_validation`, `lead_time`, `verified_overlay` and `detection_funnel` of
`evaluation/` make. Does not: the rows of the cases and of the reviews (`raw.RESTRICTED_TABLES`).
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas.table import Column, Table

LAYER = "evaluation"
STAGES = ("reported", "geocoded", "flagged", "reviewed", "verified")
STATUSES = ("shown", "hidden", "not recorded", "period not complete")
_SUPPRESSED = (
    "Counts of 1 to 10, and those from which one could be worked out, are missing (k = 11)."
)
_COARSE = "Rows on centroids count by borough only; hits and lead times are of the other rows."

OVERLAY = Table(
    LAYER,
    "verified_overlay",
    "one borough, or `(all)`, and period",
    "Predicted risk beside verified cases: what the maps of a period expected, and how many cases were reported in it.",
    (
        Column("borough", pl.String, "Borough, `unknown`, or `(all)` for the city."),
        Column("period_on", pl.Date, "First day of the period."),
        Column("months_count", pl.Int32, "Length of the period.", unit="months", lower=1, upper=12),
        Column("maps_count", pl.Int32, "Days of the period that have a map.", unit="days", lower=0),
        Column("days_count", pl.Int32, "Days of the period.", unit="days", lower=28, upper=366),
        Column(
            "expected_count",
            pl.Float64,
            "Reported incidents of the target that the maps expected; missing without a map.",
            unit="incidents",
            nullable=True,
            lower=0,
        ),
        Column(
            "mean_risk_prob",
            pl.Float64,
            "Mean risk of a cell and day; missing without a map.",
            unit="probability",
            nullable=True,
            lower=0,
            upper=1,
        ),
        Column(
            "cases_count",
            pl.Int64,
            "Verified cases reported in the whole period.",
            unit="cases",
            nullable=True,
            lower=0,
        ),
    ),
    key=("borough", "period_on"),
    warnings=(
        _SUPPRESSED,
        "Expectation is of the days with a map, cases are of the whole period.",
        "Periods are as long as those of `staging.verified_case_counts`.",
    ),
)
HIT_RATE = Table(
    LAYER,
    "verified_hit_rate",
    "one model and area budget",
    "Share of verified cases with a place that lay in each day's riskiest cells.",
    (
        Column("model", pl.String, "Name of the model."),
        Column("budget_pct", pl.Float64, "Share of cells flagged each day.", unit="%", lower=0),
        Column(
            "located_count",
            pl.Int64,
            "Cases with a place, and a map on the day and the 28 days before.",
            unit="cases",
            nullable=True,
        ),
        Column("hits_count", pl.Int64, "Of these, in a flagged cell.", unit="cases", nullable=True),
        Column("hit_rate_pct", pl.Float64, "Hits over located cases.", unit="%", nullable=True),
        Column("lower_95_pct", pl.Float64, "Clopper-Pearson, lower end.", unit="%", nullable=True),
        Column("upper_95_pct", pl.Float64, "Clopper-Pearson, upper end.", unit="%", nullable=True),
        Column(
            "random_pct",
            pl.Float64,
            "Hit rate of cells drawn at random: the share flagged.",
            unit="%",
        ),
        Column(
            "coarse_pct",
            pl.Float64,
            "Share of all cases whose place is coarse or missing, and so not in this table.",
            unit="%",
            nullable=True,
        ),
    ),
    key=("model", "budget_pct"),
    warnings=(
        _SUPPRESSED,
        _COARSE,
        "A hit is of the day of the report, not of the deed.",
        "Budgets are the finest of which every hit can be shown.",
    ),
)
LEAD_TIME = Table(
    LAYER,
    "verified_lead_time",
    "one model and statistic",
    "How long before its report the place of a verified case was among the flagged cells, against cases whose places are exchanged.",
    (
        Column("model", pl.String, "Name of the model."),
        Column(
            "statistic",
            pl.String,
            "flagged_pct: flagged in the window; first and last_flagged_days: median days before the report.",
            allowed=("flagged_pct", "first_flagged_days", "last_flagged_days"),
        ),
        Column("located_count", pl.Int64, "Cases with a place and a map on every day of the window.", unit="cases", nullable=True),
        Column("value", pl.Float64, "Of the cases.", nullable=True),
        Column("exchanged_mean", pl.Float64, "Mean over permutations of the places among the cases.", nullable=True),
        Column("exchanged_lower_95", pl.Float64, "2.5% of permutations lie below.", nullable=True),
        Column("exchanged_upper_95", pl.Float64, "2.5% of permutations lie above.", nullable=True),
        Column(
            "p_value_prob",
            pl.Float64,
            "Chance of as great a value under exchanged places, one-sided.",
            unit="probability",
            nullable=True,
            lower=0,
            upper=1,
        ),
        Column("random_place_value", pl.Float64, "flagged_pct of a cell drawn at random.", nullable=True),
    ),
    key=("model", "statistic"),
    warnings=(_SUPPRESSED, _COARSE),
)  # fmt: skip
FUNNEL = Table(
    LAYER,
    "detection_funnel",
    "one borough or `(all)`, period or all periods, and stage",
    "From reported to verified: how many reported incidents of the target had a place, lay in a flagged cell, were reviewed, and how many cases were verified.",
    (
        Column("borough", pl.String, "Borough, `unknown`, or `(all)` for the city."),
        Column("period_on", pl.Date, "First day of the period; missing: all days with a map.", nullable=True),
        Column("months_count", pl.Int32, "Length of the period; missing: all days with a map.", unit="months", nullable=True, lower=1, upper=12),
        Column("stage", pl.String, "Stage of detection and response.", allowed=STAGES),
        Column("incidents_count", pl.Int64, "Incidents, of the last stage cases.", unit="incidents", nullable=True, lower=0),
        Column("of_reported_pct", pl.Float64, "Share of the reported.", unit="%", nullable=True, lower=0),
        Column(
            "status",
            pl.String,
            "Why a count is missing: hidden (k = 11), the stage is not recorded, or some day of the period has no map.",
            allowed=STATUSES,
        ),
    ),
    key=("borough", "period_on", "stage"),
    warnings=(
        _SUPPRESSED,
        "The first four stages are nested; verified cases come from another file and are no part of the reported.",
        "Incidents are of the days with a map, by day of occurrence; cases by period of report.",
        "Where few incidents have no place, the geocoded are hidden rather than the flagged.",
    ),
)  # fmt: skip
TABLES = (OVERLAY, HIT_RATE, LEAD_TIME, FUNNEL)
