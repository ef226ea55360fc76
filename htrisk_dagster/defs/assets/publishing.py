"""Publishing assets: the map and the mailed report of each day, what of them is released, the snapshot.

Belongs here: `publishing/risk_map`, `daily_report`, `released_map` and `snapshot`. Does not: drawing
(`publishing/risk_map.py`, `publishing/daily_report.py`), the rules of release, the snapshot's file
(`publishing/snapshot.py`).
"""

import dagster as dg

from htrisk_dagster.defs.mlflow_tracking import MlflowTracking
from htrisk_dagster.defs.partitions import risk_days, single_run
from htrisk_dagster.defs.published import read_tables
from htrisk_dagster.defs.retries import passing_faults_retried
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.schemas import governance
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
            [area.name, "raw", "precincts"],
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
        key=[area.name, "publishing", "daily_report"],
        group_name=f"{area.name}_publishing",
        partitions_def=risk_days(area),
        backfill_policy=single_run(),
        deps=[
            risk_map,
            dg.AssetDep(
                [area.name, governance.LAYER, governance.MODEL_CARD.name],
                # A day is reported with the newest card at or before it.
                partition_mapping=dg.TimeWindowPartitionMapping(
                    start_offset=-11, allow_nonexistent_upstream_partitions=True
                ),
            ),
        ],
        description=(
            "One attachment a day, under 200 kB and without scripts: map, month, top cells with reasons, "
            "model card and limits."
        ),
        kinds={"html", "mlflow"},
        tags={"study_area": area.name},
    )
    def daily_report(
        context: dg.AssetExecutionContext,
        workspace: dg.ResourceParam[Workspace],
        tracking: dg.ResourceParam[MlflowTracking],
    ) -> dg.MaterializeResult[None]:
        """Write the report of each day asked, and log it with the run of the champion's model."""
        from htrisk_dagster.defs.daily_reports import store_reports

        with passing_faults_retried(context):
            made = store_reports(workspace, area, tracking, list(context.partition_keys))
        for day, figures in made.items():
            context.add_asset_metadata(figures, partition_key=day)
        return dg.MaterializeResult()

    @dg.asset(
        key=[area.name, "publishing", "released_map"],
        group_name=f"{area.name}_publishing",
        partitions_def=risk_days(area),
        backfill_policy=single_run(),
        deps=[
            risk_map,
            daily_report,
            [area.name, governance.LAYER, governance.CANARY_SEARCH.name],
        ],
        description=(
            "Maps that two named reviewers have signed for, with their documents; taken away when they "
            "expire or are withdrawn."
        ),
        kinds={"html"},
        tags={"study_area": area.name},
    )
    def released_map(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> dg.MaterializeResult[None]:
        """Hand out what the log of releases lets out, and say where each day asked stands."""
        from htrisk_dagster.defs.release_reports import hand_out_days

        for day, figures in hand_out_days(workspace, area, list(context.partition_keys)).items():
            context.add_asset_metadata(figures, partition_key=day)
        return dg.MaterializeResult()

    @dg.asset(
        key=[area.name, "publishing", "snapshot"],
        group_name=f"{area.name}_publishing",
        # The documents of each day too: the snapshot names their dossier.
        deps=[
            risk_map,
            daily_report,
            [area.name, governance.LAYER, governance.CANARY_SEARCH.name],
            *([area.name, table.layer, table.name] for table in read_tables(area)),
        ],
        description="One read-only DuckDB file with all that readers are shown, and the link to it.",
        kinds={"duckdb"},
        tags={"study_area": area.name},
    )
    def snapshot(workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult[None]:
        """Tables without small counts, risk by day and by cell; the dashboard reads nothing else."""
        from htrisk_dagster.defs.published import store_snapshot

        return dg.MaterializeResult(metadata=store_snapshot(workspace, area))

    return [risk_map, daily_report, released_map, snapshot]
