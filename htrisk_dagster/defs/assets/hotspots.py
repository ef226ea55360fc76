"""Hot-spot assets: where reported incidents concentrate, week by week and over time.

Belongs here: `hotspots/cell_week_gi_star` and what is read off it. Does not: any statistic
(`hotspots/`), reading and writing (`defs/concentrated.py`).
"""

from typing import Any

import dagster as dg

from htrisk_dagster.defs.metadata import table_metadata
from htrisk_dagster.defs.selection_config import SelectionConfig
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.schemas import grid
from htrisk_dagster.schemas import hotspots as tables
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.study_areas.area import StudyArea


def build(area: StudyArea) -> list[dg.AssetsDefinition]:
    """Hot-spot assets of one study area."""
    name = area.name
    cells = dg.AssetKey([name, grid.LAYER, "cells"])
    incidents = dg.AssetKey([name, grid.LAYER, "incident_cells"])
    weekly = dg.AssetKey([name, tables.LAYER, tables.CELL_WEEK_GI_STAR.name])

    @dg.asset(**_described(area, tables.CELL_WEEK_GI_STAR), deps=[cells, incidents])
    def cell_week_gi_star(
        config: SelectionConfig, workspace: dg.ResourceParam[Workspace]
    ) -> dg.MaterializeResult[None]:
        """Gi* by week and cell, for all incidents and for the target."""
        from htrisk_dagster.defs.concentrated import store_gi_star

        return dg.MaterializeResult(metadata=store_gi_star(workspace, area, config.selection()))

    @dg.asset(**_described(area, tables.EMERGING_HOT_SPOTS), deps=[cells, weekly])
    def emerging_hot_spots(workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult[None]:
        """One of 17 classes for each cell, from its hot and cold weeks and their trend."""
        from htrisk_dagster.defs.concentrated import store_emerging_hot_spots

        return dg.MaterializeResult(metadata=store_emerging_hot_spots(workspace, area))

    @dg.asset(**_described(area, tables.PERIOD_CHANGE), deps=[weekly])
    def period_change(workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult[None]:
        """The later half of the weeks against the earlier half, cell by cell."""
        from htrisk_dagster.defs.concentrated import store_period_change

        return dg.MaterializeResult(metadata=store_period_change(workspace, area))

    return [cell_week_gi_star, emerging_hot_spots, period_change]


def _described(area: StudyArea, table: Table) -> dict[str, Any]:
    return {
        "key": [area.name, table.layer, table.name],
        "group_name": f"{area.name}_hotspots",
        "description": table.description,
        "metadata": table_metadata(table),
        "tags": {"study_area": area.name},
        "kinds": {"python", "parquet"},
    }
