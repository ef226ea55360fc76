"""One column, many layouts: each text against the instant that the standard library reads."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from htrisk_dagster.sources.instants import with_instants

DETROIT = ZoneInfo("America/Detroit")
NOON = datetime(2024, 7, 4, 12, 5, tzinfo=DETROIT)


def read(text: str | None, **given: object) -> tuple[date | None, datetime | None, bool]:
    form = {"clock": None, "time_zone": "America/Detroit", "day_first": False, "is_utc": False}
    rows = with_instants(
        pl.DataFrame({"T": [text]}, schema={"T": pl.String}), "told", "T", **{**form, **given}
    )
    return rows.drop("T").row(0)


def utc(local: datetime) -> datetime:
    return local.astimezone(UTC).replace(tzinfo=None)


@pytest.mark.parametrize(
    "text",
    [
        str(int(NOON.timestamp())),
        str(int(NOON.timestamp() * 1000)),
        f"{int(NOON.timestamp() * 1000)}.0",
        NOON.isoformat(),
        NOON.astimezone(UTC).isoformat(),
        NOON.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        NOON.astimezone(UTC).strftime("%Y/%m/%d %H:%M:%S+00"),
        NOON.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f UTC"),
        NOON.astimezone(timezone(timedelta(hours=-3, minutes=-30))).strftime("%Y-%m-%d %H:%M-0330"),
        "2024-07-04 12:05:00",
        "2024/07/04 12:05",
        "07/04/2024 12:05:00 PM",
        "7/4/24 12:05",
        "04-Jul-2024 12:05",
        "07.04.2024 12:05",
    ],
)
def test_every_layout_gives_the_same_instant_and_local_day(text: str) -> None:
    assert read(text) == (NOON.date(), utc(NOON), False)


def test_days_first_where_said_so_and_only_where_the_year_is_last() -> None:
    assert read("03/04/2024", day_first=True)[0] == date(2024, 4, 3)
    assert read("03/04/2024")[0] == date(2024, 3, 4)
    assert read("2024-03-04", day_first=True)[0] == date(2024, 3, 4)


def test_times_in_utc_where_said_so_move_the_day_and_days_alone_do_not() -> None:
    assert read("2024-07-05 02:00", is_utc=True)[0] == date(2024, 7, 4)
    assert read("2024-07-05", is_utc=True)[0] == date(2024, 7, 5)
    late = datetime(2024, 12, 31, 23, 30, tzinfo=DETROIT)
    assert read(str(int(late.timestamp() * 1000)))[0] == date(2024, 12, 31)


@pytest.mark.parametrize(
    ("text", "is_unreadable"),
    [("2024-07-04", False), ("2024-07-04T00:00:00", False), ("07/04/2024 12:00 AM", False),
     ("2024-07-04 or so", True), ("2024-07-04T00:00:00 +", True)],
)  # fmt: skip
def test_beside_a_column_of_clocks_only_a_clock_may_stand_behind_the_day(
    text, is_unreadable
) -> None:
    rows = pl.DataFrame({"T": [text], "H": ["14:50"]})
    form = {"time_zone": "America/Detroit", "day_first": False, "is_utc": False}
    made = with_instants(rows, "told", "T", clock="H", **form)
    assert made.select("told_on", "told_clock_unreadable").row(0) == (NOON.date(), is_unreadable)


@pytest.mark.parametrize(
    "text", [None, "", "soon", "2024-02-30", "13/13/2024", "12345", "31/12/2023"]
)
def test_what_is_no_day_is_none(text: str | None) -> None:
    assert read(text) == (None, None, False)


def test_a_clock_that_is_none_is_told_and_one_that_is_absent_is_midnight() -> None:
    assert read("2024-07-04 25:00") == (date(2024, 7, 4), datetime(2024, 7, 4, 4), True)
    assert read("2024-07-04T00:00:00")[1:] == (datetime(2024, 7, 4, 4), False)


@pytest.mark.parametrize(
    ("clock", "hour", "minute"),
    [("14", 14, 0), ("9.0", 9, 0), ("930", 9, 30), ("1405", 14, 5), ("2:05 PM", 14, 5)],
)
def test_a_column_of_hours_or_clocks_beside_the_day(clock: str, hour: int, minute: int) -> None:
    rows = pl.DataFrame({"T": ["2024-07-04"], "H": [clock]})
    made = with_instants(
        rows, "told", "T", clock="H", time_zone="America/Detroit", day_first=False, is_utc=False
    )
    at = datetime(2024, 7, 4, hour, minute, tzinfo=DETROIT)
    assert made.select("told_at", "told_clock_unreadable").row(0) == (utc(at), False)
