from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from htrisk_dagster.evaluation.release_periods import finest, in_words, length_of, starts


def daily(first: date, last: date, every: int) -> pl.Series:
    return pl.date_range(first, last, eager=True).gather_every(every)


@pytest.mark.parametrize(("every", "months"), [(1, 1), (4, 3), (10, 6), (20, 12), (60, 12)])
def test_the_finest_period_with_enough_records(every, months):
    """Two years in two groups: one a day is 15 a group and month, one in 20 days 9 in a year."""
    assert finest(daily(date(2023, 1, 1), date(2024, 12, 31), every), 2, least=9) == months


def test_no_finer_than_asked_and_a_year_without_records():
    days = daily(date(2023, 1, 1), date(2024, 12, 31), 1)
    assert finest(days, 2, least=9, from_months=6) == 6
    assert finest(days[:0], 2, least=9) == 12


def test_periods_begin_with_the_calendar():
    day = pl.DataFrame({"day": [date(2024, 8, 31)]})
    found = [day.select(starts(pl.col("day"), months)).item() for months in (1, 3, 6, 12)]
    assert found == [date(2024, 8, 1), date(2024, 7, 1), date(2024, 7, 1), date(2024, 1, 1)]


def test_words_and_length():
    assert in_words(date(2024, 7, 1), 1) == "July 2024"
    assert in_words(date(2024, 7, 1), 6) == "July to December 2024"
    assert in_words(date(2024, 1, 1), 12) == "2024"
    counts = pl.DataFrame({"months_count": [None, 3]}, schema={"months_count": pl.Int32})
    assert length_of(counts) == 3
    assert length_of(counts[:1]) is None
