"""Feature assets: what was known of each cell before the cutoff of each day.

Belongs here: `features/cell_day`. Does not: any feature (`features/`).
"""

import dagster as dg

from htrisk_dagster.defs.partitions import risk_days, single_run
from htrisk_dagster.defs.raw_tables import raw_table_names
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.schemas import context, context_sources, grid, raw, staging
from htrisk_dagster.study_areas.area import StudyArea

_DAILY = (context_sources.NEWS_SENTIMENT.name, context_sources.ADVERT_COUNTS.name)


def build(area: StudyArea) -> list[dg.AssetsDefinition]:
    """Feature assets of one study area."""
    name = area.name

    @dg.asset(
        key=[name, "features", "cell_day"],
        group_name=f"{name}_features",
        partitions_def=risk_days(area),
        backfill_policy=single_run(),
        deps=[
            [name, grid.LAYER, "cells"],
            [name, grid.LAYER, "incident_cells"],
            [name, staging.LAYER, "events"],
            [name, staging.LAYER, "mobility"],
            [name, raw.LAYER, "holidays"],
            *([name, raw.LAYER, t] for t in _DAILY if t in raw_table_names(area)),
            [name, context.LAYER, context.CELLS.name],
            [name, context.LAYER, context.CELL_NEIGHBOURHOODS.name],
        ],
        description=(
            "One row: one cell and day. Features of the day's cutoff: nothing reported on or after "
            "it. `htrisk dictionary --features` lists each with unit, source and lag."
        ),
        kinds={"numpy", "parquet"},
        tags={"study_area": name},
    )
    def cell_day(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> dg.MaterializeResult[None]:
        """Dense features of all cells for the days asked, a partition a day."""
        from htrisk_dagster.defs.featured import store_features

        days = list(context.partition_keys)
        return dg.MaterializeResult(metadata=store_features(workspace, area, days))

    return [cell_day]
