"""The grid of a study area, and incidents of staging placed on it and written by month of report.

Belongs here: the steps behind `grid/cells` and `grid/incident_cells`. Does not: how a grid is cut
(`grid/`), the rule for station houses (`grid/location_quality.py`).
"""

from __future__ import annotations

from typing import Any

from htrisk_dagster.defs.fingerprints import MadeFrom
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.features.inputs import read_grid
from htrisk_dagster.grid.area_grid import grid_of
from htrisk_dagster.grid.location_quality import place_incidents
from htrisk_dagster.schemas import grid, raw, staging
from htrisk_dagster.study_areas.area import StudyArea
from htrisk_dagster.warehouse.partitions import WHOLE, by_month


def store_cells(workspace: Workspace, area: StudyArea) -> dict[str, Any]:
    """Cut the study area into cells, or make its areas cells; return figures for the UI."""
    store = workspace.tables(area.name)
    made = grid_of(area, *(store.read(t, [WHOLE]) for t in (raw.BOROUGHS, raw.PRECINCTS)))
    made_from = MadeFrom(workspace, area).cells()
    store.write(grid.CELLS, made.cells, made_from=made_from)
    land = float(made.cells["land_share"].sum()) * area.grid.cell_size_m**2 / 1e6
    return {"cells": made.n_cells, "land_km2": land, "made_from": made_from}


def store_incident_cells(workspace: Workspace, area: StudyArea) -> dict[str, Any]:
    """Place all incidents, replace the partitions of all months, drop those without a row."""
    store = workspace.tables(area.name)
    placed = place_incidents(
        store.read(staging.INCIDENTS, [WHOLE]),
        read_grid(store, area),
        boroughs=store.read(raw.BOROUGHS, [WHOLE]),
        precincts=store.read(raw.PRECINCTS, [WHOLE]),
    )
    made_from = MadeFrom(workspace, area).incident_cells()
    months = by_month(placed, "reported_on")
    for month, rows in months.items():
        store.write(grid.INCIDENT_CELLS, rows, month, made_from=made_from)
    store.drop(grid.INCIDENT_CELLS, set(store.keys(grid.INCIDENT_CELLS)) - set(months))
    workspace.build_catalog()
    quality = placed["location_quality"].value_counts().rows()
    return {
        "incidents": placed.height,
        "months": len(months),
        **{f"location_{name}": count for name, count in sorted(quality)},
        "made_from": made_from,
    }
