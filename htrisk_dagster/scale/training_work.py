"""Training of one model of a city's month from stored features, and the crowning of all.

Belongs here: what is read, and the order of folds and checkpoints. Does not: fitting (`models`), folds
(`evaluation/training`), Ray (`ray_training`).

A model of a month is one unit: folds and last fit share its process, which keeps the offset that all fits
of a training ask for. Many cities, months and models are many units.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.evaluation import training
from htrisk_dagster.evaluation.backtest import Fold
from htrisk_dagster.evaluation.effort import Effort
from htrisk_dagster.evaluation.ensemble import CHAMPION, assemble
from htrisk_dagster.evaluation.fold_files import fold_files, fold_forecasts
from htrisk_dagster.evaluation.scored_fold import ScoredFold
from htrisk_dagster.evaluation.stacking import STACK
from htrisk_dagster.features.feature_matrix import FeatureInputs
from htrisk_dagster.features.store import features_table
from htrisk_dagster.models.checkpoints import Checkpoints, Resumable
from htrisk_dagster.models.count_model import CountModel, make_model
from htrisk_dagster.scale.feature_work import read_days
from htrisk_dagster.scale.score_work import models_at
from htrisk_dagster.scale.unit import Period, Unit, UnitReport
from htrisk_dagster.scale.unit_inputs import input_prefixes, read_counts, tables_at

_N_RESAMPLES = 1000


class StagedCheckpoints(Protocol):
    """Checkpoints of several fits, one after the other."""

    def of_stage(self, stage: int) -> Checkpoints:
        """Those of one fit: folds in order of time, then the last fit."""
        ...


@dataclass(frozen=True)
class TrainingPlan:
    """What the models of a month are trained on, chosen once for all of them.

    Parameters
    ----------
    month : date
        First day on which the models may be used.
    known_before, train_stop : date
        Nothing reported on or after the first was seen; labels from the second on are too young.
    folds : tuple of Fold
    names : tuple of str
        Models that are trained.
    options : mapping
        Arguments of the models by name.
    seed : int
    """

    month: date
    known_before: date
    train_stop: date
    folds: tuple[Fold, ...]
    names: tuple[str, ...]
    options: Mapping[str, Mapping[str, float | int | str]] = field(default_factory=dict)
    seed: int = 0

    @property
    def gap_days(self) -> int:
        """Days between a fold's training and its test."""
        return (self.folds[0].test_start - self.folds[0].train_stop).days


def plan_training(
    inputs: FeatureInputs, month: date, names: Sequence[str], effort: Effort, *, seed: int
) -> TrainingPlan:
    """Choose folds and waiting time from what is known when the models of a month are made."""
    known_before = month - timedelta(days=inputs.lag_days)
    train_stop, folds = training.plan_folds(
        inputs.target.select(inputs.incidents),
        inputs.history_start,
        known_before,
        effort,
        lag_days=inputs.lag_days,
    )
    return TrainingPlan(month, known_before, train_stop, folds, tuple(names), effort.options, seed)


def training_period(unit_start: date, plan: TrainingPlan) -> Period:
    """Days whose features are trained and tested on."""
    return Period(unit_start, plan.known_before)


def train_model(
    unit: Unit, plan: TrainingPlan, name: str, *, checkpoints: StagedCheckpoints | None = None
) -> training.Training:
    """Train one model on a unit's period; features of its days must have been made.

    Parameters
    ----------
    unit : Unit
        Its period is `training_period`.
    plan : TrainingPlan
    name : str
        Of the model.
    checkpoints : StagedCheckpoints, optional
        Where a learner leaves its state, and from where it goes on.
    """
    days = unit.period.days
    with unit.storage.opened(_prefixes(unit)) as root:
        tables = tables_at(root, unit)
        block = read_days(tables, unit.area, days)

        def counts_known_by(day: date) -> NDArray[np.float32]:
            return read_counts(tables, unit, block.n_cells, known_before=day)

        block = training.with_counts(block, counts_known_by(plan.known_before))
        return training.train(
            _in_stages(partial(make_model, name, **plan.options.get(name, {})), checkpoints),
            block,
            plan.folds,
            counts_known_by=counts_known_by,
            train_stop=plan.train_stop,
            publication_lag_days=unit.area.publication_lag.incidents_days,
            seed=plan.seed,
        )


def store_training(unit: Unit, plan: TrainingPlan, name: str, trained: training.Training) -> None:
    """Write a trained model where `score_work` finds it."""
    card = {
        "model": name,
        "target": unit.settings.target_name,
        "month": plan.month,
        "known_before": plan.known_before,
        "seed": plan.seed,
        "params": trained.fit.params,
        "folds": [{**asdict(f.fold), "sealed": f.digest} for f in trained.folds],
    }
    files = {**trained.files, **fold_files([f.forecast for f in trained.folds])}
    with unit.storage.opened([]) as root:
        models_at(root, unit).write(plan.month.isoformat(), name, files, card)


def train_and_store(unit: Unit, plan: TrainingPlan, name: str) -> UnitReport:
    """Train one model and write it."""
    store_training(unit, plan, name, train_model(unit, plan, name))
    return UnitReport(sums={"models": 1})


def crown_models(unit: Unit, plan: TrainingPlan) -> UnitReport:
    """Weigh and choose among the models of a month by their blind folds; write stack and champion."""
    month = plan.month.isoformat()
    nowhere = models_at(Path(), unit)
    needed = [nowhere.folder(month, name).as_posix() for name in plan.names]
    with unit.storage.opened([*needed, *_prefixes(unit)]) as root:
        tables, models = tables_at(root, unit), models_at(root, unit)
        forecasts = {name: fold_forecasts(models.read(month, name)) for name in plan.names}
        first = read_days(tables, unit.area, unit.period.days[:1])
        counts = read_counts(tables, unit, first.n_cells, known_before=plan.known_before)
        start = unit.period.start
        scored = [
            ScoredFold(
                counts[(fold.test_start - start).days : (fold.test_stop - start).days],
                {name: made[number] for name, made in forecasts.items()},
            )
            for number, fold in enumerate(plan.folds)
        ]
        ensemble = assemble(
            scored,
            first.borough_index,
            gap_days=plan.gap_days,
            n_resamples=_N_RESAMPLES,
            seed=plan.seed,
        )
        card = {
            "champion": ensemble.choice.champion,
            "reason": ensemble.choice.reason,
            "known_before": plan.known_before,
        }
        models.write(month, STACK, ensemble.stack.to_bytes(), card)
        models.write(month, CHAMPION, ensemble.champion.to_bytes(), card)
    return UnitReport(sums={"models": 2})


def _prefixes(unit: Unit) -> list[str]:
    nowhere = tables_at(Path(), unit)
    table = features_table(unit.area)
    return [
        *input_prefixes(unit),
        *(nowhere.path(table, day).as_posix() for day in unit.period.days),
    ]


def _in_stages(
    make: Callable[[], CountModel], checkpoints: StagedCheckpoints | None
) -> Callable[[], CountModel]:
    """A maker whose n-th model keeps the checkpoints of stage n."""
    made = 0

    def staged() -> CountModel:
        nonlocal made
        model = make()
        if checkpoints is not None and isinstance(model, Resumable):
            model.checkpoints = checkpoints.of_stage(made)
        made += 1
        return model

    return staged
