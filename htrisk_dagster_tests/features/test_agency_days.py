from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.features.agency_days import count_agency_days, weekday


def offences(*rows: tuple[str, str, date]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["agency_id", "incident_id", "occurred_on"], orient="row")


def test_an_incident_counts_once_however_many_offences_it_has():
    first, last = date(2021, 2, 27), date(2021, 3, 1)
    rows = offences(
        ("7", "a", first), ("7", "a", first), ("7", "b", first), ("10", "c", last),
        ("10", "d", date(2021, 3, 2)), ("99", "e", last),
    )  # fmt: skip
    found = count_agency_days(rows, {"10": 500, "7": 0, "8": 20}, first, last)
    assert found.agency_ids == ("7", "8", "10")
    assert found.residents.tolist() == [0, 20, 500]
    assert found.counts.tolist() == [[2, 0, 0], [0, 0, 0], [0, 0, 1]]
    assert found.days.tolist() == [first, date(2021, 2, 28), last]


def test_what_is_before_a_day_ends_the_day_before():
    rows = offences(("1", "a", date(2021, 1, 2)), ("1", "b", date(2021, 1, 3)))
    found = count_agency_days(rows, {"1": 10}, date(2021, 1, 1), date(2021, 1, 4))
    known = found.before(date(2021, 1, 3))
    assert known.counts.ravel().tolist() == [0, 1]
    assert known.next_day == date(2021, 1, 3)
    assert found.between(date(2021, 1, 3), date(2021, 1, 5)).ravel().tolist() == [1, 0]


@pytest.mark.parametrize("day", ["2021-01-04", "1969-12-29", "2024-02-29"])
def test_weekdays_are_those_of_the_calendar(day: str):
    assert weekday(np.array([day], dtype="datetime64[D]"))[0] == date.fromisoformat(day).weekday()
