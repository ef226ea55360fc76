"""Incidents of staging placed on the grid and written by month of report.

Belongs here: the step behind `grid/incident_cells`. Does not: the rule for station houses
(`grid/location_quality.py`).
"""

from __future__ import annotations

from typing import Any

from htrisk_dagster.defs.fingerprints import MadeFrom
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.features.inputs import read_grid
from htrisk_dagster.grid.location_quality import place_incidents
from htrisk_dagster.schemas import grid, raw, staging
from htrisk_dagster.study_areas.area import StudyArea
from htrisk_dagster.warehouse.partitions import WHOLE, by_month


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
