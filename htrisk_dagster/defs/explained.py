"""Reasons of stored forecasts, and the importance of features of one month's models.

Belongs here: which models are loaded and asked, on which cell-days. Does not: reasons themselves
(`models/attribution`, `evaluation/reasons`).
"""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import polars as pl

from htrisk_dagster.defs.crowned import read_champion, read_stack
from htrisk_dagster.defs.featured import read_days
from htrisk_dagster.defs.fingerprints import MadeFrom
from htrisk_dagster.defs.trained import months_for, training_days
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.evaluation.ensemble import CHAMPION
from htrisk_dagster.evaluation.reasons import (
    corrected,
    explained_members,
    importance_table,
    pooled,
    reason_texts,
)
from htrisk_dagster.evaluation.stacking import STACK
from htrisk_dagster.models.attribution import Attribution, Explains
from htrisk_dagster.models.count_model import MODEL_NAMES, load_model
from htrisk_dagster.models.rate_reasons import explainer
from htrisk_dagster.schemas.predictions import FEATURE_IMPORTANCE
from htrisk_dagster.study_areas.area import StudyArea

# Of a month's importance: the last four weeks before it, and so many cell-days of them.
_WEEKS_DAYS = 28
_SAMPLE_ROWS = 4_000


def day_reasons(
    workspace: Workspace, area: StudyArea, day: str, explainers: dict[tuple[str, str], Explains]
) -> pl.Series:
    """Reasons of the champion's forecast of every cell on one day, in order of cell.

    `explainers` keeps models between days, by name and month.
    """
    months = months_for(workspace, area, date.fromisoformat(day))
    block = read_days(workspace, area, [day])
    rows = np.arange(block.n_cells, dtype=np.int64)
    champion = read_champion(workspace, area, months[CHAMPION])

    def explain(name: str) -> Attribution:
        key = name, months[name]
        if key not in explainers:
            files = workspace.models(area).read(months[name], name)
            explainers[key] = explainer(load_model(name, files))
        return explainers[key].explain(block, rows)

    if champion.model == STACK:
        stack = read_stack(workspace, area, months[STACK])
        weights = explained_members(stack)
        found = pooled({name: explain(name) for name in weights}, weights, stack.level)
    else:
        found = explain(champion.model)
    return reason_texts(corrected(found, champion.recalibration, block.borough_index))


def store_importance(workspace: Workspace, area: StudyArea, month: str) -> dict[str, Any]:
    """Measure what moves the forecasts of each model of one month; return figures for the UI."""
    days = training_days(workspace, area, month)[-_WEEKS_DAYS:]
    block = read_days(workspace, area, days)
    n_rows = block.n_days * block.n_cells
    # Evenly spread over days and cells, and the same every time.
    rows = np.unique(np.linspace(0, n_rows - 1, _SAMPLE_ROWS).astype(np.int64))
    files = {name: workspace.models(area).read(month, name) for name in MODEL_NAMES}
    models = {name: load_model(name, content) for name, content in files.items()}
    found = {name: explainer(model).explain(block, rows) for name, model in models.items()}
    stack = read_stack(workspace, area, month)
    weights = explained_members(stack)
    found[STACK] = pooled({name: found[name] for name in weights}, weights, stack.level)
    table = importance_table(
        found,
        month=date.fromisoformat(month),
        target=workspace.target(area)[0],
        models=[name for name, model in models.items() if isinstance(model, Explains)],
    )
    made_from = MadeFrom(workspace, area).models(month)
    workspace.tables(area.name).write(FEATURE_IMPORTANCE, table, month, made_from=made_from)
    first = table.filter(pl.col("model") == STACK).sort("mean_abs_log", descending=True)
    return {
        "cell_days": len(rows),
        "first_of_the_stack": first["feature"][0],
        "made_from": made_from,
    }
