"""Victim-population assets: CTDC's records, what they say, and the tables that may leave.

Belongs here: case assets, in a group, a store and a folder of their own. Does not: anything about
places; no asset here depends on one there.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg

from htrisk_dagster.defs.metadata import table_metadata
from htrisk_dagster.defs.mlflow_tracking import MlflowTracking
from htrisk_dagster.defs.retries import passing_faults_retried
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.schemas import victim_population as tables
from htrisk_dagster.schemas.table import Table

GROUP = "ctdc_victim_population"
PREFIX = ["ctdc", tables.LAYER]
_RECORDS = (tables.RECORDS, tables.RECODE_COUNTS)
_TRENDS = (
    tables.YEARLY_COUNTS,
    tables.SOURCE_CONTRAST,
    tables.TACTICS,
    tables.FLOWS,
    tables.COUNTRY_PROFILES,
    tables.YEARLY_FORECASTS,
)


def _spec(table: Table, deps: list[Table]) -> dg.AssetSpec:
    return dg.AssetSpec(
        [*PREFIX, table.name],
        deps=[[*PREFIX, d.name] for d in deps],
        group_name=GROUP,
        description=table.description,
        metadata=table_metadata(table),
        kinds={"python", "parquet"},
        tags={"access": "restricted"},
    )


def _shown(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Tables and findings as Markdown, figures files as links."""
    markdown = {"table", "findings", "sizes", "centres"}
    return {
        name: dg.MetadataValue.md(str(value))
        if name in markdown
        else dg.MetadataValue.path(str(value))
        if name in {"heat_map", "folder"}
        else value
        for name, value in figures.items()
    }


@dg.multi_asset(name="ctdc_records", specs=[_spec(t, []) for t in _RECORDS])
def case_records(workspace: dg.ResourceParam[Workspace]) -> Iterator[dg.MaterializeResult[None]]:
    """Read the newest release and recode it by rule; every recode is counted."""
    from htrisk_dagster.defs.case_results import store_records

    figures = store_records(workspace)
    for table in _RECORDS:
        yield dg.MaterializeResult(asset_key=[*PREFIX, table.name], metadata=_shown(figures))


@dg.multi_asset(name="ctdc_trends", specs=[_spec(t, [tables.RECORDS]) for t in _TRENDS])
def case_trends(workspace: dg.ResourceParam[Workspace]) -> Iterator[dg.MaterializeResult[None]]:
    """Counts by year with intervals, tactics, flows, and three years ahead."""
    from htrisk_dagster.defs.case_results import store_trends

    for table, figures in store_trends(workspace).items():
        yield dg.MaterializeResult(asset_key=[*PREFIX, table.name], metadata=_shown(figures))


@dg.multi_asset(name="ctdc_logit", specs=[_spec(tables.LOGIT_COEFFICIENTS, [tables.RECORDS])])
def case_logits(
    context: dg.AssetExecutionContext,
    workspace: dg.ResourceParam[Workspace],
    tracking: dg.ResourceParam[MlflowTracking],
) -> dg.MaterializeResult[None]:
    """Five models, by both recipes and with the data source, and what they extrapolate to."""
    from htrisk_dagster.defs.case_results import extrapolations, store_logits

    with passing_faults_retried(context):
        figures = store_logits(workspace, tracking, context.run.run_id)
    if figures["models"]:
        figures["extrapolation"] = " ".join(e.sentence for e in extrapolations(workspace))
    return dg.MaterializeResult(metadata=_shown(figures))


@dg.asset(
    key=[*PREFIX, "clusters"],
    group_name=GROUP,
    deps=[[*PREFIX, tables.RECORDS.name]],
    description="K-means of case records with the default columns; groups under 11 are not shown.",
    kinds={"scikitlearn"},
    tags={"access": "restricted"},
)
def case_clusters(
    context: dg.AssetExecutionContext,
    workspace: dg.ResourceParam[Workspace],
    tracking: dg.ResourceParam[MlflowTracking],
) -> dg.MaterializeResult[None]:
    """Cluster with the number of clusters of the best silhouette."""
    from htrisk_dagster.defs.case_results import store_clusters

    with passing_faults_retried(context):
        figures = store_clusters(workspace, tracking, context.run.run_id)
    return dg.MaterializeResult(metadata=_shown(figures))


@dg.asset(
    key=[*PREFIX, "published_tables"],
    group_name=GROUP,
    deps=[[*PREFIX, tables.RECORDS.name]],
    description="The count tables that may leave: nothing of 1 to 10, nor what gives it away.",
    kinds={"csv"},
)
def published_tables(workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult[None]:
    """Hide small counts and their complements over all tables together, and write the release."""
    from htrisk_dagster.defs.case_results import store_published

    return dg.MaterializeResult(metadata=_shown(store_published(workspace)))


@dg.asset_check(asset=[*PREFIX, tables.RECODE_COUNTS.name], blocking=True)
def every_recode_is_counted(workspace: dg.ResourceParam[Workspace]) -> dg.AssetCheckResult:
    """For each recoded column the counts add up to the records."""
    from htrisk_dagster.defs.case_results import case_store, records_of

    recodes = case_store(workspace).read(tables.RECODE_COUNTS, ["all"])
    n_records = records_of(workspace).height
    totals = recodes.select("column", "records_count").group_by("column").sum()
    wrong = totals.filter(totals["records_count"] != n_records)["column"].to_list()
    return dg.AssetCheckResult(
        passed=not wrong,
        description=f"Columns whose counts do not add up to {n_records}: {', '.join(wrong) or 'none'}.",
    )


@dg.asset_check(asset=[*PREFIX, "published_tables"], blocking=True)
def attack_recovers_nothing(workspace: dg.ResourceParam[Workspace]) -> dg.AssetCheckResult:
    """Differencing and linear programming over the published files alone find no hidden count."""
    from htrisk_dagster.defs.case_results import read_published
    from htrisk_dagster.victim_population.disclosure_attack import attack

    found = attack(read_published(workspace))
    return dg.AssetCheckResult(
        passed=not found,
        description=f"{len(found)} hidden counts were recovered.",
        metadata={"recovered": len(found)},
    )


JOB = dg.define_asset_job(
    "ctdc_analyse",
    selection=dg.AssetSelection.groups(GROUP),
    executor_def=dg.in_process_executor,
    description="Clean a CTDC release, analyse it, and write the tables that may leave.",
)
ASSETS = [case_records, case_trends, case_logits, case_clusters, published_tables]
CHECKS = [every_recode_is_counted, attack_recovers_nothing]
