"""Governance assets: the documents without which no map is published.

Belongs here: card, sheet, fairness table and feedback-loop monitor by month of the models, and the
search for the planted case by day. Does not: what they say (`publishing`) and measure (`evaluation`),
the release itself (`publishing.py`).
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from htrisk_dagster.defs.metadata import table_metadata
from htrisk_dagster.defs.partitions import risk_days, single_run, training_months
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.schemas import context, governance, grid, raw, staging
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.study_areas.area import StudyArea


def build(area: StudyArea) -> list[dg.AssetsDefinition]:
    """Governance assets of one study area."""
    name = area.name
    read = (context.CELLS, grid.CELLS, grid.INCIDENT_CELLS, staging.INCIDENTS)
    upstream = [[name, t.layer, t.name] for t in read]

    @dg.multi_asset(
        name=f"{name}_documents",
        specs=[
            dg.AssetSpec(
                [name, table.layer, table.name],
                deps=[[name, "models", "champion"], *upstream],
                **_described(area, table),
            )
            for table in governance.MODEL_TABLES
        ],
        partitions_def=training_months(area),
    )
    def documents(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> Iterator[dg.MaterializeResult[None]]:
        """What the champion is, what it learnt from, whom it serves how, and whether it feeds itself."""
        from htrisk_dagster.defs.governed import store_documents

        made = store_documents(workspace, area, context.partition_key)
        for table in governance.MODEL_TABLES:
            key = [name, table.layer, table.name]
            yield dg.MaterializeResult(asset_key=key, metadata=made[table.name])

    @dg.asset(
        key=[name, governance.LAYER, governance.CANARY_SEARCH.name],
        partitions_def=risk_days(area),
        backfill_policy=single_run(),
        deps=[
            [name, "publishing", "risk_map"],
            [name, "publishing", "daily_report"],
            [name, raw.VERIFIED_CASES.layer, raw.VERIFIED_CASES.name],
        ],
        **_described(area, governance.CANARY_SEARCH),
    )
    def canary_search(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> dg.MaterializeResult[None]:
        """Look for the planted case in everything that people are given."""
        from htrisk_dagster.defs.governed import store_canary_searches

        found = store_canary_searches(workspace, area, list(context.partition_keys))
        for day, figures in found.items():
            context.add_asset_metadata(figures, partition_key=day)
        return dg.MaterializeResult()

    return [documents, canary_search]


def _described(area: StudyArea, table: Table) -> dict[str, Any]:
    return {
        "group_name": f"{area.name}_{table.layer}",
        "description": table.description,
        "metadata": table_metadata(table),
        "tags": {"study_area": area.name},
        "kinds": {"python", "parquet"},
    }
