"""Stack and champion of one month, from the blind folds of its models.

Belongs here: the steps behind `models/stack` and `models/champion`, and reading them back. Does not:
weights, choice and corrections (`evaluation/ensemble.py`), the models themselves (`trained.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from htrisk_dagster.defs.fingerprints import MadeFrom
from htrisk_dagster.defs.mlflow_tracking import MlflowTracking
from htrisk_dagster.defs.trained import (
    TrainingSet,
    let_go,
    log_and_store,
    read_fold_forecasts,
    training_set,
)
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.evaluation.champion import ChampionChoice
from htrisk_dagster.evaluation.ensemble import CHAMPION, ChampionForecast, crown
from htrisk_dagster.evaluation.fold_files import fold_files
from htrisk_dagster.evaluation.input_drift import profile_inputs
from htrisk_dagster.evaluation.poisson_posterior import weekly_overdispersion
from htrisk_dagster.evaluation.scored_fold import ScoredFold
from htrisk_dagster.evaluation.stacked_model import member_files
from htrisk_dagster.evaluation.stacking import STACK, Stack
from htrisk_dagster.evaluation.training import fold_truth, train_stack
from htrisk_dagster.models.count_model import MODEL_NAMES
from htrisk_dagster.study_areas.area import StudyArea

_N_RESAMPLES = 1000


def store_stack(
    workspace: Workspace,
    area: StudyArea,
    tracking: MlflowTracking,
    month: str,
    *,
    dagster_run_id: str,
) -> dict[str, Any]:
    """Weigh the models of one month by their folds, log and store the stack."""
    data = training_set(workspace, area, month)
    scored = scored_folds(workspace, area, data, MODEL_NAMES)
    trained = train_stack(data.folds, scored, gap_days=data.gap_days)
    stack = Stack.from_bytes(trained.files)
    members = {name: _model_files(workspace, area, month, name) for name in stack.members}
    figures = log_and_store(
        workspace,
        area,
        tracking,
        data,
        STACK,
        trained,
        dagster_run_id,
        loaded_with=member_files(members),
    )
    return {"weights": stack.sentence, **figures}


def store_champion(
    workspace: Workspace, area: StudyArea, tracking: MlflowTracking, month: str
) -> dict[str, Any]:
    """Choose champion and challenger on the folds, mark them in MLflow, store the choice.

    What drift is measured against goes with it: a profile of the inputs, and the scatter of weeks.
    """
    models = workspace.models(area)
    data = training_set(workspace, area, month)
    scored = scored_folds(workspace, area, data, (*MODEL_NAMES, STACK))
    choice, champion, crowned = crown(
        scored,
        data.block.borough_index,
        gap_days=data.gap_days,
        n_resamples=_N_RESAMPLES,
        seed=workspace.settings.seed,
    )
    cards = {name: models.card(month, name) for name in (*MODEL_NAMES, STACK)}
    card = {
        **asdict(choice),
        "dispersion": champion.intervals.size,
        "recalibration": champion.recalibration.as_state(),
        "overdispersion": weekly_overdispersion(
            np.concatenate([f.counts for f in crowned]),
            np.concatenate([f.forecasts[CHAMPION] for f in crowned]),
        ),
        "known_before": data.known_before,
        "made_from": MadeFrom(workspace, area).models(month),
    }
    files = {
        **champion.to_bytes(),
        **fold_files([f.forecasts[CHAMPION] for f in crowned]),
        **profile_inputs(data.block).to_bytes(),
    }
    models.write(month, CHAMPION, files, card)
    let_go()
    if month == models.months(CHAMPION)[-1]:
        # Training an older month again must not put an older model in use.
        tracking.set_aliases(_versions(choice, cards))
    return {
        "champion": choice.champion,
        "challenger": choice.challenger or "none",
        "reason": choice.reason,
        "recalibration_slope": champion.recalibration.slope,
        "recalibration_level": champion.recalibration.level,
        **{f"deviance_{name}": value for name, value in choice.deviances.items()},
        "made_from": str(card["made_from"]),
    }


def scored_folds(
    workspace: Workspace, area: StudyArea, data: TrainingSet, names: Sequence[str]
) -> list[ScoredFold]:
    """Truth of each fold and the sealed forecasts of the models `names`."""
    forecasts = {n: read_fold_forecasts(workspace, area, data.month, n) for n in names}
    return [
        ScoredFold(fold_truth(data.block, fold), {n: made[i] for n, made in forecasts.items()})
        for i, fold in enumerate(data.folds)
    ]


def read_stack(workspace: Workspace, area: StudyArea, month: str) -> Stack:
    """Read the stack of one month."""
    return Stack.from_bytes(workspace.models(area).read(month, STACK))


def read_champion(workspace: Workspace, area: StudyArea, month: str) -> ChampionForecast:
    """Read the champion of one month."""
    return ChampionForecast.from_bytes(workspace.models(area).read(month, CHAMPION))


def _model_files(workspace: Workspace, area: StudyArea, month: str, name: str) -> dict[str, bytes]:
    files = workspace.models(area).read(month, name)
    return {file: content for file, content in files.items() if file not in fold_files([])}


def _versions(
    choice: ChampionChoice, cards: Mapping[str, Mapping[str, Any]]
) -> dict[str, tuple[str, str]]:
    marked = {"champion": choice.champion, "challenger": choice.challenger}
    return {
        alias: (str(cards[name]["registered_model"]), str(cards[name]["registered_version"]))
        for alias, name in marked.items()
        if name is not None
    }
