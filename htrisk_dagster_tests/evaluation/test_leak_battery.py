"""The battery catches twelve planted leaks and raises nothing on a hundred honest runs."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from htrisk_dagster.evaluation.backtest import Fold, seal
from htrisk_dagster.evaluation.leak_battery import (
    known_labels_only,
    made_of_known,
    run_battery,
    seals_hold,
    stored_equals_rebuilt,
)
from htrisk_dagster.features.feature_matrix import build_block
from htrisk_dagster_tests.evaluation.planted_leaks import PLANTED, TEST_DAYS, Cheat, small_city

SAMPLED = (TEST_DAYS[0], TEST_DAYS[20])
ROWS = {"future_of_features", "future_of_forecasts", "as_of_difference"}
# What catches each, at least; every rule on rows also catches what follows from it.
CAUGHT_BY = {
    "same_day_count": {*ROWS, "random_city", "shuffled_days", "above_ceiling"},
    "lag_0": ROWS,
    "rolling_mean_with_today": {*ROWS, "random_city"},
    "target_encoding_with_test_rows": ROWS,
    "reporting_clock_ignored": ROWS,
    "counts_of_coming_days": ROWS,
    "normalised_by_whole_period": ROWS,
    "sorted_row_number": {*ROWS, "random_city", "shuffled_days", "above_ceiling"},
    "neighbours_same_day_count": ROWS,
    "labels_as_known_today": {"future_of_forecasts"},
    "test_days_in_training": {"future_of_forecasts"},
}


@pytest.fixture(scope="module")
def city():
    return small_city(0)


@pytest.mark.parametrize("leak", PLANTED)
def test_a_planted_leak_is_caught(city, leak):
    found = run_battery(
        PLANTED[leak].procedure(),
        city.inputs,
        sampled=SAMPLED,
        intensity=city.test_intensity,
        seed=1,
    )
    raised = {name for name, finding in found.items() if not finding.holds}
    assert raised >= CAUGHT_BY[leak], {n: f.sentence for n, f in found.items()}
    assert all(found[name].sentence.endswith(".") for name in found)


def test_the_twelfth_leak_a_forecast_changed_after_its_seal_is_caught(city):
    honest = Cheat().forecast(city.inputs)
    fold = Fold(TEST_DAYS[0], TEST_DAYS[0], TEST_DAYS[0], TEST_DAYS[-1])
    sealed = {"fold 0": seal(fold, honest)}
    assert seals_hold(sealed, {"fold 0": seal(fold, honest.copy())}).holds
    nudged = honest.copy()
    nudged[3, 7] = np.nextafter(nudged[3, 7], 1)
    finding = seals_hold(sealed, {"fold 0": seal(fold, nudged)})
    assert not finding.holds
    assert "fold 0 has changed since it was sealed" in finding.sentence
    assert "is gone" in seals_hold(sealed, {}).sentence
    assert "never sealed" in seals_hold(sealed, {**sealed, "fold 1": "0"}).sentence


def test_an_honest_run_raises_nothing(city):
    found = run_battery(
        Cheat().procedure(), city.inputs, sampled=SAMPLED, intensity=city.test_intensity, seed=1
    )
    assert set(found) == {*ROWS, "random_city", "shuffled_days", "above_ceiling"}
    assert all(f.holds for f in found.values()), {n: f.sentence for n, f in found.items()}
    # The rules had something to look at: shuffled days keep place, a random city keeps nothing.
    assert found["shuffled_days"].figures["auc"] > 0.65
    assert abs(found["random_city"].figures["auc"] - 0.5) < 0.1


@pytest.mark.slow
def test_a_hundred_honest_runs_raise_nothing():
    raised = []
    for seed in range(100):
        # From a dozen incidents a day to one.
        city = small_city(1000 + seed, per_day=float(np.geomspace(1, 12, 100)[seed]))
        found = run_battery(
            Cheat().procedure(),
            city.inputs,
            sampled=SAMPLED[:1],
            intensity=city.test_intensity,
            seed=seed,
        )
        raised += [(seed, name, f.sentence) for name, f in found.items() if not f.holds]
    assert raised == []


def test_the_program_s_own_features_hang_on_nothing_of_the_future(city):
    """The same rules on `build_block`, whose seventy columns the small city fills in part."""

    def features(inputs, day):
        return build_block(inputs, day, day + timedelta(days=1), with_counts=False).features[0]

    procedure = Cheat().procedure()
    found = run_battery(
        type(procedure)(features, procedure.forecast, procedure.days),
        city.inputs,
        sampled=SAMPLED,
        seed=2,
    )
    assert all(f.holds for f in found.values()), {n: f.sentence for n, f in found.items()}
    stored = {day: features(city.inputs, day) for day in SAMPLED}
    stored[SAMPLED[1]] = stored[SAMPLED[1]].copy()
    stored[SAMPLED[1]][4, 0] += 1
    finding = stored_equals_rebuilt(stored, made_of_known(features, city.inputs, SAMPLED))
    assert not finding.holds
    assert f"{SAMPLED[1]} differ in 1 of" in finding.sentence


def test_labels_of_a_fold_are_those_known_at_its_cutoff(city):
    cutoff = TEST_DAYS[0] - timedelta(days=1)
    for cheat, holds in ((Cheat(), True), (PLANTED["labels_as_known_today"], False)):
        finding = known_labels_only(
            cheat.labels(city.inputs), city.inputs, cheat.training_days(), cutoff=cutoff
        )
        assert finding.holds is holds
    assert "later reports were used" in finding.sentence
