"""The procedure of a fold gives what the fold itself gives, and hangs on nothing of the future."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
from htrisk_dagster.evaluation.backtest import Fold, run_fold
from htrisk_dagster.evaluation.fold_procedure import features_of_day, fold_procedure
from htrisk_dagster.evaluation.leak_battery import run_battery
from htrisk_dagster.features.feature_matrix import build_block
from htrisk_dagster.features.inputs import target_counts
from htrisk_dagster.models.historical_mean import HistoricalMean
from htrisk_dagster_tests.evaluation.planted_leaks import DAYS, N_TEST, TEST_DAYS, small_city

FOLD = Fold(
    DAYS[30], TEST_DAYS[0] - timedelta(days=7), TEST_DAYS[0], TEST_DAYS[-1] + timedelta(days=1)
)


def test_it_is_the_fold_run_on_features_and_labels_of_the_inputs() -> None:
    inputs = small_city(3).inputs
    procedure = fold_procedure(HistoricalMean, FOLD, publication_lag_days=1, seed=5)
    block = build_block(inputs, FOLD.train_start, FOLD.test_stop, with_counts=True)
    days = [str(day) for day in block.days]
    by_hand = run_fold(
        HistoricalMean,
        block,
        FOLD,
        counts_known_by=lambda day: target_counts(inputs, days, known_before=day),
        publication_lag_days=1,
        seed=5,
    )
    assert procedure.days == TEST_DAYS
    assert len(TEST_DAYS) == N_TEST
    np.testing.assert_array_equal(procedure.forecast(inputs), by_hand.forecast)
    np.testing.assert_array_equal(
        features_of_day(inputs, TEST_DAYS[2]),
        block.features[days.index(str(TEST_DAYS[2]))],
    )


def test_the_battery_finds_nothing_in_it() -> None:
    inputs = small_city(4).inputs
    procedure = fold_procedure(HistoricalMean, FOLD, publication_lag_days=1, seed=5)
    found = run_battery(procedure, inputs, sampled=TEST_DAYS[:1], seed=1)
    assert all(f.holds for f in found.values()), {n: f.sentence for n, f in found.items()}
