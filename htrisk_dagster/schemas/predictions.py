"""Tables of the `predictions`, `models` and `evaluation` layers.

Belongs here: forecasts by cell and day, what moved them, and how good they were. Does not: features
(`features/catalogue.py` lists them), nor what is published to the public.
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas.table import Column, Table

BANDS = ("very high", "high", "elevated", "baseline")

_CELL_DAY = (
    Column("risk_on", pl.Date, "Day the forecast is for, local."),
    Column("cell_id", pl.Int32, "Cell of the grid.", lower=0),
)
MODEL_FORECASTS = Table(
    "predictions",
    "model_forecasts",
    "one model, cell and day",
    "Expected counts of every model, written before the truth of the day is read.",
    (
        *_CELL_DAY,
        Column("target", pl.String, "What is forecast, a target of the study area's file."),
        Column("model", pl.String, "Name of the model."),
        Column(
            "expected_count", pl.Float64, "Expected reported incidents.", unit="incidents", lower=0
        ),
    ),
    key=("risk_on", "cell_id", "model"),
)
CELL_DAY_RISK = Table(
    "predictions",
    "cell_day_risk",
    "one cell and day",
    "The champion's forecast for every cell of the study area.",
    (
        *_CELL_DAY,
        Column("target", pl.String, "What is forecast, a target of the study area's file."),
        Column("model", pl.String, "Model that made the forecast."),
        Column("trained_before", pl.Date, "The model saw nothing reported on or after this day."),
        Column(
            "expected_count",
            pl.Float64,
            "Forecast: expected reported incidents.",
            unit="incidents",
            lower=0,
        ),
        Column(
            "risk_prob",
            pl.Float64,
            "Risk: probability of at least one reported incident.",
            unit="probability",
            lower=0,
            upper=1,
        ),
        Column(
            "lower_50_count",
            pl.Int32,
            "Lower end of the central 50% interval.",
            unit="incidents",
            lower=0,
        ),
        Column(
            "upper_50_count",
            pl.Int32,
            "Upper end of the central 50% interval.",
            unit="incidents",
            lower=0,
        ),
        Column(
            "lower_95_count",
            pl.Int32,
            "Lower end of the central 95% interval.",
            unit="incidents",
            lower=0,
        ),
        Column(
            "upper_95_count",
            pl.Int32,
            "Upper end of the central 95% interval.",
            unit="incidents",
            lower=0,
        ),
        Column(
            "rank",
            pl.Int32,
            "Score: 1 is the highest risk of the day; ties go to the lower cell number.",
            lower=1,
        ),
        Column(
            "band",
            pl.String,
            "very high: top 0.5% of cells; high: to 1%; elevated: to 5%; of fewer than 200 cells 5, 15 and 35%; baseline: the rest.",
            allowed=BANDS,
        ),
        Column(
            "reasons",
            pl.String,
            "The three field terms that move the forecast most, by sign and by what each multiplies the city's mean with; what the model went by, not what causes incidents.",
            nullable=True,
        ),
    ),
    key=("risk_on", "cell_id"),
    warnings=("Of reported incidents at places; it says nothing of any person.",),
)
PRECINCT_DAY_RISK = Table(
    "predictions",
    "precinct_day_risk",
    "one precinct, offence group and day",
    "Forecast by precinct of the offence groups that are published at the station house, whose points say nothing of cells.",
    (
        Column("risk_on", pl.Date, "Day of report the forecast is for, local."),
        Column("precinct", pl.Int32, "Police precinct."),
        Column("offence_group", pl.String, "Group of the study area, by code."),
        Column("known_before", pl.Date, "Nothing reported on or after this day was seen."),
        Column(
            "expected_count",
            pl.Float64,
            "Expected reports on the day.",
            unit="incidents",
            lower=0,
        ),
        Column(
            "risk_prob",
            pl.Float64,
            "Probability of at least one report.",
            unit="probability",
            lower=0,
            upper=1,
        ),
        Column(
            "lower_95_count",
            pl.Int32,
            "Lower end of the central 95% interval.",
            unit="incidents",
            lower=0,
        ),
        Column(
            "upper_95_count",
            pl.Int32,
            "Upper end of the central 95% interval.",
            unit="incidents",
            lower=0,
        ),
    ),
    key=("risk_on", "precinct", "offence_group"),
    warnings=(
        "By day of report, unlike the forecasts by cell: these offences are often reported long after.",
        "No row where no offence group is published at station houses.",
    ),
)
FEATURE_IMPORTANCE = Table(
    "models",
    "feature_importance",
    "one model and feature or field term",
    "How much each feature and each group of features moves a model's forecasts: the mean absolute contribution to the log of the expected count.",
    (
        Column("month_on", pl.Date, "First day on which the model may be used."),
        Column("target", pl.String, "What is forecast, a target of the study area's file."),
        Column("model", pl.String, "Name of the model."),
        Column(
            "kind",
            pl.String,
            "feature: one input; field term: all inputs of a kind, summed before the mean.",
            allowed=("feature", "field term"),
        ),
        Column("feature", pl.String, "Feature, part of the long-run rate, or field term."),
        Column(
            "mean_abs_log",
            pl.Float64,
            "Mean absolute contribution; 0.7 halves or doubles.",
            unit="log of incidents",
            lower=0,
        ),
    ),
    key=("month_on", "target", "model", "kind", "feature"),
    warnings=("What the models went by, not what causes incidents.",),
)
MODEL_COMPARISON = Table(
    "evaluation",
    "model_comparison",
    "one model, set of cells and metric",
    "Every model by every metric on the scored days, with block-bootstrap intervals by week.",
    (
        Column("model", pl.String, "Name of the model."),
        Column(
            "mask",
            pl.String,
            "Cells that count: active (an incident before training ended) or land.",
            allowed=("active", "land"),
        ),
        Column("metric", pl.String, "Name of the metric."),
        Column("value", pl.Float64, "Point value.", nullable=True),
        Column(
            "lower_95", pl.Float64, "Lower end of the 95% block-bootstrap interval.", nullable=True
        ),
        Column(
            "upper_95", pl.Float64, "Upper end of the 95% block-bootstrap interval.", nullable=True
        ),
        Column("difference", pl.Float64, "Value less the historical mean's.", nullable=True),
        Column(
            "difference_lower_95",
            pl.Float64,
            "Lower end of the paired interval of the difference.",
            nullable=True,
        ),
        Column(
            "difference_upper_95",
            pl.Float64,
            "Upper end of the paired interval of the difference.",
            nullable=True,
        ),
    ),
    key=("model", "mask", "metric"),
)
THRESHOLDS = Table(
    "evaluation",
    "thresholds",
    "one model and area budget",
    "Probability thresholds tuned on the folds before the test block, and what they gave on it: recall never without the share of area flagged.",
    (
        Column("model", pl.String, "Name of the model."),
        Column(
            "budget_pct",
            pl.Float64,
            "Share of cell-days the threshold was tuned to flag.",
            unit="%",
            lower=0,
            upper=100,
        ),
        Column(
            "threshold_prob",
            pl.Float64,
            "Probability at and above which a cell-day is flagged.",
            unit="probability",
            lower=0,
            upper=1,
        ),
        Column(
            "flagged_pct",
            pl.Float64,
            "Share of cell-days flagged on the test block.",
            unit="%",
            lower=0,
            upper=100,
        ),
        Column(
            "recall_pct",
            pl.Float64,
            "Share of incident cell-days flagged on the test block.",
            unit="%",
            nullable=True,
            lower=0,
            upper=100,
        ),
        Column(
            "precision_pct",
            pl.Float64,
            "Share of flagged cell-days with an incident.",
            unit="%",
            nullable=True,
            lower=0,
            upper=100,
        ),
    ),
    key=("model", "budget_pct"),
)
DRIFT = Table(
    "evaluation",
    "drift",
    "one thing watched",
    "Whether the newest days are still those that the models were trained for: features of the last four weeks, and reported incidents against the champion's expectation.",
    (
        Column("as_of_on", pl.Date, "Newest day looked at."),
        Column("champion_month_on", pl.Date, "Month whose champion was in use on that day."),
        Column(
            "watched",
            pl.String,
            "inputs: features against training; calibration: reported against expected.",
            allowed=("inputs", "calibration"),
        ),
        Column("measure", pl.String, "Feature, `all inputs`, or statistic of the calibration."),
        Column(
            "statistic",
            pl.Float64,
            "Inputs: stability index over its mean over all stretches of four weeks. Calibration: observed over expected, or a cumulative sum of incidents.",
        ),
        Column("lower", pl.Float64, "Alarm below it; missing for none.", nullable=True),
        Column(
            "upper",
            pl.Float64,
            "Alarm above it; missing where training was too short.",
            nullable=True,
        ),
        Column("is_alarm", pl.Boolean, "Whether the statistic lies outside."),
    ),
    key=("watched", "measure"),
    warnings=(
        "False alarms, where nothing changed: all inputs 5% of times; the band 1% of times; the two sums one in 730 days.",
    ),
)
OUTSIDE_FORECAST = Table(
    "outside",
    "forecast",
    "one cell and test day of a fold",
    "A forecast made elsewhere, on the folds of an export, to be scored beside the models.",
    (
        *_CELL_DAY,
        Column("fold", pl.Int32, "0-based fold of the export, in order of time.", lower=0),
        Column(
            "expected_count",
            pl.Float64,
            "Expected reported incidents, above 0: no incident is impossible.",
            unit="incidents",
            lower=0,
        ),
    ),
    key=("risk_on", "cell_id", "fold"),
)
"""Of a user's file, not of the warehouse: it is in no catalog and no list of tables."""
EVALUATION_TABLES = (MODEL_COMPARISON, THRESHOLDS)
TABLES = (
    MODEL_FORECASTS,
    CELL_DAY_RISK,
    PRECINCT_DAY_RISK,
    *EVALUATION_TABLES,
    DRIFT,
    FEATURE_IMPORTANCE,
)
