from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.evaluation.detection_funnel import funnel, stages_reached
from htrisk_dagster.schemas import raw, staging
from htrisk_dagster.schemas.verified import FUNNEL, STAGES
from htrisk_dagster.victim_population.disclosure_attack import attack

DAY = date(2024, 2, 1)
FEBRUARY = pl.Series([DAY + timedelta(days=i) for i in range(29)])
CELLS = pl.DataFrame(
    {"cell_id": [0, 1, 2], "precinct": [10, 10, 20], "borough": ["A", "A", "B"]},
    schema={"cell_id": pl.Int32, "precinct": pl.Int32, "borough": pl.String},
)
RISK = pl.DataFrame(
    [(DAY, 0, "very high"), (DAY, 1, "elevated"), (DAY, 2, "baseline")],
    schema={"risk_on": pl.Date, "cell_id": pl.Int32, "band": pl.String}, orient="row",
)  # fmt: skip
NO_COUNTS = staging.VERIFIED_CASE_COUNTS.empty()


def incidents_of(rows: list[tuple[date, int | None, int | None]]) -> pl.DataFrame:
    schema = {"occurred_on": pl.Date, "cell_id": pl.Int32, "precinct": pl.Int32}
    return pl.DataFrame(rows, schema=schema, orient="row")


def reviews_of(rows: list[tuple[date, int]]) -> pl.DataFrame:
    frame = pl.DataFrame(rows, schema=["risk_on", "cell_id"], orient="row").with_columns(
        reviewer_role=pl.lit("analyst"), decision=pl.lit("outreach"), decided_on=pl.lit(DAY),
        source_file=pl.lit("r.csv"), source_row=pl.lit(1), pulled_on=pl.lit(DAY),
    )  # fmt: skip
    return raw.REVIEW_DECISIONS.conform(frame)


def test_each_incident_gets_as_far_as_it_did():
    incidents = incidents_of(
        [(DAY, 0, 10), (DAY, 1, 10), (DAY, 2, 20), (DAY, None, 20), (DAY, None, None),
         (DAY + timedelta(days=1), 0, 10)]
    )  # fmt: skip
    reviews = reviews_of([(DAY, 0), (DAY, 0), (DAY, 2), (DAY + timedelta(days=1), 1)])
    found = stages_reached(incidents, RISK, reviews, CELLS)
    assert found.rows() == [
        ("A", DAY, "reviewed"),
        ("A", DAY, "flagged"),
        ("B", DAY, "geocoded"),  # reviewed, but never flagged
        ("B", DAY, "reported"),
        ("unknown", DAY, "reported"),
    ], "the day without a map is no part of it; two decisions on a cell are one review"


