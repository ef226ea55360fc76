"""Assets by police agency: NIBRS deliveries, officers, rates, volume and the offence mix.

Belongs here: one asset for each table of `nibrs` and `agencies`, in two groups, for any area that
declares agencies. Does not: reading (`sources/`), methods (`features/`, `models/`, `evaluation/`), the
steps (`agency_results.py`).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import dagster as dg

from htrisk_dagster.defs.metadata import table_metadata
from htrisk_dagster.defs.mlflow_tracking import MlflowTracking
from htrisk_dagster.defs.retries import passing_faults_retried
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.schemas import agencies, nibrs
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.study_areas.area import StudyArea

Figures = Mapping[Table, Mapping[str, Any]]


def build(area: StudyArea) -> list[dg.AssetsDefinition]:
    """Assets of one study area; none where it declares no agencies."""
    if area.agencies is None:
        return []
    return [_delivered(area), _force(area), _volume(area), _mix(area)]


def _delivered(area: StudyArea) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name=f"{area.name}_nibrs", specs=_specs(area, nibrs.TABLES, (), {"python", "parquet"})
    )
    def delivered(workspace: dg.ResourceParam[Workspace]) -> Iterator[dg.MaterializeResult[None]]:
        """Read every delivery in the data folder, zipped or not; each row is kept or refused."""
        from htrisk_dagster.defs.agency_results import store_deliveries

        yield from _results(area, store_deliveries(workspace, area))

    return delivered


def _force(area: StudyArea) -> dg.AssetsDefinition:
    tables = (agencies.STAFFING, agencies.YEARLY_RATES, agencies.OFFICER_TRENDS)

    @dg.multi_asset(
        name=f"{area.name}_agency_force",
        specs=_specs(area, tables, nibrs.TABLES, {"python", "parquet"}),
    )
    def force(workspace: dg.ResourceParam[Workspace]) -> Iterator[dg.MaterializeResult[None]]:
        """Officers by sex and year, carried where a year has none, and incidents to residents."""
        from htrisk_dagster.defs.agency_results import store_force

        yield from _results(area, store_force(workspace, area))

    return force


def _volume(area: StudyArea) -> dg.AssetsDefinition:
    tables = (agencies.VOLUME_FORECASTS, agencies.VOLUME_BACKTEST)
    return _learnt(area, "agency_volume", tables, "store_volume", "Thirty days ahead, blind.")


def _mix(area: StudyArea) -> dg.AssetsDefinition:
    tables = (agencies.OFFENCE_MIX, agencies.OFFENCE_MIX_COMPARISON)
    return _learnt(area, "agency_mix", tables, "store_mix", "Offence mix by place and time.")


def _learnt(
    area: StudyArea, name: str, tables: tuple[Table, ...], step: str, title: str
) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name=f"{area.name}_{name}",
        specs=_specs(area, tables, nibrs.TABLES, {"lightgbm", "parquet"}),
        description=title,
    )
    def learnt(
        context: dg.AssetExecutionContext,
        workspace: dg.ResourceParam[Workspace],
        tracking: dg.ResourceParam[MlflowTracking],
    ) -> Iterator[dg.MaterializeResult[None]]:
        """Learn from what occurred, judge on later days, store tables and model, log to MLflow."""
        from htrisk_dagster.defs import agency_results

        store: Callable[..., Figures] = getattr(agency_results, step)
        with passing_faults_retried(context):
            figures = store(workspace, area, tracking, context.run.run_id)
        yield from _results(area, figures)

    return learnt


def _specs(
    area: StudyArea, tables: tuple[Table, ...], deps: tuple[Table, ...], kinds: set[str]
) -> list[dg.AssetSpec]:
    return [
        dg.AssetSpec(
            _key(area, table),
            deps=[_key(area, dep) for dep in deps],
            group_name=f"{area.name}_{table.layer}",
            description=table.description,
            metadata=table_metadata(table),
            kinds=kinds,
            tags={"study_area": area.name},
        )
        for table in tables
    ]


def _key(area: StudyArea, table: Table) -> list[str]:
    return [area.name, table.layer, table.name]


def _results(area: StudyArea, figures: Figures) -> Iterator[dg.MaterializeResult[None]]:
    for table, found in figures.items():
        yield dg.MaterializeResult(asset_key=_key(area, table), metadata=dict(found))
