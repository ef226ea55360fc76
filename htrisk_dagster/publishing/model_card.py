"""The model card of a month's champion, after Mitchell et al. 2019 (doi 10.1145/3287560.3287596).

Belongs here: what the card says, section by section, from facts and figures. Does not: the figures
(`evaluation`), how a document is kept and printed (`document_text`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from htrisk_dagster.publishing.document_text import as_sections
from htrisk_dagster.schemas.governance import CITY, MODEL_CARD, WITHOUT
from htrisk_dagster.victim_population.published_tables import K

SECTIONS = (
    "Model details",
    "Intended use",
    "Uses that are out of scope",
    "Factors",
    "Metrics",
    "Training and evaluation data",
    "Quantitative analyses",
    "Fairness",
    "Feedback loop",
    "Ethical considerations",
    "Caveats and recommendations",
)
SHORT = ("Model details", "Quantitative analyses", "Fairness", "Feedback loop")
"""What the mailed report prints; its own text says the rest."""
_MASK = "active"
# Metric of the comparison, words, unit.
_FIGURES = (
    ("poisson_deviance", "Poisson deviance per 1,000 cell-days", 1000.0),
    ("information_gain_bits", "Information gain over the baseline, bits an incident", 1.0),
    ("pai_1pct", "PAI at 1% of area", 1.0),
    ("hit_rate_1pct", "Hit rate at 1% of area, %", 100.0),
    ("hit_rate_5pct", "Hit rate at 5% of area, %", 100.0),
    ("auc", "ROC AUC, on cells with an incident of any kind before", 1.0),
    ("calibration_slope", "Calibration slope", 1.0),
    ("expected_over_observed", "Expected over observed", 1.0),
)


@dataclass(frozen=True)
class ModelFacts:
    """What identifies a champion and its test.

    Parameters
    ----------
    area_title, target_title, target : str
        Study area; what is forecast, in words and by name.
    month : date
        First day on which it may be used.
    champion, reason, reference : str
        The model, why it was chosen, and the baseline it is compared with.
    known_before : date
        Nothing reported on or after this day was seen.
    folds : tuple of (date, date)
        First and last test day of each blind fold.
    n_incidents, n_cells : int
        On the test days: reported incidents in the whole city, and its cells.
    made_from, data_origin : str
        Fingerprint of what it was made from; `synthetic`, `files` or `api`.
    version : str
        Of the program.
    """

    area_title: str
    target_title: str
    target: str
    month: date
    champion: str
    reason: str
    reference: str
    known_before: date
    folds: tuple[tuple[date, date], ...]
    n_incidents: int
    n_cells: int
    made_from: str
    data_origin: str
    version: str


def model_card(
    facts: ModelFacts,
    *,
    comparison: pl.DataFrame,
    fairness: pl.DataFrame,
    feedback: pl.DataFrame,
    documents_hold_to: date,
) -> pl.DataFrame:
    """Write the card.

    Parameters
    ----------
    facts : ModelFacts
    comparison : DataFrame
        `schemas.predictions.MODEL_COMPARISON` of champion and baseline over the blind folds; the
        champion is called `champion` in it.
    fairness, feedback : DataFrame
        `schemas.governance.FAIRNESS` and `FEEDBACK_LOOP` of the same month.
    documents_hold_to : date
        Last day of a map that the card speaks of.

    Returns
    -------
    DataFrame
        `schemas.governance.MODEL_CARD`.
    """
    tests = "; ".join(f"{first} to {last}" for first, last in facts.folds)
    is_invented = facts.data_origin == "synthetic"
    invented = "The city is invented, and every figure with it." if is_invented else ""
    sections: dict[str, Sequence[str]] = {
        "Model details": [
            f"- Champion of {facts.month:%B %Y} for {facts.target_title} in {facts.area_title}: "
            f"{facts.champion}.",
            f"- Why: {facts.reason}",
            f"- In use from {facts.month}; it saw nothing reported on or after "
            f"{facts.known_before}.",
            f"- htrisk-dagster {facts.version}, made from data and code with digest "
            f"{facts.made_from}. "
            f"Data: {facts.data_origin}. {invented}".rstrip(),
            f"- This card speaks of maps up to {documents_hold_to}; later maps need a new one.",
        ],
        "Intended use": [
            "To say where, on a given day, incidents are likely to be reported, so that "
            "outreach, shelter and prevention go where they are needed. For task forces, "
            "shelter networks and NGOs, after a person who knows the place has reviewed the map.",
        ],
        "Uses that are out of scope": [
            "- To stop, search, question, arrest or deport anyone, or as evidence.",
            "- To raise suspicion about a person, a household or a business: the model knows "
            "places only.",
            "- To decide by itself where help goes, or to withdraw it from places that are pale.",
            "- On another day than the map is for, or another city than it was trained on.",
        ],
        "Factors": [
            "Groups are of places, never of persons: boroughs, and thirds of the residents by "
            "poverty, share born abroad and share with limited English where the census file is "
            "there. What is reported depends on trust in police, on language and on where "
            "police look.",
        ],
        "Metrics": [
            "Proper scores of counts (Poisson deviance, information gain), concentration at "
            "area budgets (PAI, hit rate), calibration (slope, expected over observed); ROC AUC "
            "only with its mask. Intervals are 95%, by block bootstrap over weeks.",
        ],
        "Training and evaluation data": [
            f"- Trained on reported incidents known before {facts.known_before}; the data sheet "
            "of the same month says what they are.",
            f"- Tested on blind folds, {tests}: forecasts were sealed before the truth was read; "
            f"{_at_least(facts.n_incidents)} incidents in {facts.n_cells:,} cells.",
        ],
        "Quantitative analyses": _figures(comparison, facts.reference),
        "Fairness": _fairness(fairness),
        "Feedback loop": _feedback(feedback),
        "Ethical considerations": [
            "- Reports are not all that happens. Where people fear to report, the map shows less.",
            "- Where police follow the map, what they discover would confirm it; see the "
            "feedback loop.",
            "- Counts under 11, and what tells them, leave in no table. Verified cases stay in "
            "their own store, and a planted case is searched for in all that is published.",
            "- A map is published only after two named people have signed for it.",
        ],
        "Caveats and recommendations": [
            "- Ranks are close to one another; the order of neighbours is mostly chance.",
            "- Read the intervals: on most days nothing is reported even in the first cell.",
            "- Train again when the drift check fails, and every quarter in any case.",
        ],
    }
    return as_sections(MODEL_CARD, sections, month=facts.month, target=facts.target)


def _at_least(n: int) -> str:
    return f"{n:,}" if n == 0 or n >= K else f"fewer than {K}"


def _figures(comparison: pl.DataFrame, reference: str) -> list[str]:
    rows = {
        (r["model"], r["metric"]): r for r in comparison.filter(mask=_MASK).iter_rows(named=True)
    }
    lines = []
    for metric, words, unit in _FIGURES:
        own, base = rows.get(("champion", metric)), rows.get((reference, metric))
        if own is None or own["value"] is None:
            continue
        against = (
            "" if base is None or base["value"] is None or metric == "information_gain_bits"
            else f"; {reference}: {unit * base['value']:.3g}"
        )  # fmt: skip
        lines.append(f"- {words}: {unit * own['value']:.3g}{_interval(own, unit)}{against}.")
    return lines or ["No figure is defined: nothing was reported on the test days."]


def _interval(row: dict[str, float | None], unit: float) -> str:
    low, high = row["lower_95"], row["upper_95"]
    return "" if low is None or high is None else f" ({unit * low:.3g} to {unit * high:.3g})"


def _fairness(fairness: pl.DataFrame) -> list[str]:
    true_rate = fairness.filter(pl.col("reporting_rate") == 1.0)
    budget = fairness["budget_pct"][0]
    lines = [
        f"Of the {budget:g}% of cells that are flagged each day, by group (a count under 11, or "
        "one that would tell one, is not shown):"
    ]
    for r in true_rate.filter(pl.col("group") != CITY).iter_rows(named=True):
        parts = [f"{r['exposure_pct']:.0f}% of flags on {r['cells_pct']:.0f}% of cells"]
        if r["need_pct"] is not None:
            parts.append(f"{r['need_pct']:.0f}% of reported incidents")
        if r["observed_over_expected"] is not None:
            parts.append(
                f"observed over expected {r['observed_over_expected']:.2f} "
                f"({r['observed_over_expected_lower_95']:.2f} to "
                f"{r['observed_over_expected_upper_95']:.2f})"
            )
        if r["equal_budget_recall_pct"] is not None:
            parts.append(f"recall at equal budget {r['equal_budget_recall_pct']:.0f}%")
        lines.append(f"- {_group(r)}: {'; '.join(parts)}.")
    lowest = fairness["reporting_rate"].min()
    if isinstance(lowest, float):
        widest = fairness.filter(pl.col("reporting_rate") == lowest).with_columns(
            (pl.col("exposure_if_reported_pct") - pl.col("exposure_pct")).alias("missed")
        )
        row = widest.sort("missed", descending=True).row(0, named=True)
        lines.append(
            f"If only {lowest:.0%} of what happens in one group were reported and all elsewhere, "
            f"its share of flags would have to be up to {row['missed']:.0f} points higher "
            f"({_group(row)})."
        )
    return lines


def _group(row: dict[str, str]) -> str:
    if row["grouping"] == "borough":
        return row["group"].title()
    variable = row["grouping"].removesuffix("_pct").replace("_", " ").capitalize()
    if row["group"] == WITHOUT:
        return f"{variable}, cells without residents or a value"
    return f"{variable}, {row['group']} third"


def _feedback(feedback: pl.DataFrame) -> list[str]:
    first = feedback.row(0, named=True)
    found = [
        f"Simulated for {first['weeks_count']} weeks: each week the top {first['budget_pct']:g}% "
        "of cells are visited and what is discovered there is counted. Inflation is what the "
        "map believes of its top cells over what is true:"
    ]
    found += [
        f"- {r['rule']}, {r['discovery_ratio']:g} discovered for each reported: "
        f"{r['inflation']:.2f} ({r['inflation_lower_95']:.2f} to "
        f"{r['inflation_upper_95']:.2f}){', ALARM' if r['is_alarm'] else ''}; "
        f"{r['kept_pct']:.0f}% of the top cells stay."
        for r in feedback.sort("discovery_ratio", "rule").iter_rows(named=True)
    ]
    if first["discovered_pct"] is not None:
        found.append(
            f"Of the target's reports {first['discovered_pct']:.0f}% are of offences that police "
            "discover."
        )
    return found
