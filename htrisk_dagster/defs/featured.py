"""Features of a range of days, made in process or on the cluster, and stored a day a file.

Belongs here: the step behind `features/cell_day`, and the reading of training blocks. Does not:
the features (`features/`), the units that they are made in (`scale/feature_work.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import dagster as dg
import polars as pl

from htrisk_dagster.defs.fingerprints import MadeFrom
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.features import store
from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.features.coverage import coverage_table, coverage_to_markdown
from htrisk_dagster.features.feature_matrix import FeatureInputs
from htrisk_dagster.features.inputs import declared_series, read_inputs
from htrisk_dagster.features.store import features_table as features_table
from htrisk_dagster.scale import feature_work
from htrisk_dagster.scale.unit import UnitSettings
from htrisk_dagster.study_areas.area import StudyArea


def inputs_until(workspace: Workspace, area: StudyArea, end: date) -> FeatureInputs:
    """Inputs of features and labels up to the day `end`."""
    _, target = workspace.target(area)
    store = workspace.tables(area.name)
    return read_inputs(store, area, target, end, since=workspace.learns_since)


def store_features(workspace: Workspace, area: StudyArea, days: Sequence[str]) -> dict[str, Any]:
    """Build and write the features of consecutive `days`; return figures for the UI."""
    first, last = date.fromisoformat(days[0]), date.fromisoformat(days[-1])
    inputs = inputs_until(workspace, area, last)
    made = MadeFrom(workspace, area)
    target, _ = workspace.target(area)
    chosen = UnitSettings.chosen(target, inputs)
    prints = {day: made.features(day) for day in days}
    request = feature_work.FeatureRequest(workspace.storage, area, chosen, first, last, prints)
    (report,) = feature_work.store_features(workspace.execution, [request])
    return {
        "days": len(days),
        "cells": inputs.grid.n_cells,
        "features": len(inputs.catalogue),
        "absent": ", ".join(report.absent) or "none",
        "history_start": inputs.history_start.isoformat(),
        "sources": dg.MetadataValue.md(sources_table(workspace, area, inputs, last)),
    }


def sources_table(workspace: Workspace, area: StudyArea, inputs: FeatureInputs, last: date) -> str:
    """Markdown table of what covers the history up to the day `last`, and what does not."""
    _, target = workspace.target(area)
    return coverage_to_markdown(coverage_table(inputs, declared_series(area, target), last))


def read_days(workspace: Workspace, area: StudyArea, days: Sequence[str]) -> CellDayBlock:
    """Stored features of consecutive `days`."""
    from htrisk_dagster.features.inputs import read_grid

    tables = workspace.tables(area.name)
    return store.read_block(tables, features_table(area), days, read_grid(tables, area))


def read_parts(
    workspace: Workspace, area: StudyArea, days: Sequence[str], n_cells: int
) -> Iterator[pl.DataFrame]:
    """Stored features of `days` as rows, some days at a time."""
    tables = workspace.tables(area.name)
    for _, rows in store.read_parts(tables, features_table(area), days, n_cells):
        yield rows


def read_rows(workspace: Workspace, area: StudyArea, days: Sequence[str]) -> pl.DataFrame:
    """Stored features of `days` as rows."""
    return workspace.tables(area.name).read(features_table(area), days)
