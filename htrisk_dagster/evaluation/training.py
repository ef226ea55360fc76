"""One model's training: blind folds first, then the fit on everything that is known.

Belongs here: the order of steps and what comes out. Does not: which model, where it is stored,
or how it is logged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.evaluation.backtest import (
    CountsKnownBy,
    Fold,
    FoldResult,
    rolling_origin_folds,
    run_fold,
    seal,
)
from htrisk_dagster.evaluation.comparison import point_values
from htrisk_dagster.evaluation.count_intervals import probable_size
from htrisk_dagster.evaluation.effort import Effort
from htrisk_dagster.evaluation.scored_fold import ScoredFold
from htrisk_dagster.evaluation.stacking import fit_stack, stack_folds
from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.models.count_model import CountModel, FitResult, Progress

_LONGEST_WAIT_DAYS = 28


@dataclass(frozen=True)
class Training:
    """A fitted model and what it did on the folds before.

    Parameters
    ----------
    files : dict of str to bytes
        The model, as `CountModel.to_bytes` gives it.
    fit : FitResult
        Of the last fit, on all that was known.
    folds : tuple of FoldResult
        In order of time.
    dispersion : float
        Size r of the negative binomial, from the forecasts of the folds and their truth.
    """

    files: dict[str, bytes]
    fit: FitResult
    folds: tuple[FoldResult, ...]
    dispersion: float


def waiting_days(incidents: pl.DataFrame, known_before: date) -> int:
    """Days that 9 in 10 reports take, among those known before a day; 28 at most.

    The newest days are under-counted by the reports still to come. Labels younger than this are
    left out of training, or a model would learn that incidents are dying out.
    """
    known = incidents.filter(pl.col("reported_on") < known_before)
    delay = (known["reported_on"] - known["occurred_on"]).dt.total_days()
    ninth = delay.quantile(0.9, "higher")
    return min(int(ninth or 0), _LONGEST_WAIT_DAYS)


def plan_folds(
    incidents: pl.DataFrame, first_day: date, known_before: date, effort: Effort, *, lag_days: int
) -> tuple[date, tuple[Fold, ...]]:
    """First day whose labels are too young, and the blind folds before it.

    Parameters
    ----------
    incidents : DataFrame
        Of the target, with occurred_on and reported_on.
    first_day : date
        First day of the history.
    known_before : date
        Nothing reported on or after this day is known.
    effort : Effort
    lag_days : int
        Days from report to publication.
    """
    wait = waiting_days(incidents, known_before)
    train_stop = known_before - timedelta(days=wait)
    folds = rolling_origin_folds(
        first_day,
        train_stop - timedelta(days=1),
        n_folds=effort.n_folds,
        test_days=effort.test_days,
        gap_days=lag_days + wait,
    )
    return train_stop, folds


def train(
    make_model: Callable[[], CountModel],
    block: CellDayBlock,
    folds: Sequence[Fold],
    *,
    counts_known_by: CountsKnownBy,
    train_stop: date,
    publication_lag_days: int,
    seed: int,
    progress: Progress | None = None,
) -> Training:
    """Run the folds, then fit on all days before `train_stop`.

    Parameters
    ----------
    make_model : callable
        Returns an unfitted model.
    block : CellDayBlock
        Features and the counts known when the model is made, from the first training day on.
    folds : sequence of Fold
        Origins, all before `train_stop`.
    counts_known_by : callable
        Labels as they stood on a past day.
    train_stop : date
        First day whose labels are too young to train on.
    publication_lag_days, seed, progress
        As in `run_fold`.
    """
    results = tuple(
        run_fold(
            make_model,
            block,
            fold,
            counts_known_by=counts_known_by,
            publication_lag_days=publication_lag_days,
            seed=seed,
            progress=progress,
        )
        for fold in folds
    )
    model = make_model()
    known = block.between(block.days[0], np.datetime64(train_stop))
    fit = model.fit(known, seed=seed, progress=progress)
    truth = np.concatenate([fold_truth(block, f.fold) for f in results])
    forecast = np.concatenate([f.forecast for f in results])
    return Training(model.to_bytes(), fit, results, probable_size(truth, forecast))


def train_stack(folds: Sequence[Fold], scored: Sequence[ScoredFold], *, gap_days: int) -> Training:
    """Fit the stack on the models' folds; its own fold forecasts saw only the days before.

    Parameters
    ----------
    folds : sequence of Fold
        In order of time.
    scored : sequence of ScoredFold
        Truth and forecasts of all models, of the same folds.
    gap_days : int
        Days that a report may take to be known.
    """
    stack = fit_stack(scored)
    fit = FitResult({f"weight_{name}": stack.weights[name] for name in stack.members})
    blind = stack_folds(scored, gap_days=gap_days)
    results = tuple(
        FoldResult(fold, fit, forecast, seal(fold, forecast), point_values(each.counts, forecast))
        for fold, each, forecast in zip(folds, scored, blind, strict=True)
    )
    truth = np.concatenate([each.counts for each in scored])
    return Training(stack.to_bytes(), fit, results, probable_size(truth, np.concatenate(blind)))


def fold_truth(block: CellDayBlock, fold: Fold) -> NDArray[np.float32]:
    """Counts of a fold's test days, shape (D, C)."""
    test = block.between(np.datetime64(fold.test_start), np.datetime64(fold.test_stop))
    if test.counts is None:
        raise ValueError("The truth of a fold is asked of a block without counts.")
    return test.counts


def with_counts(block: CellDayBlock, counts: NDArray[np.float32]) -> CellDayBlock:
    """`block` with its labels."""
    return replace(block, counts=counts)
