from __future__ import annotations

import csv
import io

import polars as pl
import pytest
from htrisk_dagster.warehouse.exported_csv import csv_for_people
from hypothesis import given
from hypothesis import strategies as st

STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def cells(frame: pl.DataFrame) -> list[list[str]]:
    return list(csv.reader(io.StringIO(csv_for_people(frame), newline="")))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ('=HYPERLINK("http://x")', '\'=HYPERLINK("http://x")'),
        ("+1+1", "'+1+1"),
        ("-2+3+cmd|' /C calc'!A0", "'-2+3+cmd|' /C calc'!A0"),
        ("@SUM(1)", "'@SUM(1)"),
        ("\t=1", "'\t=1"),
        ("-73.9", "-73.9"),
        ("+5", "+5"),
        ("-1e-5", "-1e-5"),
        ("BRONX", "BRONX"),
        ("a=b", "a=b"),
    ],
)
def test_a_formula_gets_a_quote_and_nothing_else_does(text: str, written: str):
    assert cells(pl.DataFrame({"a": [text], "n": [-1.5]})) == [["a", "n"], [written, "-1.5"]]


def test_a_column_may_not_be_called_a_formula():
    assert cells(pl.DataFrame({"=1": [1]}))[0] == ["'=1"]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=9), max_size=5))
def test_no_cell_of_any_text_starts_a_formula(texts: list[str]):
    for (cell,) in cells(pl.DataFrame({"a": texts}, schema={"a": pl.String}))[1:]:
        try:
            float(cell)
        except ValueError:
            assert not cell.startswith(STARTS)
