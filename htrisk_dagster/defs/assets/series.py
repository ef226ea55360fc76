"""Assets of area series: counts by period, the coming year, what months are made of, score and plan.

Belongs here: `series/...`. Does not: the steps (`area_series.py`), the methods (`models/series`).
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from htrisk_dagster.defs.metadata import table_metadata
from htrisk_dagster.defs.mlflow_tracking import MlflowTracking
from htrisk_dagster.defs.retries import passing_faults_retried
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.schemas import series, staging
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.study_areas.area import StudyArea

_FORECAST_TABLES = (series.FORECASTS, series.ERRORS)
_DESCRIPTIONS = (series.DECOMPOSITION, series.STATIONARITY, series.AUTOCORRELATION, series.PEAKS)


class StaffingConfig(dg.Config):
    """What a run asks of the plan; without a budget, hours for four fifths of what is expected."""

    budget_hours: float | None = None
    duty_hours: float = 8.0
    reports_an_hour: float = 0.5
    least_duties: int = 0
    most_duties: int = 60


def build(area: StudyArea) -> list[dg.AssetsDefinition]:
    """Series assets of one study area."""
    return [*_counts_and_forecasts(area), *_uses(area)]


def _key(area: StudyArea, table: Table) -> dg.AssetKey:
    return dg.AssetKey([area.name, table.layer, table.name])


def _described(area: StudyArea, table: Table) -> dict[str, Any]:
    return {
        "group_name": f"{area.name}_{table.layer}",
        "description": table.description,
        "metadata": table_metadata(table),
        "tags": {"study_area": area.name},
        "kinds": {"python", "parquet"},
    }


def _specs(area: StudyArea, tables: tuple[Table, ...], *deps: dg.AssetKey) -> list[dg.AssetSpec]:
    return [dg.AssetSpec(_key(area, t), deps=deps, **_described(area, t)) for t in tables]


def _counts_and_forecasts(area: StudyArea) -> list[dg.AssetsDefinition]:
    """What is counted, expected and found in the months."""
    incidents = _key(area, staging.INCIDENTS)

    @dg.asset(
        key=_key(area, series.AREA_PERIODS),
        deps=[incidents],
        **_described(area, series.AREA_PERIODS),
    )
    def area_periods(workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult[None]:
        """Reports by area and day, week and month of occurrence, local time, up to the newest whole day."""
        from htrisk_dagster.defs.area_series import store_area_periods

        return dg.MaterializeResult(metadata=store_area_periods(workspace, area))

    @dg.multi_asset(
        name=f"{area.name}_series_forecasts",
        specs=_specs(area, _FORECAST_TABLES, _key(area, series.AREA_PERIODS)),
    )
    def forecasts(
        context: dg.AssetExecutionContext,
        workspace: dg.ResourceParam[Workspace],
        tracking: dg.ResourceParam[MlflowTracking],
    ) -> Iterator[dg.MaterializeResult[None]]:
        """The coming twelve months by area with 95% bands, and the errors of blind months before."""
        from htrisk_dagster.defs.area_series import store_forecasts

        with passing_faults_retried(context):
            metadata = store_forecasts(workspace, area, tracking, context.run_id)
        for table in _FORECAST_TABLES:
            yield dg.MaterializeResult(asset_key=_key(area, table), metadata=metadata)

    @dg.multi_asset(
        name=f"{area.name}_series_descriptions",
        specs=_specs(area, _DESCRIPTIONS, _key(area, series.AREA_PERIODS), incidents),
    )
    def descriptions(
        workspace: dg.ResourceParam[Workspace],
    ) -> Iterator[dg.MaterializeResult[None]]:
        """Trend, season and rest of months, whether they wander, their memory, and peaks of the clock."""
        from htrisk_dagster.defs.area_series import store_descriptions

        metadata = store_descriptions(workspace, area)
        for table in _DESCRIPTIONS:
            yield dg.MaterializeResult(asset_key=_key(area, table), metadata=metadata)

    return [area_periods, forecasts, descriptions]


def _uses(area: StudyArea) -> list[dg.AssetsDefinition]:
    """What follows from the forecasts."""

    @dg.asset(
        key=_key(area, series.COMPOSITE_RISK),
        deps=[_key(area, series.FORECASTS), _key(area, series.AREA_PERIODS)],
        **_described(area, series.COMPOSITE_RISK),
    )
    def composite_risk(workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult[None]:
        """Areas ranked by expected reports of three months and their momentum, without unit."""
        from htrisk_dagster.defs.area_series import store_composite_risk

        return dg.MaterializeResult(metadata=store_composite_risk(workspace, area))

    @dg.asset(
        key=_key(area, series.STAFFING_PLAN),
        deps=[_key(area, series.FORECASTS), _key(area, staging.INCIDENTS)],
        **_described(area, series.STAFFING_PLAN),
    )
    def staffing_plan(
        config: StaffingConfig, workspace: dg.ResourceParam[Workspace]
    ) -> dg.MaterializeResult[None]:
        """Hours by area and shift in the coming month under a budget, and what they leave unmet."""
        from htrisk_dagster.defs.area_series import store_staffing_plan

        metadata = store_staffing_plan(workspace, area, config.model_dump())
        return dg.MaterializeResult(metadata=metadata)

    return [composite_risk, staffing_plan]
