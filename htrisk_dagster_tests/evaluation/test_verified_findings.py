from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from htrisk_dagster.evaluation import verified_findings as rules
from htrisk_dagster.schemas import staging, verified

JUNE, JULY = date(2015, 6, 1), date(2015, 7, 1)


def counts_of(a_june: int | None, a_july: int | None) -> pl.DataFrame:
    """Two boroughs and months with all totals; A has 3 in June and 30 in July."""
    rows = [("A", JUNE, a_june), ("A", JULY, a_july), ("B", JUNE, 40), ("B", JULY, 50), ("A", None, 33),
            ("B", None, 90), ("(all)", JUNE, 43), ("(all)", JULY, 80), ("(all)", None, 123)]  # fmt: skip
    frame = pl.DataFrame(
        rows,
        schema={"borough": pl.String, "period_on": pl.Date, "cases_count": pl.Int64},
        orient="row",
    )
    months = pl.when(pl.col("period_on").is_not_null()).then(1)
    return staging.VERIFIED_CASE_COUNTS.conform(
        frame.with_columns(months_count=months.cast(pl.Int32))
    )


@pytest.mark.parametrize(("june", "july"), [(3, 30), (None, 30), (None, None)])
def test_a_count_that_totals_give_away_fails(june: int | None, july: int | None):
    finding = rules.attacker_recovers_nothing(counts_of(june, july))
    assert not finding.holds


def test_a_square_of_four_hidden_counts_passes():
    counts = counts_of(None, None).with_columns(
        pl.when(pl.col("period_on").is_not_null() & (pl.col("borough") != "(all)"))
        .then(None).otherwise("cases_count").alias("cases_count")
    )  # fmt: skip
    finding = rules.attacker_recovers_nothing(counts)
    assert finding.holds, finding.sentence
    assert finding.figures == {"hidden_counts": 4.0}
    assert rules.attacker_recovers_nothing(staging.VERIFIED_CASE_COUNTS.empty()).holds


def hits_of(hits: list[int | None], located: int) -> pl.DataFrame:
    rows = {"model": "m", "budget_pct": [0.5, 1.0], "located_count": located, "hits_count": hits,
            "random_pct": 1.0}  # fmt: skip
    empty = {c: None for c in verified.HIT_RATE.column_names if c not in rows}
    return verified.HIT_RATE.conform(pl.DataFrame({**rows}).with_columns(**empty))


def test_hits_whose_difference_is_small_fail():
    assert rules.hits_tell_no_small_count(hits_of([12, 24], 40)).holds
    assert rules.hits_tell_no_small_count(hits_of([12, 12], 12)).holds
    assert not rules.hits_tell_no_small_count(hits_of([12, 15], 40)).holds
    assert not rules.hits_tell_no_small_count(hits_of([None, 30], 35)).holds
    assert not rules.hits_tell_no_small_count(hits_of([5, None], 40)).holds
    assert not rules.hits_tell_no_small_count(hits_of([40, 24], 60)).holds
