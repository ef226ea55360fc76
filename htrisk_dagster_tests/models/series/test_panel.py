"""Periods stand on the calendar, and a panel has no gap."""

from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.models.series.panel import (
    SeriesPanel,
    days_in,
    next_starts,
    period_start,
    phase_of,
)


def days(*names: str) -> np.ndarray:
    return np.array(names, dtype="datetime64[D]")


def test_periods_begin_on_the_calendar_s_days() -> None:
    thursday = days("2024-02-29", "1969-12-31")
    assert period_start(thursday, "week").tolist() == days("2024-02-26", "1969-12-29").tolist()
    assert period_start(thursday, "month").tolist() == days("2024-02-01", "1969-12-01").tolist()
    assert period_start(thursday, "day").tolist() == thursday.tolist()


def test_a_leap_february_has_29_days_and_months_follow_each_other() -> None:
    starts = next_starts(np.datetime64("2023-12-01"), 4, "month")
    assert starts.tolist() == days("2023-12-01", "2024-01-01", "2024-02-01", "2024-03-01").tolist()
    assert days_in(starts, "month").tolist() == [31, 31, 29, 31]
    assert phase_of(starts, "month").tolist() == [11, 0, 1, 2]


def test_every_year_has_the_same_52_weeks_of_the_season() -> None:
    weeks = next_starts(np.datetime64("2018-12-31"), 53 + 52, "week")
    phase = phase_of(weeks, "week")
    assert phase[0] == 0
    assert phase.max() == 51
    # Weeks of 2019 and 2020 with the same middle day of the year differ by no phase or one.
    assert np.abs(phase[:52] - phase[52:104]).max() <= 1


def test_a_panel_refuses_a_gap_and_a_negative_count() -> None:
    with pytest.raises(ValueError, match="Period 1 begins on 2024-03-01, expected 2024-02-01"):
        SeriesPanel(("a",), days("2024-01-01", "2024-03-01"), np.ones((2, 1)))
    with pytest.raises(ValueError, match="negative or missing"):
        SeriesPanel(("a",), days("2024-01-01"), np.array([[-1.0]]))


def test_an_origin_cuts_and_the_coming_periods_follow() -> None:
    starts = next_starts(np.datetime64("2023-11-01"), 3, "month")
    panel = SeriesPanel(("a", "b"), starts, np.arange(6.0).reshape(3, 2))
    assert panel.until(2).coming(2).tolist() == days("2024-01-01", "2024-02-01").tolist()
    assert panel.with_total("all").counts[:, 2].tolist() == [1.0, 5.0, 9.0]
    assert panel.index_of("2023-12-01") == 1
