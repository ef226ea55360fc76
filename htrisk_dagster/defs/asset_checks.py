"""Asset checks: rules of the science run on what has just been written.

Blocking where wrong data would go on. https://docs.dagster.io/guides/test/asset-checks

Belongs here: which rule watches which asset, and what it is given. Does not: the rules
(`features/input_findings.py`, `hotspots/gi_star_findings.py`, `evaluation/drift_findings.py`,
`publishing/risk_findings.py`), dbt's tests (checks by themselves).
"""

import shutil
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from tempfile import TemporaryDirectory

import dagster as dg
from dagster_duckdb import DuckDBResource

from htrisk_dagster.defs.partitions import DAYS_SEEN
from htrisk_dagster.defs.raw_tables import monthly_tables, whole_tables
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.errors import MissingPartitionError
from htrisk_dagster.schemas import grid, hotspots, predictions, raw, staging
from htrisk_dagster.schemas.finding import Finding
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.study_areas.area import StudyArea

RISK_RULES = (
    "schema",
    "every_cell_every_day",
    "probabilities_in_0_1",
    "cells_in_area",
    "sum_near_recent_totals",
    "catalog_shows_every_row",
)


def build(area: StudyArea) -> list[dg.AssetChecksDefinition]:
    """Asset checks of one study area."""
    return [
        *(
            _intake_checks(area, table.name)
            for table in (*monthly_tables(area), *whole_tables(area))
        ),
        _incident_checks(area),
        *(_gi_star_checks(area, table) for table in hotspots.TABLES),
        _feature_checks(area),
        _risk_checks(area),
        _drift_checks(area),
    ]


def _intake_checks(area: StudyArea, table: str) -> dg.AssetChecksDefinition:
    key = [area.name, raw.LAYER, table]

    @dg.multi_asset_check(
        name=f"{area.name}_{table}_intake",
        specs=[
            dg.AssetCheckSpec("rows_are_accounted", asset=key, blocking=True),
            dg.AssetCheckSpec("few_rows_are_refused", asset=key),
            dg.AssetCheckSpec("columns_are_as_published", asset=key),
        ],
    )
    def intake_checks(workspace: dg.ResourceParam[Workspace]) -> Iterator[dg.AssetCheckResult]:
        """The ledger of what was read adds up."""
        from htrisk_dagster.features import input_findings as rules

        store = workspace.tables(area.name)
        intake, refused = (store.read(t, [table]) for t in (raw.INTAKE, raw.QUARANTINE))
        yield check_result(key, "rows_are_accounted", rules.rows_are_accounted(intake, refused))
        yield check_result(
            key, "few_rows_are_refused", rules.few_rows_are_refused(intake), warn=True
        )
        yield check_result(
            key, "columns_are_as_published", rules.columns_are_as_published(intake), warn=True
        )

    return intake_checks


def _incident_checks(area: StudyArea) -> dg.AssetChecksDefinition:
    key = [area.name, grid.LAYER, "incident_cells"]

    @dg.multi_asset_check(
        name=f"{area.name}_incident_cells_checks",
        specs=[dg.AssetCheckSpec("incidents_are_placed", asset=key, blocking=True)],
    )
    def incident_checks(workspace: dg.ResourceParam[Workspace]) -> Iterator[dg.AssetCheckResult]:
        """Most incidents have a cell."""
        from htrisk_dagster.features import input_findings as rules

        incidents = workspace.tables(area.name).read(grid.INCIDENT_CELLS)
        yield check_result(key, "incidents_are_placed", rules.incidents_are_placed(incidents))

    return incident_checks


def _gi_star_checks(area: StudyArea, table: Table) -> dg.AssetChecksDefinition:
    key = [area.name, hotspots.LAYER, table.name]
    has_weeks = table is hotspots.CELL_WEEK_GI_STAR
    names = ["schema", "every_cell_once", *(["z_is_finite_or_missing"] if has_weeks else [])]

    @dg.multi_asset_check(
        name=f"{area.name}_{table.name}_checks",
        specs=[dg.AssetCheckSpec(name, asset=key, blocking=True) for name in names],
    )
    def gi_star_checks(workspace: dg.ResourceParam[Workspace]) -> Iterator[dg.AssetCheckResult]:
        """Every cell is there once, with finite numbers and labels of the closed lists."""
        from htrisk_dagster.hotspots import gi_star_findings as rules

        store = workspace.tables(area.name)
        rows = store.read(table, ["all"])
        n_cells = store.read(grid.CELLS, ["all"]).height
        yield check_result(key, "schema", rules.schema_holds(rows, table))
        yield check_result(key, "every_cell_once", rules.every_cell_once(rows, table, n_cells))
        if has_weeks:
            yield check_result(key, "z_is_finite_or_missing", rules.z_is_finite_or_missing(rows))

    return gi_star_checks


