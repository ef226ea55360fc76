from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.models.volume_state import FEATURES, VolumeState

NONE = np.array([], dtype="datetime64[D]")
MONDAY = np.datetime64("2021-03-01")


def walked(days: np.ndarray, residents: np.ndarray, half_life: float = 20.0) -> VolumeState:
    state = VolumeState(residents, half_life)
    for i, counts in enumerate(days):
        state.push(i % 7, counts)
    return state


def test_the_level_is_the_weighted_mean_pulled_to_that_of_all_by_residents():
    counts = np.random.default_rng(1).poisson(3.0, (60, 2)).astype(float)
    residents = np.array([30_000.0, 10_000.0])
    weights = 0.5 ** (np.arange(59, -1, -1) / 20)
    sums = (weights[:, None] * counts).sum(axis=0)
    prior = residents / residents.sum() * sums.sum() / weights.sum()
    expected = (sums + 14 * prior) / (weights.sum() + 14)
    assert walked(counts, residents).level() == pytest.approx(expected, rel=1e-12)


def test_agencies_without_residents_are_pulled_to_their_own_mean():
    counts = np.tile([9.0, 4.0, 2.0], (50, 1))
    level = walked(counts, np.array([1000.0, 0.0, 0.0])).level()
    assert level[0] == pytest.approx(9.0)
    assert 3 < level[1] < 4
    assert level[1] + level[2] == pytest.approx(6.0)


def test_features_are_ratios_to_the_level_and_facts_of_the_day():
    counts = np.tile([2.0, 6.0], (56, 1))
    counts[-1] = [5.0, 6.0]
    state = walked(counts, np.array([10.0, 30.0]))
    level = state.level()
    holidays = np.array(["2021-03-02"], dtype="datetime64[D]")
    found = dict(zip(FEATURES, state.features(MONDAY, holidays).T, strict=True))
    assert found["weekday"].tolist() == [0, 0]
    assert (found["is_holiday"][0], found["is_day_before_holiday"][0]) == (0, 1)
    assert found["is_first_of_month"].tolist() == [1, 1]
    assert found["log_level"] == pytest.approx(np.log(level))
    assert found["yesterday"][0] == pytest.approx(np.log(5.5 / (level[0] + 0.5)))
    assert found["week_before"][0] == pytest.approx(np.log(2.5 / (level[0] + 0.5)))
    assert found["mean_7_days"][0] == pytest.approx(np.log((17 / 7 + 0.5) / (level[0] + 0.5)))
    assert found["log_residents"] == pytest.approx(np.log([10, 30]))
    assert state.features(MONDAY, NONE)[0, 2] == 0


def test_expectations_move_the_recent_past_but_not_the_level():
    state = walked(np.full((60, 1), 2.0), np.array([10.0]))
    level, before = state.level(), state.features(MONDAY, NONE)
    state.push(0, np.array([9.0]), is_expected=True)
    after = state.features(MONDAY, NONE)
    assert state.level() == pytest.approx(level)
    yesterday = FEATURES.index("yesterday")
    assert after[0, yesterday] > before[0, yesterday]
