"""Reasons of stored forecasts, and the importance of features of one month's models.

Belongs here: which models are loaded and asked, on which cell-days. Does not: reasons themselves
(`models/attribution`, `evaluation/reasons`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Self

import numpy as np
import polars as pl

from htrisk_dagster.defs.crowned import read_champion, read_stack
from htrisk_dagster.defs.featured import read_days
from htrisk_dagster.defs.fingerprints import MadeFrom
from htrisk_dagster.defs.trained import training_days
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.evaluation.ensemble import CHAMPION, ChampionForecast
from htrisk_dagster.evaluation.reasons import (
    corrected,
    explained_members,
    importance_table,
    pooled,
    reason_texts,
)
from htrisk_dagster.evaluation.stacking import STACK, Stack
from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.models.attribution import Explains
from htrisk_dagster.models.count_model import MODEL_NAMES, load_model
from htrisk_dagster.models.rate_reasons import explainer
from htrisk_dagster.schemas.predictions import FEATURE_IMPORTANCE
from htrisk_dagster.study_areas.area import StudyArea

# Of a month's importance: the last four weeks before it, and so many cell-days of them.
_WEEKS_DAYS = 28
_SAMPLE_ROWS = 4_000


@dataclass(frozen=True)
class ChampionReasons:
    """The champion of some months' models, ready to be asked for its reasons.

    Parameters
    ----------
    champion : ChampionForecast
    stack : Stack or None
        Where the champion is the stack.
    explainers : mapping of str to Explains
        The champion's own, or of the stack's members with weight.
    """

    champion: ChampionForecast
    stack: Stack | None
    explainers: Mapping[str, Explains]

    @classmethod
    def of_months(cls, workspace: Workspace, area: StudyArea, months: Mapping[str, str]) -> Self:
        """Read the models of `months`, forecast to month."""
        champion = read_champion(workspace, area, months[CHAMPION])
        stack = None
        if champion.model == STACK:
            stack = read_stack(workspace, area, months[STACK])
        names = [champion.model] if stack is None else list(explained_members(stack))
        files = {name: workspace.models(area).read(months[name], name) for name in names}
        return cls(champion, stack, {n: explainer(load_model(n, files[n])) for n in names})

    def of_day(self, block: CellDayBlock) -> pl.Series:
        """Reasons of the champion's forecast of every cell on the block's one day, in order of cell."""
        rows = np.arange(block.n_cells, dtype=np.int64)
        found = {name: each.explain(block, rows) for name, each in self.explainers.items()}
        if self.stack is None:
            of_champion = found[self.champion.model]
        else:
            of_champion = pooled(found, explained_members(self.stack), self.stack.level)
        told = corrected(of_champion, self.champion.recalibration, block.borough_index)
        return reason_texts(told)


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
