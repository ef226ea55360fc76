from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from htrisk_dagster.features.event_exposure import (
    covered_days,
    events_by_precinct,
    events_within,
)
from htrisk_dagster.grid.panel import day_number

PRECINCTS = np.array([5, 7, 40], dtype=np.int32)
FIRST_DAY, T = 16_100, 60


@pytest.fixture
def by_precinct(events) -> np.ndarray:
    return events_by_precinct(events, PRECINCTS, FIRST_DAY, T)


def test_events_by_precinct_equals_a_loop(events, by_precinct):
    expected = np.zeros((T, 3))
    for event in events.iter_rows(named=True):
        day = event["starts_on"]
        while day <= event["ends_on"]:
            t = day_number(day) - FIRST_DAY
            if 0 <= t < T and event["precinct"] in PRECINCTS:
                p = PRECINCTS.tolist().index(event["precinct"])
                expected[t, p] += event["precinct_share"]
            day += timedelta(1)
    assert expected.sum() > 400
    np.testing.assert_allclose(by_precinct, expected, rtol=1e-12)


def test_order_of_the_events_changes_no_bit(events, by_precinct):
    shuffled = events.sample(fraction=1, shuffle=True, seed=3)
    again = events_by_precinct(shuffled, PRECINCTS, FIRST_DAY, T)
    assert again.tobytes() == by_precinct.tobytes()


def test_no_event_is_zero_everywhere(events):
    assert not events_by_precinct(events.clear(), PRECINCTS, FIRST_DAY, T).any()


def test_events_within_equals_a_loop_and_conserves_events(grid, by_precinct):
    cells = grid.cells
    precinct = np.searchsorted(PRECINCTS, cells["precinct"].to_numpy()).astype(np.int32)
    found = events_within(by_precinct, grid, precinct, 1000)
    x, y = cells["x_m"].to_numpy(), cells["y_m"].to_numpy()
    expected = np.zeros((T, grid.n_cells))
    for i in range(grid.n_cells):
        for j in range(grid.n_cells):
            if np.hypot(x[i] - x[j], y[i] - y[j]) <= 1000:
                p = precinct[j]
                expected[:, i] += by_precinct[:, p] / (precinct == p).sum()
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    own_cell = events_within(by_precinct, grid, precinct, 0)
    np.testing.assert_allclose(own_cell.sum(axis=1), by_precinct.sum(axis=1), rtol=1e-12)


def test_a_day_is_covered_by_events_on_26_of_28_days():
    has_event = np.ones((40, 1))
    has_event[[10, 11]] = 0
    assert covered_days(has_event).all()
    has_event[12] = 0
    # Days 27 to 37 look back on three days without an event, days 38 and 39 on two and one.
    assert covered_days(has_event).tolist() == [False] * 11 + [True] * 2
