"""Prediction assets: every model's forecasts, and the champion's risk, by day.

Belongs here: daily partitions of what will be reported where. Does not: forecasting (`models/`),
ranks and bands (`publishing/risk_table.py`).
"""

import dagster as dg

from htrisk_dagster.defs.metadata import table_metadata
from htrisk_dagster.defs.partitions import risk_days, single_run
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.schemas import predictions as tables
from htrisk_dagster.study_areas.area import StudyArea


def build(area: StudyArea) -> list[dg.AssetsDefinition]:
    """Prediction assets of one study area."""
    name = area.name
    days = risk_days(area)
    # A day is forecast by the newest month at or before it; a month's model may serve later days.
    newest_model = dg.TimeWindowPartitionMapping(
        start_offset=-11, allow_nonexistent_upstream_partitions=True
    )

    @dg.asset(
        key=[name, "predictions", "model_forecasts"],
        group_name=f"{name}_predictions",
        partitions_def=days,
        backfill_policy=single_run(),
        deps=[
            [name, "features", "cell_day"],
            dg.AssetDep([name, "models", "champion"], partition_mapping=newest_model),
        ],
        description=tables.MODEL_FORECASTS.description,
        metadata=table_metadata(tables.MODEL_FORECASTS),
        kinds={"python", "parquet"},
        tags={"study_area": name},
    )
    def model_forecasts(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> dg.MaterializeResult[None]:
        """Forecast the days with the newest models trained before each, and seal the forecasts."""
        from htrisk_dagster.defs.forecast import store_forecasts

        days_asked = list(context.partition_keys)
        return dg.MaterializeResult(metadata=store_forecasts(workspace, area, days_asked))

    @dg.asset(
        key=[name, "predictions", "cell_day_risk"],
        group_name=f"{name}_predictions",
        partitions_def=days,
        backfill_policy=single_run(),
        deps=[
            model_forecasts,
            [name, "grid", "cells"],
            dg.AssetDep([name, "models", "champion"], partition_mapping=newest_model),
        ],
        description=tables.CELL_DAY_RISK.description,
        metadata=table_metadata(tables.CELL_DAY_RISK),
        kinds={"python", "parquet"},
        tags={"study_area": name},
    )
    def cell_day_risk(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> dg.MaterializeResult[None]:
        """Turn the champion's forecasts into probability, interval, rank and band."""
        from htrisk_dagster.defs.forecast import map_path, store_risk

        for day, figures in store_risk(workspace, area, list(context.partition_keys)).items():
            link = dg.MetadataValue.path(map_path(workspace, area, day))
            context.add_asset_metadata({**figures, "risk_map": link}, partition_key=day)
        return dg.MaterializeResult()

    @dg.asset(
        key=[name, "predictions", tables.PRECINCT_DAY_RISK.name],
        group_name=f"{name}_predictions",
        partitions_def=days,
        backfill_policy=single_run(),
        deps=[[name, "grid", "cells"], [name, "grid", "incident_cells"]],
        description=tables.PRECINCT_DAY_RISK.description,
        metadata=table_metadata(tables.PRECINCT_DAY_RISK),
        kinds={"python", "parquet"},
        tags={"study_area": name},
    )
    def precinct_day_risk(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> dg.MaterializeResult[None]:
        """Reports a day by precinct of station-house offences, from what the cutoff knew."""
        from htrisk_dagster.defs.precincts import store_precinct_risk

        figures = store_precinct_risk(workspace, area, list(context.partition_keys))
        return dg.MaterializeResult(metadata=figures)

    return [model_forecasts, cell_day_risk, precinct_day_risk]
