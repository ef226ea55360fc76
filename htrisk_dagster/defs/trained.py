"""Training of one month's models: what is read, which effort, what is stored and logged.

Belongs here: the step behind each fitted model. Does not: fitting and folds (`evaluation`,
`models`), stack and champion (`crowned.py`), MLflow's own calls (`mlflow_tracking.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.defs.featured import inputs_until, read_days
from htrisk_dagster.defs.fingerprints import MadeFrom
from htrisk_dagster.defs.mlflow_tracking import MlflowTracking
from htrisk_dagster.defs.partitions import days_of
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.evaluation import training
from htrisk_dagster.evaluation.backtest import Fold, rolling_origin_folds
from htrisk_dagster.evaluation.effort import EFFORTS
from htrisk_dagster.evaluation.ensemble import FORECASTS
from htrisk_dagster.evaluation.fold_files import fold_files, fold_forecasts
from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.features.feature_matrix import FeatureInputs
from htrisk_dagster.features.inputs import target_counts
from htrisk_dagster.features.store import features_table
from htrisk_dagster.models.checkpoints import Resumable
from htrisk_dagster.models.count_model import Progress, make_model
from htrisk_dagster.scale.training_work import TrainingPlan
from htrisk_dagster.scale.unit import Period, Unit, UnitSettings
from htrisk_dagster.study_areas.area import StudyArea


@dataclass(frozen=True)
class TrainingSet:
    """What all models of one month are trained on.

    Parameters
    ----------
    month : str
        First day on which the models may be used.
    known_before : date
        Nothing reported on or after this day was seen.
    train_stop : date
        First day whose labels are too young.
    block : CellDayBlock
        Features and the counts known then.
    folds : tuple of Fold
        Blind folds inside the block.
    inputs : FeatureInputs
        Where the labels come from.
    """

    month: str
    known_before: date
    train_stop: date
    block: CellDayBlock
    folds: tuple[Fold, ...]
    inputs: FeatureInputs

    @property
    def gap_days(self) -> int:
        """Days between a fold's training and its test: what reports take to be known."""
        return (self.folds[0].test_start - self.folds[0].train_stop).days

    @property
    def days(self) -> list[str]:
        """Days of the block as ISO dates."""
        return [str(d) for d in self.block.days]

    def counts_known_by(self, day: date) -> NDArray[np.float32]:
        """Labels of the block's days as they stood on `day`."""
        return target_counts(self.inputs, self.days, known_before=day)


# At most one, under what it was read from.
_held: dict[tuple[object, ...], TrainingSet] = {}


@dataclass(frozen=True)
class KnownLabels:
    """Labels that the models of one month may see.

    Parameters
    ----------
    inputs : FeatureInputs
        Where they come from.
    known_before : date
        Nothing reported on or after this day is known.
    train_stop : date
        First day whose labels are too young.
    gap_days : int
        Days between a fold's training and its test.
    """

    inputs: FeatureInputs
    known_before: date
    train_stop: date
    gap_days: int


def labels_known(workspace: Workspace, area: StudyArea, month: str) -> KnownLabels:
    """Inputs as known when the models of `month` are made, and how long their labels ripen."""
    lag = area.publication_lag.incidents_days
    known_before = date.fromisoformat(month) - timedelta(days=lag)
    inputs = inputs_until(workspace, area, known_before - timedelta(days=1))
    wait = training.waiting_days(inputs.target.select(inputs.incidents), known_before)
    return KnownLabels(inputs, known_before, known_before - timedelta(days=wait), lag + wait)


def training_days(workspace: Workspace, area: StudyArea, month: str) -> list[str]:
    """Days whose features the models of `month` are trained and tested on."""
    last = date.fromisoformat(month) - timedelta(days=area.publication_lag.incidents_days + 1)
    return days_of(inputs_until(workspace, area, last).history_start, last)


def training_set(workspace: Workspace, area: StudyArea, month: str) -> TrainingSet:
    """Features and the labels known when the models of `month` are made.

    Models of a month are trained one after the other, each in a run of its own: what the first has read is
    held for those that follow in the same process, until a file or a setting is another, or `let_go`.
    """
    files = workspace.tables(area.name).stamps(features_table(area))
    key = workspace.target(area)[0], MadeFrom(workspace, area).models(month), month, files
    if key not in _held:
        let_go()
        _held[key] = _read_training_set(workspace, area, month)
    return _held[key]


def let_go() -> None:
    """Forget the training set that is held: gigabytes, when no other model is trained on it."""
    _held.clear()


def _read_training_set(workspace: Workspace, area: StudyArea, month: str) -> TrainingSet:
    known = labels_known(workspace, area, month)
    days = days_of(known.inputs.history_start, known.known_before - timedelta(days=1))
    counts = target_counts(known.inputs, days, known_before=known.known_before)
    block = training.with_counts(read_days(workspace, area, days), counts)
    effort = EFFORTS[workspace.settings.profile]
    folds = rolling_origin_folds(
        known.inputs.history_start,
        known.train_stop - timedelta(days=1),
        n_folds=effort.n_folds,
        test_days=effort.test_days,
        gap_days=known.gap_days,
    )
    return TrainingSet(month, known.known_before, known.train_stop, block, folds, known.inputs)


