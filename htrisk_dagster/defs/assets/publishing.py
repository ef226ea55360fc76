"""Publishing assets: the map of each day, and the snapshot that readers are shown.

Belongs here: `publishing/risk_map` and `publishing/snapshot`. Does not: drawing
(`publishing/risk_map.py`), the snapshot's file (`publishing/snapshot.py`).
"""

import dagster as dg

from htrisk_dagster.defs.partitions import risk_days, single_run
from htrisk_dagster.defs.published import READ
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.study_areas.area import StudyArea


def build(area: StudyArea) -> list[dg.AssetsDefinition]:
    """Publishing assets of one study area."""

    @dg.asset(
        key=[area.name, "publishing", "risk_map"],
        group_name=f"{area.name}_publishing",
        partitions_def=risk_days(area),
        backfill_policy=single_run(),
        deps=[
            [area.name, "predictions", "cell_day_risk"],
            [area.name, "grid", "cells"],
            [area.name, "raw", "boroughs"],
        ],
        description="One self-contained HTML page a day: the map, its top cells and its limits.",
        kinds={"html"},
        tags={"study_area": area.name},
    )
    def risk_map(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> dg.MaterializeResult[None]:
        """Draw the risk of each day asked; no tile server, no network, no script needed."""
        from htrisk_dagster.defs.forecast import store_maps

        for day, path in store_maps(workspace, area, list(context.partition_keys)).items():
            figures = {"risk_map": dg.MetadataValue.path(path), "bytes": path.stat().st_size}
            context.add_asset_metadata(figures, partition_key=day)
        return dg.MaterializeResult()

    @dg.asset(
        key=[area.name, "publishing", "snapshot"],
        group_name=f"{area.name}_publishing",
        deps=[[area.name, table.layer, table.name] for table in READ],
        description="One read-only DuckDB file with all that readers are shown, and the link to it.",
        kinds={"duckdb"},
        tags={"study_area": area.name},
    )
    def snapshot(workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult[None]:
        """Tables without small counts, risk by day and by cell; the dashboard reads nothing else."""
        from htrisk_dagster.defs.published import store_snapshot

        return dg.MaterializeResult(metadata=store_snapshot(workspace, area))

    return [risk_map, snapshot]
