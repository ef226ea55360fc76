from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import pairwise

import numpy as np
import pytest
from htrisk_dagster.evaluation import volume_backtest as backtest
from htrisk_dagster.evaluation.series_errors import wape
from htrisk_dagster.features.agency_days import weekday
from htrisk_dagster.models import volume_forecast
from htrisk_dagster_tests.models.agency_world import FIRST, HOLIDAYS, agency_world, means

ORIGIN = date(2021, 9, 8)
FOLD = backtest.volume_folds(FIRST, ORIGIN, date(2021, 10, 8))[0]


def poisoned(value: float, from_day: date = ORIGIN):
    world = agency_world(280)
    counts = world.counts.copy()
    counts[world.days >= np.datetime64(from_day)] = value
    return replace(world, counts=counts)


@pytest.fixture(scope="module")
def honest() -> backtest.VolumeFold:
    return backtest.run_volume_fold(agency_world(280), FOLD, HOLIDAYS, seed=1)


@pytest.mark.parametrize("value", [np.nan, 1e9])
def test_no_true_value_after_the_origin_is_read(honest: backtest.VolumeFold, value: float):
    found = backtest.run_volume_fold(poisoned(value), FOLD, HOLIDAYS, seed=1)
    assert found.forecast.tobytes() == honest.forecast.tobytes()
    assert found.digest == honest.digest
    assert found.fit == honest.fit


def test_the_day_before_the_origin_is_read(honest: backtest.VolumeFold):
    """So that the test above could fail."""
    found = backtest.run_volume_fold(poisoned(50.0, date(2021, 9, 7)), FOLD, HOLIDAYS, seed=1)
    assert found.digest != honest.digest


def test_folds_adjoin_and_the_last_is_shorter():
    folds = backtest.volume_folds(FIRST, date(2022, 1, 1), date(2023, 1, 1))
    assert len(folds) == 13
    assert all(a.test_stop == b.test_start for a, b in pairwise(folds))
    assert (folds[-1].test_stop - folds[-1].test_start).days == 5
    assert all(f.train_stop == f.test_start and f.train_start == FIRST for f in folds)


def test_whoever_knows_the_means_has_the_floor():
    truth = means(364 * 4)
    counts = np.random.default_rng(2).poisson(truth).astype(float)
    days = np.datetime64(FIRST) + np.arange(len(truth))
    scores = backtest.volume_scores(counts, np.maximum(truth, 1e-9), weekday(days))
    for unit in backtest.UNITS:
        few = 0.12 if unit == "agency_month" else 0.05
        assert scores[f"wape_over_floor_{unit}"] == pytest.approx(1.0, abs=few), unit
        assert scores[f"volume_accuracy_{unit}"] == 1 - scores[f"wape_{unit}"]
    assert scores["wape_agency_day"] == wape(counts, np.maximum(truth, 1e-9))
    assert scores["wape_state_day"] < scores["wape_agency_day"]
    assert scores["expected_over_observed"] == pytest.approx(1.0, abs=0.02)


def test_a_forecast_of_twice_the_mean_is_far_above_the_floor():
    truth = means(364)
    counts = np.random.default_rng(2).poisson(truth).astype(float)
    days = np.datetime64(FIRST) + np.arange(364)
    scores = backtest.volume_scores(counts, np.maximum(2 * truth, 1e-9), weekday(days))
    assert scores["wape_over_floor_state_day"] > 3
    assert scores["expected_over_observed"] == pytest.approx(2.0, abs=0.05)


def test_intervals_hold_as_often_as_they_say_and_the_state_has_its_own():
    rng = np.random.default_rng(3)
    truth = np.maximum(means(30 * 10), 1e-3)
    # Days that are high or low everywhere at once: a sum scatters more than its parts.
    common = rng.gamma(20.0, 1 / 20.0, (300, 1))
    counts = rng.poisson(truth * common).astype(float)
    parts = [(counts[k : k + 30], truth[k : k + 30]) for k in range(0, 300, 30)]
    scores = backtest.interval_scores([c for c, _ in parts], [e for _, e in parts], n_calibration=4)
    assert scores["coverage_95_state_day"] == pytest.approx(0.95, abs=0.035)
    assert scores["randomised_coverage_95_agency_day"] == pytest.approx(0.95, abs=0.015)
    learnt = backtest.fit_volume_intervals([c for c, _ in parts], [e for _, e in parts])
    assert learnt.of_state.size < 60


def test_the_outlook_begins_the_day_after_the_last_and_ends_thirty_later(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(volume_forecast, "TREE_STEPS", (0, 20))
    outlook = backtest.volume_outlook(agency_world(), HOLIDAYS, seed=1, n_folds=2)
    assert outlook.days[0] == np.datetime64("2021-10-28")
    assert outlook.forecast.shape == (30, 6)
    assert [f.fold.test_stop for f in outlook.folds] == [date(2021, 9, 28), date(2021, 10, 28)]
    lower, upper = outlook.intervals.of_agencies.interval(outlook.forecast, 0.95)
    assert (lower <= outlook.forecast).all()
    assert (upper >= np.floor(outlook.forecast)).all()
