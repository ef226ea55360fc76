from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from htrisk_dagster.sources import text_values as tv
from hypothesis import given
from hypothesis import strategies as st

ZONE = "America/New_York"


def one(expression: pl.Expr, text: str | None) -> object:
    return pl.DataFrame({"x": [text]}, schema={"x": pl.String}).select(expression).item()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("9/9/2015", date(2015, 9, 9)),
        ("12/31/2015", date(2015, 12, 31)),
        ("10/02/2015 12:11:00 PM", date(2015, 10, 2)),
        ("2006-08-29T00:00:00.000", date(2006, 8, 29)),
        ("2017-11-18 19:00:00", date(2017, 11, 18)),
        ("10/11/1919", date(1919, 10, 11)),
        ("01/01/1018", date(1018, 1, 1)),
        ("02/29/2016", date(2016, 2, 29)),
        ("02/29/2015", None),
        ("13/01/2015", None),
        ("soon", None),
        ("12/31/2015 or so", None),
        ("2015-12-31T", None),
        ("12/31/15", None),
        ("45352", None),
        (None, None),
    ],
)
def test_day(text: str | None, expected: date | None):
    assert one(tv.day("x"), text) == expected


@pytest.mark.parametrize(
    ("clock", "expected"),
    [
        ("2:17:00", 2 * 3600 + 17 * 60),
        ("14:50", 14 * 3600 + 50 * 60),
        ("23:59:59.000", 86399),
        ("12:11:00 PM", 12 * 3600 + 11 * 60),
        ("12:05:00 AM", 300),
        ("1:00:01 pm", 13 * 3600 + 1),
        ("24:00:00", 86399),
        ("24:00:01", None),
        ("25:00:00", None),
        ("10:60:00", None),
        ("13:00:00 PM", None),
        ("0:30:00 AM", None),
        ("noon", None),
        (None, None),
    ],
)
def test_seconds_of_day(clock: str | None, expected: int | None):
    assert tv.seconds_of_day(pl.Series([clock], dtype=pl.String)).item() == expected


@given(st.datetimes(datetime(2000, 1, 1), datetime(2035, 1, 1)))
def test_utc_agrees_with_the_standard_library(local: datetime):
    """`fold=0` is the first of two hours; zoneinfo moves a skipped hour on by an hour too."""
    expected = local.replace(tzinfo=ZoneInfo(ZONE)).astimezone(ZoneInfo("UTC"))
    found = pl.DataFrame({"x": [local]}).select(tv.to_utc(pl.col("x"), ZONE)).item()
    assert found == expected.replace(tzinfo=None)


def test_the_hour_that_spring_skips_and_the_one_that_autumn_repeats():
    local = pl.DataFrame({"x": [datetime(2015, 3, 8, 2, 30), datetime(2015, 11, 1, 1, 30)]})
    assert local.select(tv.to_utc(pl.col("x"), ZONE)).to_series().to_list() == [
        datetime(2015, 3, 8, 7, 30),  # read as 03:30, UTC-4
        datetime(2015, 11, 1, 5, 30),  # the first 01:30, UTC-4
    ]


def test_a_missing_clock_is_midnight():
    frame = pl.DataFrame({"on": [date(2015, 9, 9)] * 2, "s": [None, 61]})
    found = frame.select(tv.local_instant(pl.col("on"), pl.col("s"))).to_series().to_list()
    midnight = datetime(2015, 9, 9)
    assert found == [midnight, midnight + timedelta(seconds=61)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("75", 75), ("75.0", 75), ("40,086", 40086), ("75.5", None), ("x", None), ("inf", None),
     ("99999999999", None), ("1,2,3", None), ("40,5", None), ("5.2E+05", None), ("", None),
     ("1_000", None), (None, None)],
)  # fmt: skip
def test_whole_number(text: str | None, expected: int | None):
    assert one(tv.whole_number("x"), text) == expected
    is_unreadable = one(tv.is_unreadable("x", tv.whole_number("x")), text)
    assert is_unreadable is (text is not None and expected is None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("522575447", "522575447"), ("522575447.0", "522575447"), ("522,575,447", "522575447"),
     ("25640023H8833", "25640023H8833"), ("A,1", "A,1"), ("1,2", "1,2"), (None, None)],
)  # fmt: skip
def test_identifier(text: str | None, expected: str | None):
    assert one(tv.identifier("x"), text) == expected


@given(st.one_of(st.text(st.characters(codec="ascii"), max_size=12), st.floats().map(str)))
def test_a_number_is_one_to_the_standard_library_too(text: str):
    """Whatever is read as a number is the float of the text without its separators."""
    found = one(tv.number("x"), text)
    assert found is None or found == float(text.replace(",", ""))


@given(st.dates(date(1000, 1, 1), date(9999, 12, 31)), st.sampled_from(["%m/%d/%Y", "%Y-%m-%d"]))
def test_every_day_is_read_as_the_standard_library_writes_it(on: date, form: str):
    padded = on.strftime(form.replace("%Y", f"{on.year:04d}"))
    assert one(tv.day("x"), padded) == on
    assert one(tv.day("x"), f"{padded} x") is None
