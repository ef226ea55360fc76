"""Peaks of the clock and the calendar: exact ratios, intervals that hold, no peak in nothing."""

from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.models.series.peaks import count_phases, peaks_table, rate_ratios

FIRST, STOP = np.datetime64("2021-01-01"), np.datetime64("2024-01-01")
CALENDAR = np.arange(FIRST, STOP)


def test_counts_and_exposure_by_hand() -> None:
    # 2024-01-05 is a Friday, 2024-02-01 a Thursday.
    days = np.array(["2024-01-05", "2024-01-05", "2024-02-01"], dtype="datetime64[D]")
    phases = count_phases(
        days, np.array([22, 23, 0]), np.datetime64("2024-01-01"), np.datetime64("2024-03-01")
    )
    counts, exposure = phases["weekday"]
    assert counts.sum(axis=0).tolist() == [0, 0, 0, 1, 2, 0, 0]
    assert exposure.sum() == 60
    counts, exposure = phases["month"]
    assert counts.sum(axis=0)[:3].tolist() == [2, 1, 0]
    assert exposure.sum(axis=0)[:3].tolist() == [31, 29, 0]
    counts, exposure = phases["hour"]
    assert counts.sum(axis=0)[[0, 22, 23]].tolist() == [1, 1, 1]
    assert exposure.sum() == pytest.approx(60)


def test_a_known_weekday_is_found_with_its_ratio() -> None:
    weekday = (CALENDAR.astype(int) + 3) % 7
    rate = np.where(weekday == 4, 40, 20)
    days = np.repeat(CALENDAR, rate)
    hours = np.random.default_rng(1).integers(0, 24, len(days))
    table = peaks_table("5", count_phases(days, hours, FIRST, STOP), seed=1)
    by_day = table.filter(kind="weekday")
    assert by_day["rate_ratio"].to_numpy() == pytest.approx(
        np.where(np.arange(7) == 4, 2, 1) / (8 / 7), rel=0.01
    )
    assert by_day["is_peak"].to_list() == [False] * 4 + [True] + [False] * 2
    # Hours without a pattern: none of 24 simultaneous intervals leaves out 1.
    hourly = table.filter(kind="hour")
    assert (hourly["rate_ratio_low"] <= 1).all()
    assert (hourly["rate_ratio_high"] >= 1).all()


def test_simultaneous_intervals_hold_where_weeks_vary_together() -> None:
    rng = np.random.default_rng(2)
    held = 0
    for trial in range(40):
        shock = rng.gamma(20, 1 / 20, size=(150, 1))
        counts = rng.poisson(shock * np.full(7, 30.0)).astype(float)
        found = rate_ratios(counts, np.ones((150, 7)), seed=trial)
        held += bool(((found.low <= 1) & (found.high >= 1)).all())
    assert held >= 34


def test_one_block_tells_nothing() -> None:
    with pytest.raises(ValueError, match="1 blocks tell nothing"):
        rate_ratios(np.ones((1, 7)), np.ones((1, 7)), seed=1)
    week = np.array(["2024-01-01"], dtype="datetime64[D]")
    phases = count_phases(week, None, np.datetime64("2024-01-01"), np.datetime64("2024-01-08"))
    assert peaks_table("5", phases, seed=1).is_empty()
