"""The Connecticut suite in words: targets set beforehand, whether they are reached, and the tables.

Belongs here: judging and printing results. Does not: computing them (`measured`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from htrisk_dagster.evaluation.skill.markdown import markdown_table, number
from htrisk_dagster.evaluation.skill.targets import Judgement, Results

WAPE_OVER_FLOOR = 1.25
COVERAGE = (0.93, 0.97)
MUNICIPALITIES = 95
ROLLING, ONE_ORIGIN, PRIORS = "origins_every_30_days", "one_origin", "priors"
UNITS = {
    "agency_day": "agency and day", "state_day": "state and day", "agency_month": "agency and 30 days"
}  # fmt: skip
_HEADINGS = {ROLLING: "30 days ahead, 13 origins", ONE_ORIGIN: "365 days ahead, one origin"}
_ANSWERS = {"agency_day": "", "state_day": " (beyond what was asked)"}


def judge(part: str, results: Results) -> Iterator[Judgement]:
    """Every figure of a part that has a target."""
    return {"volume": _judge_volume, "offence_mix": _judge_mix, "staffing": _judge_staffing}[part](
        results
    )


def _judge_volume(results: Results) -> Iterator[Judgement]:
    for unit in (ROLLING, ONE_ORIGIN):
        scores = results[unit]["scores"]
        for name in ("agency_day", "state_day"):
            ratio = scores[f"wape_over_floor_{name}"]
            yield Judgement(
                "volume", f"WAPE over floor by {UNITS[name]}, {_HEADINGS[unit]}{_ANSWERS[name]}",
                number(ratio),
                f"at most {WAPE_OVER_FLOOR}", ratio <= WAPE_OVER_FLOOR,
            )  # fmt: skip
    for name in ("agency_day", "state_day"):
        held = results[ROLLING]["scores"][f"randomised_coverage_95_{name}"]
        yield Judgement(
            "volume", f"randomised coverage of the 95% interval by {UNITS[name]}", number(held),
            f"{COVERAGE[0]} to {COVERAGE[1]}", COVERAGE[0] <= held <= COVERAGE[1],
        )  # fmt: skip


def _judge_mix(results: Results) -> Iterator[Judgement]:
    losses = {name: s["log_loss"] for name, s in _mix_scores(results).items()}
    best = min((n for n in losses if n.startswith("lightgbm")), key=lambda n: losses[n])
    for prior in ("prior_by_place", "prior_by_place_and_kind"):
        yield Judgement(
            "offence_mix", f"calibrated log loss of {best}", number(losses[best]),
            f"under {number(losses[prior])}, that of {prior}", losses[best] < losses[prior],
        )  # fmt: skip


def _judge_staffing(results: Results) -> Iterator[Judgement]:
    n = results["officers_and_rates"]["municipalities"]
    yield Judgement(
        "staffing", "municipalities with officers by sex", str(n), f"{MUNICIPALITIES} or more",
        n >= MUNICIPALITIES,
    )  # fmt: skip


def part_text(part: str, results: Results) -> str:
    """Heading, tables and notes of one part."""
    return {"volume": _volume_text, "offence_mix": _mix_text, "staffing": _staffing_text}[part](
        results
    )


def _volume_text(results: Results) -> str:
    rows = []
    for unit in (ROLLING, ONE_ORIGIN):
        scores = results[unit]["scores"]
        rows += [
            (_HEADINGS[unit], title, *(number(scores[f"{metric}_{name}"]) for metric in
             ("wape", "volume_accuracy", "wape_floor", "wape_over_floor")),
             number(scores["expected_over_observed"]))
            for name, title in UNITS.items()
        ]  # fmt: skip
    found = results[ROLLING]
    table = markdown_table(
        ("blind forecast of 2022", "unit", "WAPE", "volume accuracy", "floor", "WAPE / floor",
         "expected / observed"), rows,
    )  # fmt: skip
    return (
        f"## Volume by police agency and day\n\n{found['agencies']} agencies, {found['incidents']} "
        "incidents of 2022, trained on what occurred before each origin.\n\n"
        f"{table}\n\nThe floor is a Poisson's around the mean of each agency in 2022 by weekday, known "
        "only afterwards. By 30 days the level moves more than counting noise does, and no Poisson "
        f"floor can be reached.\n\nThe target of {WAPE_OVER_FLOOR:g} times the floor is one of 2021 "
        f"to 2022 by municipality and day: the rows by {UNITS['agency_day']} answer to it, that of "
        f"{_HEADINGS[ONE_ORIGIN]} strictly, since it knows 2021 alone. The rows by state and day ask for "
        "more: in a sum of all agencies little noise is left to excuse a level that moved. A year of data "
        "before the origin holds no second year on which a factor of the state's level could be chosen, so "
        "that none is applied."
    )


def _mix_scores(results: Results) -> dict[str, Mapping[str, Any]]:
    found = dict(results[PRIORS]["scores"])
    found |= {f"lightgbm_{n}": r["scores"] for n, r in results.items() if n != PRIORS}
    return found


def _mix_text(results: Results) -> str:
    metrics = ("log_loss", "macro_f1", "accuracy", "calibration_error")
    before = ("uncalibrated_log_loss", "uncalibrated_macro_f1")
    rows = [
        (name, *(number(s[m], 4) for m in metrics), *(number(s[m], 4) if m in s else "–" for m in before))
        for name, s in _mix_scores(results).items()
    ]  # fmt: skip
    prior = results[PRIORS]
    table = markdown_table(
        ("model", "log loss", "macro-F1", "accuracy", "calibration error", "log loss before calibration",
         "macro-F1 before calibration"), rows,
    )  # fmt: skip
    return (
        f"## Offence mix\n\n{len(prior['classes'])} categories, {prior['rows']} offences of 2021, "
        f"{prior['test_rows']} of 2022. Calibrated on blocks of 2021 that were left out.\n\n{table}"
    )


def _staffing_text(results: Results) -> str:
    found = results["officers_and_rates"]
    columns = ("year", "agencies_counted_count", "officers_count", "male_officers_count",
               "female_officers_count", "female_officers_pct", "officers_per_1000")  # fmt: skip
    rates = (
        "year",
        "incidents_count",
        "rate_per_1000",
        "rate_lower",
        "rate_upper",
        "officers_per_1000",
    )
    carried = ", ".join(
        f"{agency} {year} from {counted}" for agency, year, counted in found["carried"]
    )
    return "\n\n".join(
        (
            f"## Officers and rates\n\n{found['agencies']} agencies, {found['municipalities']} of them "
            f"municipalities. Carried counts: {carried or 'none'}.",
            markdown_table(columns, (_cells(row, columns) for row in found["trends"])),
            markdown_table(rates, (_cells(row, rates) for row in found["rates"])),
        )
    )


def _cells(row: Mapping[str, Any], columns: tuple[str, ...]) -> list[str]:
    return [number(row[c], 3) if isinstance(row[c], float) else str(row[c]) for c in columns]
