"""The program's own way from inputs to the forecast of a blind fold, as the leak battery tries it.

Belongs here: features, labels and a fit of one fold, strung together as the graph does it. Does
not: the rules (`leak_battery`, `label_shuffle`), the run of a fold (`backtest`).

The graph stores what lies between: features by day, models by month. Here nothing is stored, since
the rules ask for all of it again from inputs that never were.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.evaluation.backtest import Fold, run_fold
from htrisk_dagster.evaluation.label_shuffle import Procedure
from htrisk_dagster.features import feature_matrix
from htrisk_dagster.features.feature_matrix import FeatureInputs
from htrisk_dagster.features.inputs import target_counts
from htrisk_dagster.models.count_model import CountModel


def features_of_day(inputs: FeatureInputs, day: date) -> NDArray[np.float32]:
    """Features of one day, shape (C, F)."""
    block = feature_matrix.build_block(inputs, day, day + timedelta(days=1), with_counts=False)
    return np.asarray(block.features[0])


def fold_procedure(
    make_model: Callable[[], CountModel], fold: Fold, *, publication_lag_days: int, seed: int
) -> Procedure:
    """Features, labels as known at the fold's cutoff, a fit and the sealed forecast, from inputs.

    Parameters
    ----------
    make_model : callable
        Returns an unfitted model.
    fold : Fold
        A short one: every rule of `label_shuffle` runs it once.
    publication_lag_days, seed : int
        As in `run_fold`.
    """

    def forecast(inputs: FeatureInputs) -> NDArray[np.float64]:
        block = feature_matrix.build_block(
            inputs, fold.train_start, fold.test_stop, with_counts=True
        )
        days = [str(day) for day in block.days]
        return run_fold(
            make_model,
            block,
            fold,
            counts_known_by=lambda day: target_counts(inputs, days, known_before=day),
            publication_lag_days=publication_lag_days,
            seed=seed,
        ).forecast

    n_days = (fold.test_stop - fold.test_start).days
    days = tuple(fold.test_start + timedelta(days=i) for i in range(n_days))
    return Procedure(features_of_day, forecast, days)