def reached_of(numbers: dict[tuple[str, str], int], day: date = DAY) -> pl.DataFrame:
    rows = [(b, day, stage) for (b, stage), n in numbers.items() for _ in range(n)]
    schema = {"borough": pl.String, "occurred_on": pl.Date, "reached": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def counted(frame: pl.DataFrame, borough: str, on: date | None) -> list[tuple[object, ...]]:
    period = pl.col("period_on").is_null() if on is None else pl.col("period_on") == on
    rows = frame.filter(period, borough=borough)
    return rows.select("stage", "incidents_count", "status").rows()


def test_a_worked_funnel():
    numbers = {
        ("A", "reported"): 20,
        ("A", "geocoded"): 40,
        ("A", "flagged"): 28,
        ("A", "reviewed"): 12,
    }
    counts = pl.DataFrame(
        [("(all)", None, None, 40), ("(all)", DAY, 1, 19), ("A", DAY, 1, 19), ("A", None, None, 40)],
        schema=staging.VERIFIED_CASE_COUNTS.polars_schema(), orient="row",
    )  # fmt: skip
    found, _ = funnel(reached_of(numbers), counts, FEBRUARY, has_reviews=True, has_cases=True)
    assert FUNNEL.problems(found) == []
    of_a = found.filter(pl.col("period_on") == DAY, borough="A")
    assert of_a["stage"].to_list() == list(STAGES)
    assert of_a["incidents_count"].to_list() == [100, 80, 40, 12, 19]
    assert of_a["of_reported_pct"].to_list() == [100.0, 80.0, 40.0, 12.0, 19.0]
    assert counted(found, "(all)", None)[-1] == ("verified", 19, "shown")


def test_what_is_not_recorded_is_not_zero():
    numbers = {("A", "reported"): 20, ("A", "geocoded"): 40, ("A", "flagged"): 28}
    found, _ = funnel(reached_of(numbers), NO_COUNTS, FEBRUARY, has_reviews=False, has_cases=False)
    assert counted(found, "A", DAY)[3:] == [
        ("reviewed", None, "not recorded"), ("verified", None, "not recorded"),
    ]  # fmt: skip
    found, _ = funnel(reached_of(numbers), NO_COUNTS, FEBRUARY, has_reviews=True, has_cases=True)
    assert counted(found, "A", DAY)[3:] == [("reviewed", 0, "shown"), ("verified", None, "hidden")]


def test_cases_of_a_month_with_days_without_a_map_are_not_compared():
    numbers = {("A", "reported"): 20, ("A", "geocoded"): 40}
    found, _ = funnel(
        reached_of(numbers), NO_COUNTS, FEBRUARY[:28], has_reviews=True, has_cases=True
    )
    assert counted(found, "A", DAY)[4] == ("verified", None, "period not complete")


@pytest.mark.parametrize("seed", range(4))
def test_the_attacker_recovers_nothing(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(60, 240))
    reached = pl.DataFrame(
        {
            "borough": rng.choice(["A", "B", "C"], n, p=[0.6, 0.3, 0.1]),
            "occurred_on": [DAY if february else date(2024, 3, 1) for february in rng.random(n) < 0.5],
            "reached": rng.choice(["reported", "geocoded", "flagged", "reviewed"], n,
                                  p=[0.2, 0.5, 0.25, 0.05]),
        }
    )  # fmt: skip
    found, published = funnel(reached, NO_COUNTS, FEBRUARY, has_reviews=True, has_cases=False)
    assert (found["status"] == "hidden").any()
    shown = found.filter(pl.col("status") == "shown")["incidents_count"]
    assert ((shown == 0) | (shown >= 11)).all()
    assert attack([published]) == []


def test_no_incident_is_an_empty_table():
    none = reached_of({})
    found, _ = funnel(none, NO_COUNTS, FEBRUARY, has_reviews=True, has_cases=True)
    assert found.equals(FUNNEL.empty())


def test_few_incidents_without_a_place_hide_the_geocoded_and_not_the_flagged():
    numbers = {("A", "reported"): 3, ("A", "geocoded"): 40, ("A", "flagged"): 28}
    found, published = funnel(
        reached_of(numbers), NO_COUNTS, FEBRUARY, has_reviews=False, has_cases=False
    )
    assert counted(found, "A", DAY)[:3] == [
        ("reported", 71, "shown"), ("geocoded", None, "hidden"), ("flagged", 28, "shown"),
    ]  # fmt: skip
    assert attack([published]) == []


def test_periods_of_the_funnel_hold_those_of_the_cases():
    """Cases leave by quarter, so the funnel is told by quarter: 25 of the maps' whole quarter."""
    counts = pl.DataFrame(
        [("(all)", None, None, 45), ("A", None, None, 45), ("(all)", date(2024, 1, 1), 3, 25),
         ("A", date(2024, 1, 1), 3, 25), ("(all)", date(2024, 4, 1), 3, 20),
         ("A", date(2024, 4, 1), 3, 20)],
        schema=staging.VERIFIED_CASE_COUNTS.polars_schema(), orient="row",
    )  # fmt: skip
    numbers = {("A", "reported"): 20, ("A", "geocoded"): 40, ("A", "flagged"): 28}
    quarter = pl.Series([date(2024, 1, 1) + timedelta(days=i) for i in range(91)])
    found, _ = funnel(reached_of(numbers), counts, quarter, has_reviews=False, has_cases=True)
    of_a = found.filter(borough="A")
    assert of_a["months_count"].unique().to_list() == [None, 3]
    assert counted(found, "A", date(2024, 1, 1))[-1] == ("verified", 25, "shown")
    found, _ = funnel(reached_of(numbers), counts, quarter[:-1], has_reviews=False, has_cases=True)
    assert counted(found, "A", date(2024, 1, 1))[-1] == ("verified", None, "period not complete")
