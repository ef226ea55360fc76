"""Grid assets: the cells of a study area, and its incidents placed on them.

Belongs here: `grid/cells` and `grid/incident_cells`. Does not: how a point becomes a cell
(`grid/`), counts over time (features).
"""

import dagster as dg

from htrisk_dagster.defs.metadata import table_metadata
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.schemas import grid as tables
from htrisk_dagster.schemas import raw, staging
from htrisk_dagster.study_areas.area import StudyArea


def build(area: StudyArea) -> list[dg.AssetsDefinition]:
    """Grid assets of one study area."""
    name = area.name
    tags, kinds = {"study_area": name}, {"python", "parquet"}

    @dg.asset(
        key=[name, tables.LAYER, "cells"],
        group_name=f"{name}_grid",
        deps=[[name, raw.LAYER, "boroughs"], [name, raw.LAYER, "precincts"]],
        description=tables.CELLS.description,
        metadata=table_metadata(tables.CELLS),
        tags=tags,
        kinds=kinds,
    )
    def cells(workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult[None]:
        """Cells that touch land, in metres of the study area's CRS, or its areas as cells."""
        from htrisk_dagster.defs.placed import store_cells

        return dg.MaterializeResult(metadata=store_cells(workspace, area))

    @dg.asset(
        key=[name, tables.LAYER, "incident_cells"],
        group_name=f"{name}_grid",
        deps=[cells, [name, staging.LAYER, "incidents"]],
        description=tables.INCIDENT_CELLS.description,
        metadata=table_metadata(tables.INCIDENT_CELLS),
        tags=tags,
        kinds=kinds,
    )
    def incident_cells(workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult[None]:
        """Incidents with cell and location quality, a partition for each month of report."""
        from htrisk_dagster.defs.placed import store_incident_cells

        return dg.MaterializeResult(metadata=store_incident_cells(workspace, area))

    return [cells, incident_cells]
