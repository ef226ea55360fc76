"""Tables of the documents that every published map needs, and of where each map stands.

Belongs here: what `evaluation/fairness.py`, `evaluation/feedback_loop.py` and the documents of
`publishing/` make. Does not: the log of reviews (`publishing/audit_log.py`), which is no table.
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas.table import Column, Table

LAYER = "governance"
CITY = "(all)"
WITHOUT = "(without)"
CONTROL = "restricted store (control)"
FEEDBACK_RULES = ("reported only", "as counted", "weighted")
_SUPPRESSED = (
    "Counts of 1 to 10, and figures from which one could be worked out, are missing (k = 11)."
)

_OF_MODEL = (
    Column("month_on", pl.Date, "First day on which the model may be used."),
    Column("target", pl.String, "What is forecast, a target of the study area's file."),
)
_SECTIONS = (
    *_OF_MODEL,
    Column("position", pl.Int32, "Place of the section, from 1.", lower=1),
    Column("section", pl.String, "Heading."),
    Column("text", pl.String, "Paragraphs, a line each; lines that start with `- ` are a list."),
)
MODEL_CARD = Table(
    LAYER,
    "model_card",
    "one section",
    "Model card of the champion in use from a month, after Mitchell et al. 2019 (doi 10.1145/3287560.3287596).",
    _SECTIONS,
    key=("month_on", "target", "position"),
)
DATA_SHEET = Table(
    LAYER,
    "data_sheet",
    "one section",
    "Data sheet of what the models of a month learnt from, after Gebru et al. 2021 (doi 10.1145/3458723).",
    _SECTIONS,
    key=("month_on", "target", "position"),
)
FAIRNESS = Table(
    LAYER,
    "fairness",
    "one group of cells and assumed reporting rate",
    "How the champion's blind forecasts treat boroughs and demographic terciles: exposure, calibration within group, recall at equal budget, and what changes if the group reports less than the rest.",
    (
        *_OF_MODEL,
        Column("grouping", pl.String, "city, borough, or the variable of `context.cells` that the terciles are of."),
        Column("group", pl.String, "Borough; low, middle or high third of residents; `(without)` a value; `(all)`."),
        Column("budget_pct", pl.Float64, "Share of cells flagged each day.", unit="%", lower=0, upper=100),
        Column(
            "reporting_rate",
            pl.Float64,
            "Assumed share of the group's incidents that is reported, where all others report all.",
            unit="share",
            lower=0,
            upper=1,
        ),
        Column("context_on", pl.Date, "Last day that the variable of the terciles speaks of.", nullable=True),
        Column("first_on", pl.Date, "First test day."),
        Column("last_on", pl.Date, "Last test day."),
        Column("cells_pct", pl.Float64, "Share of the city's cells.", unit="%", lower=0, upper=100),
        Column("exposure_pct", pl.Float64, "Share of the flagged cell-days.", unit="%", lower=0, upper=100),
        Column(
            "exposure_if_reported_pct",
            pl.Float64,
            "Share of the flagged cell-days if the forecasts were made up for what is not reported.",
            unit="%",
            lower=0,
            upper=100,
        ),
        Column("expected_count", pl.Float64, "Incidents expected.", unit="incidents", lower=0),
        Column("incidents_count", pl.Int64, "Incidents reported.", unit="incidents", nullable=True, lower=0),
        Column("need_pct", pl.Float64, "Share of the incidents, had all been reported.", unit="%", nullable=True, lower=0, upper=100),
        Column("exposure_over_need", pl.Float64, "Exposure over need; 1 is in proportion.", nullable=True, lower=0),
        Column("observed_over_expected", pl.Float64, "Incidents, had all been reported, over expected; 1 is calibrated.", nullable=True, lower=0),
        Column("observed_over_expected_lower_95", pl.Float64, "Lower end, exact Poisson.", nullable=True, lower=0),
        Column("observed_over_expected_upper_95", pl.Float64, "Upper end, exact Poisson.", nullable=True, lower=0),
        Column(
            "equal_budget_recall_pct",
            pl.Float64,
            "Share of the group's incidents in flagged cells where each group has the same share of its own cells flagged.",
            unit="%",
            nullable=True,
            lower=0,
            upper=100,
        ),
        Column("equal_budget_recall_lower_95_pct", pl.Float64, "Lower end, Clopper-Pearson.", unit="%", nullable=True),
        Column("equal_budget_recall_upper_95_pct", pl.Float64, "Upper end, Clopper-Pearson.", unit="%", nullable=True),
    ),
    key=("month_on", "target", "grouping", "group", "reporting_rate"),
    warnings=(
        _SUPPRESSED,
        "Need is of reported incidents, made up for an assumed rate: nobody knows the true one.",
        "Groups are of places; a tercile says nothing of any resident.",
    ),
)  # fmt: skip
FEEDBACK_LOOP = Table(
    LAYER,
    "feedback_loop",
    "one rule of counting and rate of discovery",
    "Simulated dispatch to the top cells for 26 weeks: whether looking where the map points makes the map point there (Lum and Isaac 2016; Ensign et al. 2018).",
    (
        *_OF_MODEL,
        Column(
            "rule",
            pl.String,
            "reported only: what is discovered does not count; as counted: it counts like a report; weighted: it counts the less, the more often the cell was visited.",
            allowed=FEEDBACK_RULES,
        ),
        Column("discovery_ratio", pl.Float64, "Incidents discovered in a visited cell for each one reported there.", lower=0),
        Column("weeks_count", pl.Int32, "Weeks simulated.", unit="weeks", lower=1),
        Column("budget_pct", pl.Float64, "Share of cells visited each week.", unit="%", lower=0, upper=100),
        Column("kept_pct", pl.Float64, "Share of the first week's top cells that are still top cells at the end.", unit="%", lower=0, upper=100),
        Column("truth_pct", pl.Float64, "Share of all incidents that truly happen in the last top cells.", unit="%", lower=0, upper=100),
        Column("believed_pct", pl.Float64, "Share that the map believes to happen there.", unit="%", lower=0, upper=100),
        Column("inflation", pl.Float64, "Believed over truth; 1 is right.", lower=0),
        Column("inflation_lower_95", pl.Float64, "2.5% of the simulations lie below.", lower=0),
        Column("inflation_upper_95", pl.Float64, "2.5% of the simulations lie above.", lower=0),
        Column("discovered_pct", pl.Float64, "Share of what the target's reports hold that was discovered by police, where known.", unit="%", nullable=True, lower=0, upper=100),
        Column("is_alarm", pl.Boolean, "Whether the inflation is above what reports alone give in 97.5% of simulations."),
    ),
    key=("month_on", "target", "rule", "discovery_ratio"),
    warnings=("The truth of the simulation is the champion's forecast: it tests the loop, not the city.",),
)  # fmt: skip
CANARY_SEARCH = Table(
    LAYER,
    "canary_search",
    "one day and place searched",
    "Search for the case that was planted in the restricted store: it must be in no published output.",
    (
        Column("risk_on", pl.Date, "Day of the map."),
        Column("place", pl.String, "What was searched; the control is where it must be found."),
        Column("found_count", pl.Int32, "Files that show the case.", unit="files", lower=0),
        Column("first_found", pl.String, "Name of the first.", nullable=True),
    ),
    key=("risk_on", "place"),
)
MODEL_TABLES = (MODEL_CARD, DATA_SHEET, FAIRNESS, FEEDBACK_LOOP)
"""By month of training."""
TABLES = (*MODEL_TABLES, CANARY_SEARCH)