def store_model(
    workspace: Workspace,
    area: StudyArea,
    tracking: MlflowTracking,
    data: TrainingSet,
    name: str,
    *,
    dagster_run_id: str,
    progress: Progress,
) -> dict[str, Any]:
    """Train one model, log it, store it; return figures for the UI."""
    settings = workspace.settings
    options = EFFORTS[settings.profile].options
    make = partial(make_model, name, **options.get(name, {}))
    if settings.cluster_address and isinstance(make(), Resumable):
        trained = _trained_on_cluster(workspace, area, data, name)
    else:
        trained = training.train(
            make,
            data.block,
            data.folds,
            counts_known_by=data.counts_known_by,
            train_stop=data.train_stop,
            publication_lag_days=area.publication_lag.incidents_days,
            seed=settings.seed,
            progress=progress,
        )
    return log_and_store(workspace, area, tracking, data, name, trained, dagster_run_id)


def _trained_on_cluster(
    workspace: Workspace, area: StudyArea, data: TrainingSet, name: str
) -> training.Training:
    """The same training on a machine of the cluster, where a learner goes on from checkpoints."""
    from htrisk_dagster.scale.ray_training import train_on_cluster

    settings = workspace.settings
    plan = TrainingPlan(
        date.fromisoformat(data.month),
        data.known_before,
        data.train_stop,
        data.folds,
        (name,),
        EFFORTS[settings.profile].options,
        settings.seed,
    )
    chosen = UnitSettings.chosen(workspace.target(area)[0], data.inputs)
    period = Period(data.inputs.history_start, data.known_before)
    return train_on_cluster(
        str(settings.cluster_address),
        Unit(workspace.storage, area, 0, period, chosen),
        plan,
        name,
        made_from=MadeFrom(workspace, area).models(data.month),
    )


def log_and_store(
    workspace: Workspace,
    area: StudyArea,
    tracking: MlflowTracking,
    data: TrainingSet,
    name: str,
    trained: training.Training,
    dagster_run_id: str,
    *,
    loaded_with: Mapping[str, bytes] | None = None,
) -> dict[str, Any]:
    """Log a training in MLflow and store it with its card; return figures for the UI.

    `loaded_with` are files that the registered model needs beside its own and the store has.
    """
    target, _ = workspace.target(area)
    card = {
        "model": name,
        "target": target,
        "month": data.month,
        "known_before": data.known_before,
        "train_start": data.block.days[0],
        "train_stop": data.train_stop,
        "seed": workspace.settings.seed,
        "params": trained.fit.params,
        "dispersion": trained.dispersion,
        "folds": [
            {**asdict(f.fold), "sealed": f.digest, "metrics": f.metrics} for f in trained.folds
        ],
        "dagster_run_id": dagster_run_id,
        "made_from": MadeFrom(workspace, area).models(data.month),
    }
    whole = replace(trained, files={**trained.files, **(loaded_with or {})})
    logged = tracking.log_training(area.name, target, name, whole, data.block, card)
    files = {**trained.files, **fold_files([f.forecast for f in trained.folds])}
    workspace.models(area).write(data.month, name, files, {**card, **logged})
    last = trained.folds[-1].metrics
    return {
        "poisson_deviance_last_fold": last["poisson_deviance"],
        "auc_last_fold": last["auc"],
        "trained_before": data.known_before.isoformat(),
        **logged,
        "made_from": str(card["made_from"]),
    }


def read_fold_forecasts(
    workspace: Workspace, area: StudyArea, month: str, model: str
) -> list[NDArray[np.float64]]:
    """Forecasts of one model on its blind folds, in order of time."""
    return fold_forecasts(workspace.models(area).read(month, model))


def reporter(say: Callable[[str], None]) -> Progress:
    """Progress of a fit as log lines, at most ten for each thing being done."""

    def report(what: str, done: int, total: int) -> None:
        step = max(total // 10, 1)
        if done % step == 0 or done == total:
            say(f"{what}: {done} of {total}")

    return report


def months_for(workspace: Workspace, area: StudyArea, day: date) -> dict[str, str]:
    """Newest usable month of each forecast for `day`."""
    return months_by_day(workspace, area, [day.isoformat()])[day.isoformat()]


def months_by_day(
    workspace: Workspace, area: StudyArea, days: Sequence[str]
) -> dict[str, dict[str, str]]:
    """Newest usable month of each forecast, by day and forecast."""
    models = workspace.models(area)
    dates = [date.fromisoformat(day) for day in days]
    newest = [models.newest_months(name, dates) for name in FORECASTS]
    return {
        day: dict(zip(FORECASTS, months, strict=True))
        for day, months in zip(days, zip(*newest, strict=True), strict=True)
    }
