"""Assets of area series: counts by period, what months are made of, what is to come, score and plan.

Belongs here: `series/...`. Does not: the steps (`area_series.py`, `series_outlook.py`, `series_plans.py`),
the methods (`models/series`).

What is forecast, and what follows from it, is partitioned by the month in which it is made. Counts and
descriptions are not: they are of the whole history, and each new month replaces all of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from htrisk_dagster.defs.metadata import table_metadata
from htrisk_dagster.defs.mlflow_tracking import MlflowTracking
from htrisk_dagster.defs.partitions import single_run, training_months
from htrisk_dagster.defs.retries import passing_faults_retried
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.schemas import series, staging
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.study_areas.area import StudyArea

_DESCRIPTIONS = (series.DECOMPOSITION, series.STATIONARITY, series.AUTOCORRELATION, series.PEAKS)
ByMonth = Mapping[str, Mapping[str, Any]]


class StaffingConfig(dg.Config):
    """What a run asks of the plan; without a budget, hours for four fifths of what is expected."""

    budget_hours: float | None = None
    duty_hours: float = 8.0
    reports_an_hour: float = 0.5
    least_duties: int = 0
    most_duties: int = 60


def build(area: StudyArea) -> list[dg.AssetsDefinition]:
    """Series assets of one study area."""
    return [
        *_history(area),
        *(_forecasts(area, frequency) for frequency in series.FORECAST_TABLES),
        _weekly_lstm(area),
        *_uses(area),
    ]


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


def _by_month(area: StudyArea) -> dict[str, Any]:
    return {"partitions_def": training_months(area), "backfill_policy": single_run()}


def _told(
    context: dg.AssetExecutionContext, keys: Sequence[dg.AssetKey], figures: ByMonth
) -> Iterator[dg.MaterializeResult[None]]:
    """Each month's figures at its own partition."""
    for key in keys:
        for month, found in figures.items():
            context.add_asset_metadata(found, asset_key=key, partition_key=month)
        yield dg.MaterializeResult(asset_key=key)


def _history(area: StudyArea) -> list[dg.AssetsDefinition]:
    """What is counted, and what is found in the months."""
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

    return [area_periods, descriptions]


def _forecasts(area: StudyArea, frequency: series.Frequency) -> dg.AssetsDefinition:
    """The coming periods of one length, with the errors of blind ones before."""
    tables = series.FORECAST_TABLES[frequency]

    @dg.multi_asset(
        name=f"{area.name}_series_{tables[0].name}",
        specs=_specs(area, tables, _key(area, series.AREA_PERIODS), _key(area, staging.INCIDENTS)),
        **_by_month(area),
    )
    def forecasts(
        context: dg.AssetExecutionContext,
        workspace: dg.ResourceParam[Workspace],
        tracking: dg.ResourceParam[MlflowTracking],
    ) -> Iterator[dg.MaterializeResult[None]]:
        """Coming periods by area with 95% bands, from what was reported by the month's eighth day."""
        from htrisk_dagster.defs.series_outlook import store_forecasts

        months, run = list(context.partition_keys), context.run_id
        with passing_faults_retried(context):
            figures = store_forecasts(workspace, area, tracking, frequency, months, run_id=run)
        yield from _told(context, [_key(area, t) for t in tables], figures)

    return forecasts


def _weekly_lstm(area: StudyArea) -> dg.AssetsDefinition:
    before = (_key(area, series.AREA_PERIODS), _key(area, staging.INCIDENTS))
    (spec,) = _specs(area, (series.WEEKLY_LSTM,), *before)

    @dg.multi_asset(
        name=f"{area.name}_series_weekly_lstm",
        specs=[spec.replace_attributes(kinds={"pytorch", "parquet"})],
        pool="htrisk_training",
        **_by_month(area),
    )
    def weekly_lstm(
        context: dg.AssetExecutionContext,
        workspace: dg.ResourceParam[Workspace],
        tracking: dg.ResourceParam[MlflowTracking],
    ) -> Iterator[dg.MaterializeResult[None]]:
        """Train one LSTM on the weeks of all areas, keep its weights, and forecast the coming year."""
        from htrisk_dagster.defs.series_outlook import store_weekly_lstm

        months, run = list(context.partition_keys), context.run_id
        with passing_faults_retried(context):
            figures = store_weekly_lstm(workspace, area, tracking, months, run_id=run)
        yield from _told(context, [_key(area, series.WEEKLY_LSTM)], figures)

    return weekly_lstm


def _uses(area: StudyArea) -> list[dg.AssetsDefinition]:
    """What follows from the forecasts of months."""

    @dg.asset(
        key=_key(area, series.COMPOSITE_RISK),
        deps=[_key(area, series.FORECASTS), _key(area, staging.INCIDENTS)],
        **_by_month(area),
        **_described(area, series.COMPOSITE_RISK),
    )
    def composite_risk(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> Iterator[dg.MaterializeResult[None]]:
        """Areas ranked by expected reports of three months and their momentum, without unit."""
        from htrisk_dagster.defs.series_plans import store_composite_risk

        figures = store_composite_risk(workspace, area, list(context.partition_keys))
        yield from _told(context, [_key(area, series.COMPOSITE_RISK)], figures)

    @dg.asset(
        key=_key(area, series.STAFFING_PLAN),
        deps=[_key(area, series.FORECASTS), _key(area, staging.INCIDENTS)],
        **_by_month(area),
        **_described(area, series.STAFFING_PLAN),
    )
    def staffing_plan(
        context: dg.AssetExecutionContext,
        config: StaffingConfig,
        workspace: dg.ResourceParam[Workspace],
    ) -> Iterator[dg.MaterializeResult[None]]:
        """Hours by area and shift in the coming month under a budget, and what they leave unmet."""
        from htrisk_dagster.defs.series_plans import store_staffing_plan

        months, asked = list(context.partition_keys), config.model_dump()
        figures = store_staffing_plan(workspace, area, months, asked)
        yield from _told(context, [_key(area, series.STAFFING_PLAN)], figures)

    return [composite_risk, staffing_plan]
