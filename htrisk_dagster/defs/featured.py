"""Features of a range of days, built in stretches of bounded memory and stored a day a file.

Belongs here: the step behind `features/cell_day`, and the reading of training blocks. Does not:
the features (`features/`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import dagster as dg
import polars as pl

from htrisk_dagster.defs.fingerprints import MadeFrom
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.features import store
from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.features.catalogue import feature_catalogue
from htrisk_dagster.features.coverage import coverage_table, coverage_to_markdown
from htrisk_dagster.features.feature_matrix import FeatureInputs, build_block
from htrisk_dagster.features.inputs import declared_series, read_inputs
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.study_areas.area import StudyArea

# A year of 3,300 cells and 80 features is 390 MB.
_STRETCH_DAYS = 366


def inputs_until(workspace: Workspace, area: StudyArea, end: date) -> FeatureInputs:
    """Inputs of features and labels up to the day `end`."""
    _, target = workspace.target(area)
    since = workspace.settings.history_start
    return read_inputs(workspace.tables(area.name), area, target, end, since=since)


def features_table(area: StudyArea) -> Table:
    """Schema of the area's `features.cell_day`."""
    return store.cell_day_table(feature_catalogue(("incidents", *area.series), area.context))


def store_features(workspace: Workspace, area: StudyArea, days: Sequence[str]) -> dict[str, Any]:
    """Build and write the features of consecutive `days`; return figures for the UI."""
    first, last = date.fromisoformat(days[0]), date.fromisoformat(days[-1])
    inputs = inputs_until(workspace, area, last)
    made = MadeFrom(workspace, area)
    table = features_table(area)
    absent: dict[str, float] = {}
    start = first
    while start <= last:
        stop = min(start + timedelta(days=_STRETCH_DAYS), last + timedelta(days=1))
        block = build_block(inputs, start, stop, with_counts=False)
        keys = [(start + timedelta(days=i)).isoformat() for i in range(block.n_days)]
        store.write_days(
            workspace.tables(area.name), table, block, {k: made.features(k) for k in keys}
        )
        absent = {n: 1.0 for n in block.names if bool((block.column(n) != block.column(n)).all())}
        start = stop
    return {
        "days": len(days),
        "cells": inputs.grid.n_cells,
        "features": len(table.columns) - len(table.key),
        "absent": ", ".join(absent) or "none",
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


def read_rows(workspace: Workspace, area: StudyArea, days: Sequence[str]) -> pl.DataFrame:
    """Stored features of `days` as rows."""
    return workspace.tables(area.name).read(features_table(area), days)
