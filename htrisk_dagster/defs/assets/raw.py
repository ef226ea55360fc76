"""Raw assets: rows as the publishers sent them, typed, person columns dropped, by month of report.

Belongs here: one asset for each raw table of a study area. Does not: parsing and quarantine
(`sources/`), deduplication and grouping (staging).
"""

import dagster as dg

from htrisk_dagster.defs.fingerprints import MadeFrom
from htrisk_dagster.defs.intake import store_area_table, store_source
from htrisk_dagster.defs.metadata import table_metadata
from htrisk_dagster.defs.partitions import report_months, single_run
from htrisk_dagster.defs.raw_tables import DECLARED, monthly_tables, whole_tables
from htrisk_dagster.defs.retries import passing_faults_retried
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.schemas import raw
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.study_areas.area import StudyArea


def build(area: StudyArea) -> list[dg.AssetsDefinition]:
    """Raw assets of one study area: the tables that it declares, no others."""
    return [
        *(_by_month(area, table, day) for table, day in monthly_tables(area).items()),
        *(_whole(area, table) for table in (*whole_tables(area), *raw.RESTRICTED_TABLES)),
        *(_declared(area, table) for table in DECLARED),
    ]


def _by_month(area: StudyArea, table: Table, day_column: str) -> dg.AssetsDefinition:
    @dg.asset(
        key=[area.name, raw.LAYER, table.name],
        group_name=f"{area.name}_raw",
        partitions_def=report_months(area),
        backfill_policy=single_run(),
        description=f"{table.description} One partition: a month by `{day_column}`.",
        metadata=table_metadata(table),
        kinds={"python", "parquet"},
        tags={"study_area": area.name},
    )
    def monthly(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> dg.MaterializeResult[None]:
        """Read the files of the months once and write a partition a month."""
        months = list(context.partition_keys)
        with passing_faults_retried(context):
            figures = store_source(workspace, area, table, months, day_column, context.log.info)
        return dg.MaterializeResult(metadata=figures)

    return monthly


def _whole(area: StudyArea, table: Table) -> dg.AssetsDefinition:
    # A restricted table has a layer, and so a key, a group and a store, of its own.
    access = {} if table.layer == raw.LAYER else {"access": table.layer}

    @dg.asset(
        key=[area.name, table.layer, table.name],
        group_name=f"{area.name}_{table.layer}",
        description=table.description,
        metadata=table_metadata(table),
        kinds={"python", "parquet"},
        tags={"study_area": area.name, **access},
    )
    def whole(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> dg.MaterializeResult[None]:
        """Read the files and replace the table."""
        with passing_faults_retried(context):
            figures = store_source(workspace, area, table, [], None, context.log.info)
        return dg.MaterializeResult(metadata=figures)

    return whole


def _declared(area: StudyArea, table: Table) -> dg.AssetsDefinition:
    @dg.asset(
        key=[area.name, raw.LAYER, table.name],
        group_name=f"{area.name}_raw",
        description=table.description,
        metadata=table_metadata(table),
        kinds={"python", "parquet"},
        tags={"study_area": area.name},
    )
    def declared(workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult[None]:
        """Write what the study area's file and the holiday library declare."""
        made_from = MadeFrom(workspace, area).declared()
        return dg.MaterializeResult(metadata=store_area_table(workspace, area, table, made_from))

    return declared
