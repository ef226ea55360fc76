"""One target forecast blind: folds, champion and forecasts before the truth of the test is read.

Belongs here: the order of steps that all parts of the suite share, and what each model scored.
Does not: where rows come from (`cities`, `real_city`, `tensors`), what a figure must reach
(`targets`).

The test block begins on `test_start`. Models see what was reported before that day less the
publication lag, and are fitted once; features of each test day are as of that day's own cutoff, as
in daily use. Champion, stack and recalibration come from folds inside the training days. Every
forecast is sealed before the counts of the test days are read.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.evaluation import training
from htrisk_dagster.evaluation.backtest import Fold, seal
from htrisk_dagster.evaluation.bootstrap import (
    draw_weeks,
    percentile_interval,
    ratio_replicates,
    sum_by_week,
)
from htrisk_dagster.evaluation.comparison import point_values
from htrisk_dagster.evaluation.count_intervals import CountIntervals
from htrisk_dagster.evaluation.count_scores import deviance_terms, information_gain
from htrisk_dagster.evaluation.effort import EFFORTS, Effort
from htrisk_dagster.evaluation.ensemble import assemble
from htrisk_dagster.evaluation.pairs import checked_pair
from htrisk_dagster.evaluation.scored_fold import ScoredFold
from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.features.feature_matrix import FeatureInputs, build_block
from htrisk_dagster.features.inputs import target_counts
from htrisk_dagster.models.count_model import MODEL_NAMES, load_model, make_model, training_counts

# Blind folds of eight weeks: a champion and a stack are chosen on half a year of real days.
EFFORT = replace(EFFORTS["skill"], n_folds=3, test_days=56)
N_RESAMPLES = 1000
REFERENCE = "historical_mean"


@dataclass(frozen=True, eq=False)
class BlindRun:
    """Forecasts of a test block and its truth.

    Parameters
    ----------
    block : CellDayBlock
        Test days without their counts.
    counts : float32, shape (D, C)
        Truth of the test days, read after the seals.
    training_counts : float32, shape (T, C)
        Labels that the models were fitted on.
    forecasts : dict of str to float64, shape (D, C)
        Expected counts by model, `stack` and `champion` among them.
    seals : dict of str to str
        SHA-256 of each forecast; see `backtest.seal`.
    chosen, reason : str
        Model that was chosen on the folds, and why; its forecast, recalibrated, is `champion`.
    intervals : CountIntervals
        Scatter of counts around the champion's forecasts, from the folds.
    cpu_seconds : dict of str to float
        Folds, fit and forecast by model.
    """

    block: CellDayBlock
    counts: NDArray[np.float32]
    training_counts: NDArray[np.float32]
    forecasts: Mapping[str, NDArray[np.float64]]
    seals: Mapping[str, str]
    chosen: str
    reason: str
    intervals: CountIntervals
    cpu_seconds: Mapping[str, float] = field(default_factory=dict)


def run_blind(
    inputs: FeatureInputs,
    test_start: date,
    test_stop: date,
    *,
    seed: int,
    effort: Effort = EFFORT,
    models: tuple[str, ...] = MODEL_NAMES,
) -> BlindRun:
    """Train every model of the register, choose, forecast the test days, seal, then read the truth.

    Parameters
    ----------
    inputs : FeatureInputs
        Rows may reach past `test_start`; features take what each day's cutoff allows.
    test_start, test_stop : date
        `test_start` <= day < `test_stop`.
    seed : int
        Of the fits and of the champion's bootstrap.
    effort : Effort
        Folds, and options of the models.
    models : tuple of str
        Names of the register; all of them unless a test wants fewer.
    """
    known_before = test_start - timedelta(days=inputs.lag_days)
    whole = build_block(inputs, inputs.history_start, test_stop, with_counts=False)
    known = whole.between(whole.days[0], np.datetime64(known_before))
    days = [str(day) for day in known.days]

    def counts_known_by(day: date) -> NDArray[np.float32]:
        return target_counts(inputs, days, known_before=day)

    known = training.with_counts(known, counts_known_by(known_before))
    train_stop, folds = training.plan_folds(
        inputs.target.select(inputs.incidents),
        inputs.history_start,
        known_before,
        effort,
        lag_days=inputs.lag_days,
    )
    test = whole.between(np.datetime64(test_start), np.datetime64(test_stop))
    as_fold = Fold(inputs.history_start, train_stop, test_start, test_stop)
    trained, forecasts, seconds = {}, {}, {}
    for name in models:
        began = time.process_time()
        trained[name] = training.train(
            partial(make_model, name, **effort.options.get(name, {})),
            known,
            folds,
            counts_known_by=counts_known_by,
            train_stop=train_stop,
            publication_lag_days=inputs.lag_days,
            seed=seed,
        )
        forecasts[name] = load_model(name, trained[name].files).predict(test)
        seconds[name] = time.process_time() - began
    scored = [
        ScoredFold(
            training.fold_truth(known, fold),
            {name: trained[name].folds[i].forecast for name in models},
        )
        for i, fold in enumerate(folds)
    ]
    ensemble = assemble(
        scored,
        test.borough_index,
        gap_days=inputs.lag_days + (known_before - train_stop).days,
        n_resamples=N_RESAMPLES,
        seed=seed,
    )
    forecasts = ensemble.extend(forecasts, test.borough_index)
    seals = {name: seal(as_fold, forecast) for name, forecast in forecasts.items()}
    # From here on the truth may be read.
    counts = target_counts(inputs, [str(day) for day in test.days])
    return BlindRun(
        test,
        counts,
        training_counts(known.between(known.days[0], np.datetime64(train_stop))),
        forecasts,
        seals,
        ensemble.choice.champion,
        ensemble.choice.reason,
        ensemble.champion.intervals,
        seconds,
    )


def score_models(run: BlindRun) -> dict[str, dict[str, Any]]:
    """Every metric of the comparison, the information gain over the historical mean, and the seal."""
    base = run.forecasts[REFERENCE]
    return {
        name: {
            **point_values(run.counts, forecast),
            "information_gain_bits": information_gain(run.counts, forecast, reference=base),
            "sealed": run.seals[name],
        }
        for name, forecast in run.forecasts.items()
    }


def deviance_difference(run: BlindRun, model: str, rival: str, *, seed: int) -> dict[str, float]:
    """Mean Poisson deviance of `model` less that of `rival`, with its paired interval by week.

    Returns
    -------
    dict
        `difference` per cell-day, and `lower_95`, `upper_95` of the block bootstrap; below 0 the
        model is better.
    """
    observed, own = checked_pair(run.counts, run.forecasts[model])
    _, other = checked_pair(run.counts, run.forecasts[rival])
    terms = deviance_terms(observed, own) - deviance_terms(observed, other)
    by_week = sum_by_week(terms.sum(axis=1))
    cell_days = sum_by_week(np.full(len(terms), float(terms.shape[1])))
    draws = draw_weeks(len(by_week), n_resamples=N_RESAMPLES, seed=seed)
    low, high = percentile_interval(ratio_replicates(draws, by_week, cell_days))
    return {"difference": float(terms.mean()), "lower_95": low, "upper_95": high}
