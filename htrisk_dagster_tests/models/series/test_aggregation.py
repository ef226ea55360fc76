"""Rows become whole calendars of counts, on local days."""

from __future__ import annotations

from datetime import date, datetime

import polars as pl
import pytest
from htrisk_dagster.models.series.aggregation import (
    TOTAL_AREA,
    count_by_area,
    local_days,
    whole_periods,
)


def rows(*entries: tuple[int | None, date]) -> pl.DataFrame:
    return pl.DataFrame(entries, schema={"precinct": pl.Int32, "day": pl.Date}, orient="row")


def test_a_day_is_local_on_both_sides_of_the_change_of_clocks() -> None:
    # 03:30 UTC is 22:30 the day before in winter, 23:30 in summer; 04:30 UTC is 00:30 in summer.
    instants = pl.Series(
        [datetime(2024, 1, 1, 3, 30), datetime(2024, 7, 1, 3, 30), datetime(2024, 7, 1, 4, 30)]
    )
    assert local_days(instants, "America/New_York").to_list() == [
        date(2023, 12, 31), date(2024, 6, 30), date(2024, 7, 1),
    ]  # fmt: skip


def test_months_are_whole_calendars_with_zeros_and_marked_ends() -> None:
    table = count_by_area(
        rows((5, date(2024, 1, 20)), (5, date(2024, 3, 1)), (7, date(2024, 3, 2)), (None, date(2024, 3, 2))),
        area="precinct", day="day", first_day=date(2024, 1, 15), last_day=date(2024, 3, 31),
        frequency="month",
    )  # fmt: skip
    five = table.filter(place="5")
    assert five["incidents_count"].to_list() == [1, 0, 1]
    assert five["covered_days_count"].to_list() == [17, 29, 31]
    assert five["is_partial"].to_list() == [True, False, False]
    assert table.filter(place=TOTAL_AREA)["incidents_count"].to_list() == [1, 0, 3]


def test_the_panel_leaves_partial_weeks_out() -> None:
    # 2024-01-03 is a Wednesday: its week is partial, and so is the last, which ends on Friday.
    table = count_by_area(
        rows((5, date(2024, 1, 3)), (5, date(2024, 1, 9)), (6, date(2024, 1, 9))),
        area="precinct", day="day", first_day=date(2024, 1, 3), last_day=date(2024, 1, 19),
        frequency="week",
    )  # fmt: skip
    panel = whole_periods(table, with_total=True)
    assert [str(s) for s in panel.starts] == ["2024-01-08"]
    assert dict(zip(panel.areas, panel.counts[0], strict=True)) == {"5": 1, "6": 1, TOTAL_AREA: 2}


def test_rows_outside_the_days_count_nowhere_and_asked_areas_are_there() -> None:
    table = count_by_area(
        rows((5, date(2023, 12, 31)), (5, date(2024, 1, 2))),
        area="precinct", day="day", first_day=date(2024, 1, 1), last_day=date(2024, 1, 3),
        frequency="day", areas=["5", "9"],
    )  # fmt: skip
    assert table.filter(place="5")["incidents_count"].to_list() == [0, 1, 0]
    assert table.filter(place="9")["incidents_count"].sum() == 0


def test_no_whole_period_is_an_error() -> None:
    table = count_by_area(
        rows((5, date(2024, 1, 2))),
        area="precinct", day="day", first_day=date(2024, 1, 2), last_day=date(2024, 1, 9),
        frequency="month",
    )  # fmt: skip
    with pytest.raises(ValueError, match="No period is covered whole"):
        whole_periods(table)
