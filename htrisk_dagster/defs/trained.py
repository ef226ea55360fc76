"""Training of one month's models: what is read, which effort, what is stored and logged.

Belongs here: the steps behind the `models` assets. Does not: fitting and folds (`evaluation`,
`models`), MLflow's own calls (`mlflow_tracking.py`).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
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
from htrisk_dagster.evaluation.champion import ChampionChoice, ScoredFold, choose_champion
from htrisk_dagster.evaluation.effort import EFFORTS
from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.features.feature_matrix import FeatureInputs
from htrisk_dagster.features.inputs import target_counts
from htrisk_dagster.models.count_model import MODEL_NAMES, Progress, make_model
from htrisk_dagster.study_areas.area import StudyArea

CHAMPION = "champion"
_FOLDS_FILE = "folds.npz"
_N_RESAMPLES = 1000


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
    def days(self) -> list[str]:
        """Days of the block as ISO dates."""
        return [str(d) for d in self.block.days]

    def counts_known_by(self, day: date) -> NDArray[np.float32]:
        """Labels of the block's days as they stood on `day`."""
        return target_counts(self.inputs, self.days, known_before=day)


def training_days(workspace: Workspace, area: StudyArea, month: str) -> list[str]:
    """Days whose features the models of `month` are trained and tested on."""
    last = date.fromisoformat(month) - timedelta(days=area.publication_lag.incidents_days + 1)
    return days_of(inputs_until(workspace, area, last).history_start, last)


def training_set(workspace: Workspace, area: StudyArea, month: str) -> TrainingSet:
    """Read the features and the labels known when the models of `month` are made."""
    lag = area.publication_lag.incidents_days
    known_before = date.fromisoformat(month) - timedelta(days=lag)
    inputs = inputs_until(workspace, area, known_before - timedelta(days=1))
    days = days_of(inputs.history_start, known_before - timedelta(days=1))
    counts = target_counts(inputs, days, known_before=known_before)
    block = training.with_counts(read_days(workspace, area, days), counts)
    wait = training.waiting_days(inputs.target.select(inputs.incidents), known_before)
    train_stop = known_before - timedelta(days=wait)
    effort = EFFORTS[workspace.settings.profile]
    folds = rolling_origin_folds(
        inputs.history_start,
        train_stop - timedelta(days=1),
        n_folds=effort.n_folds,
        test_days=effort.test_days,
        gap_days=lag + wait,
    )
    return TrainingSet(month, known_before, train_stop, block, folds, inputs)


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
    options = EFFORTS[settings.profile].options.get(name, {})
    trained = training.train(
        partial(make_model, name, **options),
        data.block,
        data.folds,
        counts_known_by=data.counts_known_by,
        train_stop=data.train_stop,
        publication_lag_days=area.publication_lag.incidents_days,
        seed=settings.seed,
        progress=progress,
    )
    target, _ = workspace.target(area)
    card = {
        "model": name,
        "target": target,
        "month": data.month,
        "known_before": data.known_before,
        "train_start": data.block.days[0],
        "train_stop": data.train_stop,
        "seed": settings.seed,
        "params": trained.fit.params,
        "dispersion": trained.dispersion,
        "folds": [
            {**asdict(f.fold), "sealed": f.digest, "metrics": f.metrics} for f in trained.folds
        ],
        "dagster_run_id": dagster_run_id,
        "made_from": MadeFrom(workspace, area).models(data.month),
    }
    logged = tracking.log_training(area.name, target, name, trained, data.block, card)
    forecasts = {str(i): f.forecast for i, f in enumerate(trained.folds)}
    files = {**trained.files, _FOLDS_FILE: _npz(forecasts)}
    workspace.models(area).write(data.month, name, files, {**card, **logged})
    last = trained.folds[-1].metrics
    return {
        "poisson_deviance_last_fold": last["poisson_deviance"],
        "auc_last_fold": last["auc"],
        "trained_before": data.known_before.isoformat(),
        **logged,
        "made_from": str(card["made_from"]),
    }


def store_champion(
    workspace: Workspace, area: StudyArea, tracking: MlflowTracking, month: str
) -> dict[str, Any]:
    """Choose champion and challenger on the folds, mark them in MLflow, store the choice."""
    models = workspace.models(area)
    data = training_set(workspace, area, month)
    fold_forecasts = {n: read_fold_forecasts(workspace, area, month, n) for n in MODEL_NAMES}
    scored = [
        ScoredFold(
            training.fold_truth(data.block, fold),
            {name: forecasts[i] for name, forecasts in fold_forecasts.items()},
        )
        for i, fold in enumerate(data.folds)
    ]
    choice = choose_champion(scored, n_resamples=_N_RESAMPLES, seed=workspace.settings.seed)
    cards = {name: models.card(month, name) for name in MODEL_NAMES}
    card = {
        **asdict(choice),
        "dispersion": cards[choice.champion]["dispersion"],
        "known_before": data.known_before,
        "made_from": MadeFrom(workspace, area).models(month),
    }
    models.write(month, CHAMPION, {}, card)
    if month == models.months(CHAMPION)[-1]:
        # Training an older month again must not put an older model in use.
        tracking.set_aliases(_versions(choice, cards))
    return {
        "champion": choice.champion,
        "challenger": choice.challenger or "none",
        "reason": choice.reason,
        **{f"deviance_{name}": value for name, value in choice.deviances.items()},
        "made_from": str(card["made_from"]),
    }


def read_fold_forecasts(
    workspace: Workspace, area: StudyArea, month: str, model: str
) -> list[NDArray[np.float64]]:
    """Forecasts of one model on its blind folds, in order of time."""
    content = workspace.models(area).read(month, model)[_FOLDS_FILE]
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        return [stored[name] for name in sorted(stored.files, key=int)]


def _versions(
    choice: ChampionChoice, cards: Mapping[str, Mapping[str, Any]]
) -> dict[str, tuple[str, str]]:
    marked = {"champion": choice.champion, "challenger": choice.challenger}
    return {
        alias: (str(cards[name]["registered_model"]), str(cards[name]["registered_version"]))
        for alias, name in marked.items()
        if name is not None
    }


def _npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def reporter(say: Callable[[str], None]) -> Progress:
    """Progress of a fit as log lines, at most ten for each thing being done."""

    def report(what: str, done: int, total: int) -> None:
        step = max(total // 10, 1)
        if done % step == 0 or done == total:
            say(f"{what}: {done} of {total}")

    return report


def months_for(
    workspace: Workspace, area: StudyArea, day: date, names: Sequence[str]
) -> dict[str, str]:
    """Newest usable month of each model for `day`."""
    models = workspace.models(area)
    return {name: models.newest_month(name, day) for name in names}
