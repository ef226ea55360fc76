"""Duties under a budget: exact expectations, the optimum of brute force, rules that are kept."""

from __future__ import annotations

from datetime import date
from itertools import product

import numpy as np
import pytest
from htrisk_dagster.errors import SettingError
from htrisk_dagster.models.series.staffing import (
    StaffingWish,
    expected_minimum,
    plan,
    staffing_table,
)
from scipy.stats import poisson

EXPECTED = np.array([[2.0, 5.0, 9.0], [1.0, 1.0, 3.0]])


@pytest.mark.parametrize("room", [0.0, 1.0, 4.0, 7.5])
def test_the_expected_minimum_is_the_sum_over_the_distribution(room: float) -> None:
    n = np.arange(200)
    low, high = (
        float((np.minimum(n, c) * poisson.pmf(n, 5.0)).sum())
        for c in (np.floor(room), np.ceil(room))
    )
    expected = low + (room - np.floor(room)) * (high - low)
    assert expected_minimum(np.array(5.0), np.array(room)) == pytest.approx(expected)


def test_the_plan_is_the_best_of_all_plans() -> None:
    wish = StaffingWish(budget_hours=32.0, duty_hours=4.0, reports_an_hour=0.5, most_duties=4)
    found = plan(EXPECTED, wish)
    met = expected_minimum(EXPECTED.reshape(6, 1), 2.0 * np.arange(5.0))
    every = np.array([d for d in product(range(5), repeat=6) if sum(d) <= 8])
    best = met[np.arange(6), every].sum(axis=1).max()
    assert found.covered.sum() == pytest.approx(best)
    assert found.duties.sum() <= 8
    assert found.uncovered == pytest.approx(EXPECTED.sum() - best)


def test_promised_duties_and_limits_are_kept() -> None:
    wish = StaffingWish(64.0, least_duties=3, most_duties=2)
    found = plan(EXPECTED, wish)
    assert (found.duties.sum(axis=1) >= 3).all()
    assert found.duties.max() <= 2
    assert found.duties.sum() * wish.duty_hours <= 64.0


def test_a_larger_budget_never_leaves_more_uncovered() -> None:
    uncovered = [plan(EXPECTED, StaffingWish(hours)).uncovered for hours in (0, 16, 48, 96, 400)]
    assert uncovered == sorted(uncovered, reverse=True)
    assert uncovered[0] == pytest.approx(EXPECTED.sum())
    assert uncovered[-1] < 0.01


def test_promises_beyond_the_budget_are_refused() -> None:
    with pytest.raises(SettingError, match="fewer than the 4 promised to 2 areas"):
        plan(EXPECTED, StaffingWish(24.0, least_duties=2))
    with pytest.raises(SettingError, match="more than 3 shifts of 1 hold"):
        plan(EXPECTED, StaffingWish(800.0, least_duties=5, most_duties=1))


def test_the_table_adds_up() -> None:
    wish = StaffingWish(40.0)
    found = plan(EXPECTED, wish)
    table = staffing_table(
        ("5", "7"), np.datetime64("2024-01-01"), found, wish, known_before=date(2024, 1, 7)
    )
    assert table["hours"].sum() <= 40.0
    assert table["uncovered_count"].sum() == pytest.approx(found.uncovered)
    assert table.filter(place="7", shift="evening")["expected_count"][0] == 3.0


def test_a_city_of_78_areas_is_planned() -> None:
    expected = np.random.default_rng(1).gamma(3.0, 30.0, (78, 3))
    found = plan(expected, StaffingWish(10_000.0, least_duties=1))
    # Nothing left over could be moved to gain more: every area's next duty adds no more than any taken.
    room = 4.0
    step = expected_minimum(expected, room * (found.duties + 1.0)) - found.covered
    last = found.covered - expected_minimum(expected, room * np.maximum(found.duties - 1.0, 0))
    free = found.duties.sum(axis=1) > 1
    assert step.max() <= last[free][found.duties[free] > 0].min() + 1e-6
