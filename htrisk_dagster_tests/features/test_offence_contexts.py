from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from htrisk_dagster.features.offence_contexts import OTHER, ContextCodes, unique_offences

COLUMNS = {
    "agency_id": pl.String, "incident_id": pl.String, "occurred_on": pl.Date,
    "occurred_hour": pl.Int32, "offence_category": pl.String, "location": pl.String,
}  # fmt: skip
DAY = date(2021, 3, 6)  # a Saturday


def offences(*rows: tuple[object, ...]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


ROWS = offences(
    ("10", "a", DAY, 13, "Drugs", "Home"), ("10", "a", DAY, 13, "Drugs", "Home"),
    ("10", "a", DAY, 13, "Robbery", "Home"), ("9", "b", DAY, None, "Drugs", None),
)  # fmt: skip


def test_a_category_counts_once_an_incident():
    found = unique_offences(ROWS)
    assert found.select("agency_id", "offence_category", "hour", "weekday", "month").rows() == [
        ("10", "Drugs", 13, 5, 3), ("10", "Robbery", 13, 5, 3), ("9", "Drugs", None, 5, 3),
    ]  # fmt: skip


def test_contexts_are_coded_as_the_training_rows_were():
    codes = ContextCodes.of(ROWS, {"9": 0.0, "10": 99.0}, {"10": 2.5}, fewest_rows=2)
    assert codes.classes == ("Drugs", OTHER)
    rows = unique_offences(ROWS)
    encoded = codes.encode(rows)
    assert encoded[0].tolist() == pytest.approx([1, 0, 13, 5, 3, 4.60517, 2.5])
    assert encoded[2].tolist() == [0, -1, -1, 5, 3, 0, 0]
    assert codes.labels(rows).tolist() == [0, 1, 0]


def test_what_was_never_seen_is_missing_not_something_else():
    codes = ContextCodes.of(ROWS, {}, {}, fewest_rows=1)
    later = unique_offences(offences(("77", "z", DAY, 1, "Fraud", "Moon")))
    assert codes.encode(later)[0, :2].tolist() == [-1, -1]
    assert codes.labels(later).tolist() == [-1]
