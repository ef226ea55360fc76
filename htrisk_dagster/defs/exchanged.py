"""What leaves for a notebook and what comes back: the steps behind `htrisk export` and `score`.

Belongs here: which features, folds and forecasts of a month are taken. Does not: the files and the
scores (`evaluation/exchange_files.py`, `evaluation/outside_forecast.py`).
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

from htrisk_dagster.defs.fingerprints import MadeFrom
from htrisk_dagster.defs.fold_results import fold_results, trained_folds
from htrisk_dagster.defs.trained import training_set
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.evaluation import outside_forecast
from htrisk_dagster.evaluation.exchange import FoldSet, Origin, fold_set
from htrisk_dagster.evaluation.exchange_files import write_fold_set
from htrisk_dagster.features.catalogue import feature_catalogue
from htrisk_dagster.features.inputs import read_grid
from htrisk_dagster.study_areas.area import StudyArea

_N_RESAMPLES = 500


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
        made_from=MadeFrom(workspace, area).features(data.days[-1]),
    )
    chosen = fold_set(
        origin,
        feature_catalogue(("incidents", *area.series), area.context),
        trained_folds(workspace, area, month) or data.folds,
        data.block,
        counts_known_by=data.counts_known_by,
        start=start,
        end=end,
    )
    return chosen, write_fold_set(chosen, path)


def score_forecast(workspace: Workspace, area: StudyArea, month: str, path: Path, name: str) -> str:
    """Score a forecast made elsewhere on the folds of one month; return the report in Markdown."""
    results = fold_results(workspace, area, month)
    n_cells = read_grid(workspace.tables(area.name), area).n_cells
    forecast = outside_forecast.read_forecast(path, results.folds, n_cells)
    found = outside_forecast.score(
        name,
        forecast,
        results.folds,
        results.forecasts(),
        results.truth,
        n_resamples=_N_RESAMPLES,
        seed=workspace.settings.seed,
    )
    return outside_forecast.score_to_markdown(found, results.folds)