def _feature_checks(area: StudyArea) -> dg.AssetChecksDefinition:
    key = [area.name, "features", "cell_day"]

    @dg.multi_asset_check(
        name=f"{area.name}_cell_day_checks",
        specs=[
            dg.AssetCheckSpec("features_are_whole", asset=key, blocking=True),
            dg.AssetCheckSpec("reports_are_fresh", asset=key, blocking=True),
            dg.AssetCheckSpec("sources_still_report", asset=key),
        ],
    )
    def feature_checks(
        context: dg.AssetCheckExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> Iterator[dg.AssetCheckResult]:
        """Features are complete, and the reports behind the newest day are recent."""
        from htrisk_dagster.defs.featured import features_table, inputs_until, read_parts
        from htrisk_dagster.features import input_findings as rules
        from htrisk_dagster.features.inputs import newest_report

        days = days_to_check(context, workspace.tables(area.name).keys(features_table(area)))
        inputs = inputs_until(workspace, area, date.fromisoformat(days[-1]))
        cutoff = date.fromisoformat(days[-1]) - timedelta(days=inputs.lag_days)
        newest = newest_report(inputs, before=cutoff)
        n_cells = inputs.grid.n_cells
        whole = rules.features_are_whole(read_parts(workspace, area, days, n_cells), n_cells)
        fresh = rules.reports_are_fresh(newest, cutoff)
        yield check_result(key, "features_are_whole", whole, days=days)
        yield check_result(key, "reports_are_fresh", fresh, days=days)
        reports = workspace.tables(area.name).read(staging.INCIDENTS)
        speaking = rules.sources_still_report(reports, cutoff)
        yield check_result(key, "sources_still_report", speaking, warn=True, days=days)

    return feature_checks


def _risk_checks(area: StudyArea) -> dg.AssetChecksDefinition:
    key = [area.name, "predictions", "cell_day_risk"]

    @dg.multi_asset_check(
        name=f"{area.name}_cell_day_risk_checks",
        specs=[dg.AssetCheckSpec(rule, asset=key, blocking=True) for rule in RISK_RULES],
    )
    def risk_checks(
        context: dg.AssetCheckExecutionContext,
        workspace: dg.ResourceParam[Workspace],
        duckdb: DuckDBResource,
    ) -> Iterator[dg.AssetCheckResult]:
        """Risk is complete, legal, inside the area and of a credible size."""
        from htrisk_dagster.defs.featured import inputs_until
        from htrisk_dagster.features.inputs import recent_daily_mean
        from htrisk_dagster.publishing import risk_findings as rules

        store = workspace.tables(area.name)
        days = days_to_check(context, store.keys(predictions.CELL_DAY_RISK))
        risk = store.read(predictions.CELL_DAY_RISK, days)
        cells = store.read(grid.CELLS, ["all"])
        first = date.fromisoformat(days[0])
        recent = recent_daily_mean(inputs_until(workspace, area, first), first)
        findings = (
            rules.schema_holds(risk),
            rules.every_cell_every_day(risk, cells.height),
            rules.probabilities_are_open(risk),
            rules.cells_are_in_area(risk, cells, area.bounding_box),
            rules.sum_is_near_recent_totals(risk, recent),
            rules.catalog_agrees(risk, _rows_in_catalog(duckdb, area, days)),
        )
        for rule, finding in zip(RISK_RULES, findings, strict=True):
            yield check_result(key, rule, finding, days=days)

    return risk_checks


def _drift_checks(area: StudyArea) -> dg.AssetChecksDefinition:
    key = [area.name, predictions.DRIFT.layer, predictions.DRIFT.name]

    @dg.multi_asset_check(
        name=f"{area.name}_drift_checks",
        specs=[
            dg.AssetCheckSpec("inputs_have_not_drifted", asset=key),
            dg.AssetCheckSpec("calibration_has_not_drifted", asset=key),
        ],
    )
    def drift_checks(workspace: dg.ResourceParam[Workspace]) -> Iterator[dg.AssetCheckResult]:
        """The newest days are still those that the champion was made for."""
        from htrisk_dagster.evaluation import drift_findings as rules

        drift = workspace.tables(area.name).read(predictions.DRIFT)
        yield check_result(key, "inputs_have_not_drifted", rules.inputs_hold(drift), warn=True)
        yield check_result(
            key, "calibration_has_not_drifted", rules.calibration_holds(drift), warn=True
        )

    return drift_checks


def _rows_in_catalog(duckdb: DuckDBResource, area: StudyArea, days: list[str]) -> int:
    # As an analyst would ask, through the views of the catalog; of a copy, because DuckDB's lock on the
    # file would keep him out for as long, or he the check.
    query = (
        "select count(*) from predictions.cell_day_risk "
        "where area = ? and risk_on between cast(? as date) and cast(? as date)"
    )
    with TemporaryDirectory() as folder:
        copy = DuckDBResource(
            database=shutil.copy(duckdb.database, folder),
            connection_config=duckdb.connection_config,
        )
        with copy.get_connection() as connection:
            row = connection.execute(query, [area.name, days[0], days[-1]]).fetchall()[0]
    return int(row[0])


def days_to_check(context: dg.AssetCheckExecutionContext, stored: list[str]) -> list[str]:
    """Days of the run, or the newest day stored where the UI runs a check by itself."""
    run = context.op_execution_context
    if run.has_partition_key or run.has_partition_key_range:
        return sorted(context.partition_keys)
    if not stored:
        raise MissingPartitionError(
            "There is no day to check yet. Materialise the asset for a day first."
        )
    return stored[-1:]


def check_result(
    key: list[str],
    rule: str,
    finding: Finding,
    *,
    warn: bool = False,
    days: Sequence[str] = (),
) -> dg.AssetCheckResult:
    """Finding of one rule as Dagster takes it, with the days that were looked at."""
    # A refusal holds for the days that were looked at, until a check passes them.
    seen = {DAYS_SEEN: f"{days[0]} to {days[-1]}"} if days else {}
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=rule,
        passed=finding.holds,
        severity=dg.AssetCheckSeverity.WARN if warn else dg.AssetCheckSeverity.ERROR,
        description=finding.sentence,
        metadata={**finding.figures, **seen},
    )
