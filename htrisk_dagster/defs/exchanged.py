"""What leaves for a notebook and what comes back: the steps behind `htrisk export` and `score`.

Belongs here: where features, folds, forecasts and truth of one month lie. Does not: the files and
the scores (`evaluation/exchange_files.py`, `evaluation/outside_forecast.py`).
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.defs.evaluated import active_cells
from htrisk_dagster.defs.featured import inputs_until
from htrisk_dagster.defs.fingerprints import MadeFrom
from htrisk_dagster.defs.partitions import days_of
from htrisk_dagster.defs.trained import CHAMPION, read_fold_forecasts, training_set
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.errors import MissingPartitionError
from htrisk_dagster.evaluation import outside_forecast
from htrisk_dagster.evaluation.backtest import Fold
from htrisk_dagster.evaluation.exchange import FoldSet, Origin, fold_set
from htrisk_dagster.evaluation.exchange_files import write_fold_set
from htrisk_dagster.features.catalogue import feature_catalogue
from htrisk_dagster.features.inputs import read_grid, target_counts
from htrisk_dagster.models.count_model import MODEL_NAMES
from htrisk_dagster.study_areas.area import StudyArea

_N_RESAMPLES = 500


def newest_trained_month(workspace: Workspace, area: StudyArea) -> str:
    """Newest month whose champion has been chosen.

    Raises
    ------
    MissingPartitionError
        Where there is none.
    """
    months = workspace.models(area).months(CHAMPION)
    if not months:
        target, _ = workspace.target(area)
        raise MissingPartitionError(
            f"No models for {target} in {area.name} have been trained in "
            f"{workspace.settings.workspace}. Run `htrisk run` for some days first."
        )
    return months[-1]


def export_folds(
    workspace: Workspace,
    area: StudyArea,
    month: str,
    path: Path,
    *,
    start: date | None = None,
    end: date | None = None,
) -> tuple[FoldSet, str]:
    """Write features, labels and folds of one training month; return them and their digest.

    The folds are those of the month's models, or of the profile in force where there are none yet.
    """
    data = training_set(workspace, area, month)
    target, _ = workspace.target(area)
    origin = Origin(
        area=area.name,
        target=target,
        month=month,
        known_before=data.known_before,
        publication_lag_days=area.publication_lag.incidents_days,
        made_from=MadeFrom(workspace, area).models(month),
    )
    chosen = fold_set(
        origin,
        feature_catalogue(("incidents", *area.series)),
        trained_folds(workspace, area, month) or data.folds,
        data.block,
        counts_known_by=data.counts_known_by,
        start=start,
        end=end,
    )
    return chosen, write_fold_set(chosen, path)


def trained_folds(workspace: Workspace, area: StudyArea, month: str) -> tuple[Fold, ...]:
    """Folds that the models of a month were tested on; empty where it has no models."""
    card = workspace.models(area).card(month, "historical_mean")
    return tuple(
        Fold(**{k: date.fromisoformat(f[k]) for k in Fold.__dataclass_fields__})
        for f in card.get("folds", [])
    )


def score_forecast(workspace: Workspace, area: StudyArea, month: str, path: Path, name: str) -> str:
    """Score a forecast made elsewhere on the folds of one month; return the report in Markdown."""
    models = workspace.models(area)
    folds = trained_folds(workspace, area, month)
    if not folds:
        raise MissingPartitionError(
            f"The models of {month} for area '{area.name}' have not been trained; a forecast is "
            f"scored beside them. Materialise {area.name}/models/historical_mean for it first."
        )
    trained = [n for n in MODEL_NAMES if models.card(month, n)]
    n_cells = read_grid(workspace.tables(area.name), area).n_cells
    forecast = outside_forecast.read_forecast(path, folds, n_cells)
    known_before = date.fromisoformat(models.card(month, trained[0])["known_before"])

    def truth() -> tuple[list[NDArray[np.float32]], NDArray[np.bool_]]:
        inputs = inputs_until(workspace, area, known_before - timedelta(days=1))
        counts = [
            target_counts(
                inputs,
                days_of(f.test_start, f.test_stop - timedelta(days=1)),
                known_before=known_before,
            )
            for f in folds
        ]
        return counts, active_cells(inputs, folds[0].test_start)

    found = outside_forecast.score(
        name,
        forecast,
        folds,
        {n: read_fold_forecasts(workspace, area, month, n) for n in trained},
        truth,
        n_resamples=_N_RESAMPLES,
        seed=workspace.settings.seed,
    )
    return outside_forecast.score_to_markdown(found, folds)
