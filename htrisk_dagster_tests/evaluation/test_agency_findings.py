from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from htrisk_dagster.evaluation import agency_findings as rules
from htrisk_dagster.schemas import agencies as tables


def forecasts(**changes: object) -> pl.DataFrame:
    """Two days of two agencies and the state; `changes` are of the first row."""
    rows = [
        {
            "forecast_on": date(2023, 1, day), "agency_id": agency, "expected_count": expected,
            "lower_95_count": 0, "lower_50_count": 1, "upper_50_count": 3, "upper_95_count": 5,
        }
        for day in (1, 2) for agency, expected in (("1", 2.0), ("2", 0.5), ("state", 2.5))
    ]  # fmt: skip
    rows[0] |= changes
    return pl.DataFrame(rows)


def backtest(*folds: tuple[date, date, float, float]) -> pl.DataFrame:
    metrics = ("wape_over_floor_agency_day", "expected_over_observed")
    rows = [
        (a, b, m, v, "x") for a, b, *values in folds for m, v in zip(metrics, values, strict=True)
    ]
    return pl.DataFrame(rows, schema=tables.VOLUME_BACKTEST.polars_schema(), orient="row")


JANUARY, MARCH = (date(2022, 1, 1), date(2022, 1, 31)), (date(2022, 3, 1), date(2022, 3, 11))


def staffing(**changes: object) -> pl.DataFrame:
    row = {"male_officers_count": 4, "female_officers_count": 1, "officers_count": 5,
           "is_carried": False, "counted_year": 2022, "year": 2022}  # fmt: skip
    return pl.DataFrame([row, row | changes])


def rates(**changes: int) -> pl.DataFrame:
    counts = {"Drugs": 5, "Robbery": 2, "all": 6} | changes
    return pl.DataFrame(
        [("1", 2022, category, n) for category, n in counts.items()],
        schema=["agency_id", "year", "offence_category", "incidents_count"], orient="row",
    )  # fmt: skip


def mix(first: float) -> pl.DataFrame:
    return pl.DataFrame({"agency_id": "1", "day_part": "night", "is_weekend": [False] * 2,
                         "offence_prob": [first, 0.4]})  # fmt: skip


def comparison(best: float) -> pl.DataFrame:
    return pl.DataFrame(
        [("prior_by_place", "log_loss", 1.2), ("lightgbm_none", "log_loss", best),
         ("lightgbm_smote", "log_loss", 1.5), ("lightgbm_none", "macro_f1", 0.1)],
        schema=["model", "metric", "value"], orient="row",
    )  # fmt: skip


CASES = [
    (rules.officers_add_up, staffing(), True),
    (rules.officers_add_up, staffing(officers_count=6), False),
    (rules.officers_add_up, staffing(is_carried=True), False),
    (rules.officers_add_up, staffing(counted_year=2024), False),
    (rules.categories_are_within_all, rates(), True),
    (rules.categories_are_within_all, rates(all=4), False),
    (rules.categories_are_within_all, rates(all=8), False),
    (rules.every_agency_every_day, forecasts(), True),
    (rules.every_agency_every_day, forecasts()[1:], False),
    (rules.every_agency_every_day, forecasts().filter(pl.col("agency_id") != "state"), False),
    (rules.intervals_are_nested, forecasts(), True),
    (rules.intervals_are_nested, forecasts(lower_50_count=4), False),
    (rules.state_is_the_sum, forecasts(), True),
    (rules.state_is_the_sum, forecasts(expected_count=2.1), False),
    (rules.probabilities_sum_to_one, mix(0.6), True),
    (rules.probabilities_sum_to_one, mix(0.5), False),
    # Thirty days at 1.2 and ten at 1.4 are 1.25; ten at 1.5 are more.
    (rules.wape_is_near_its_floor, backtest((*JANUARY, 1.2, 1.0), (*MARCH, 1.39, 1.0)), True),
    (rules.wape_is_near_its_floor, backtest((*JANUARY, 1.2, 1.0), (*MARCH, 1.5, 1.0)), False),
    (rules.level_is_right, backtest((*JANUARY, 1.0, 3.0), (*MARCH, 1.0, 1.1)), True),
    (rules.level_is_right, backtest((*JANUARY, 1.0, 1.0), (*MARCH, 1.0, 1.6)), False),
    (rules.classifier_beats_the_prior, comparison(1.0), True),
    (rules.classifier_beats_the_prior, comparison(1.3), False),
]


@pytest.mark.parametrize(("rule", "table", "holds"), CASES)
def test_each_rule_passes_and_fails(rule, table, holds):
    finding = rule(table)
    assert finding.holds is holds, finding.sentence
    assert finding.sentence.endswith(".")
