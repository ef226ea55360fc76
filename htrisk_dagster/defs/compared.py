"""The comparison of one training's models: tables, figures and page, stored and logged.

Belongs here: the step behind the page of `models/champion`. Does not: the numbers (`evaluation`),
the drawing (`publishing/model_page.py`), MLflow's own calls (`mlflow_tracking.py`).
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.defs.fold_results import REFERENCE, FoldResults, fold_results
from htrisk_dagster.defs.mlflow_tracking import MlflowTracking
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.evaluation.comparison import compare
from htrisk_dagster.evaluation.curves import Curve
from htrisk_dagster.evaluation.training_comparison import (
    CEILING,
    compared_curves,
    curves_as_data,
    fold_scores,
)
from htrisk_dagster.publishing.model_charts import draw_curve, standalone
from htrisk_dagster.publishing.model_page import TrainingHeader, render_model_page
from htrisk_dagster.study_areas.area import StudyArea
from htrisk_dagster.warehouse.partitions import write_text_whole

_N_RESAMPLES = 500


def page_path(workspace: Workspace, area: StudyArea, month: str) -> Path:
    """File of the comparison page of one training month."""
    target, _ = workspace.target(area)
    return workspace.settings.warehouse / "reports" / area.name / f"models_{target}_{month}.html"


def store_page(
    workspace: Workspace, area: StudyArea, tracking: MlflowTracking, month: str
) -> dict[str, Any]:
    """Compare the models of a month on their folds; write the page and log it with its figures.

    Returns
    -------
    dict
        Metadata for Dagster's UI: the page as a file and in MLflow.
    """
    results = fold_results(workspace, area, month)
    counts, active = results.truth()
    forecasts = results.forecasts()
    choice = results.choice
    best = min(results.cards, key=lambda n: choice["deviances"].get(n, float("inf")))
    curves = compared_curves(counts, forecasts, active=active, intensity=forecasts[best])
    comparison = compare(
        _joined(counts),
        {name: _joined(values) for name, values in forecasts.items()},
        active=active,
        n_resamples=_N_RESAMPLES,
        seed=workspace.settings.seed,
    )
    _, target = workspace.target(area)
    header = TrainingHeader(
        area_title=area.title,
        target_title=target.title,
        month=month,
        known_before=results.known_before,
        folds=tuple((f.test_start, f.test_stop - timedelta(days=1)) for f in results.folds),
        n_cells=int(active.sum()),
        n_incidents=int(sum(c[:, active].sum() for c in counts)),
        champion=choice["champion"],
        reason=choice["reason"],
        reference=REFERENCE,
        ceiling=f"an estimate, what {best} would reach if its forecasts were exactly right",
        data_origin=workspace.settings.origin,
        data_digest=choice["made_from"],
    )
    page = render_model_page(
        header,
        comparison=comparison,
        by_fold=fold_scores(counts, forecasts, active=active),
        params={name: card["params"] for name, card in results.cards.items()},
        learning={
            name: tracking.learning_curves(card["mlflow_run_id"])
            for name, card in results.cards.items()
        },
        curves=curves,
        before=_before(results),
    )
    path = write_text_whole(page_path(workspace, area, month), page)
    logged = _log(tracking, results, page, curves)
    return {"comparison_page": dg.MetadataValue.path(path), "comparison_in_mlflow": logged}


def _joined(of_folds: list[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(of_folds)


def _before(results: FoldResults) -> tuple[str, dict[str, dict[str, Any]]] | None:
    """Month and parameters by model of the training before; None where this is the first."""
    models = results.workspace.models(results.area)
    earlier = [m for m in models.months(REFERENCE) if m < results.month]
    if not earlier:
        return None
    cards = {name: models.card(earlier[-1], name) for name in results.cards}
    return earlier[-1], {name: card["params"] for name, card in cards.items() if card}


def _log(
    tracking: MlflowTracking,
    results: FoldResults,
    page: str,
    curves: dict[str, dict[str, Curve]],
) -> dg.MetadataValue:
    """Log page and figures with the training, and each model's own figures with its run."""
    base, choice = results.cards[REFERENCE], results.choice
    figures = {
        name: standalone(draw_curve(name, of, reference=REFERENCE)) for name, of in curves.items()
    }
    for name, card in results.cards.items():
        shown = (name, REFERENCE, CEILING)
        own = {
            kind: standalone(
                draw_curve(kind, {m: of[m] for m in shown if m in of}, reference=REFERENCE)
            )
            for kind, of in curves.items()
        }
        tracking.log_figures(card["mlflow_run_id"], own)
    about = {
        "study_area": results.area.name,
        "target": str(base["target"]),
        "month": results.month,
        "known_before": str(results.known_before),
        "made_from": str(base["made_from"]),
        "champion": str(choice["champion"]),
        "challenger": str(choice["challenger"]),
    }
    return tracking.log_page(
        about,
        page,
        figures=figures,
        data={name: curves_as_data(of) for name, of in curves.items()},
        params={"seed": base["seed"], "n_folds": len(results.folds)},
        metrics={f"deviance_{name}": value for name, value in choice["deviances"].items()},
    )
