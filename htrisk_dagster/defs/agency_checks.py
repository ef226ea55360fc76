"""Asset checks of the tables by police agency: those of whole tables block, those of skill warn.

Belongs here: which rule watches which table. Does not: the rules (`evaluation/agency_findings.py`,
`features/input_findings.py`).
"""

from collections.abc import Callable, Iterator

import dagster as dg

from htrisk_dagster.defs.asset_checks import check_result
from htrisk_dagster.defs.table_checks import table_checks
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.schemas import agencies, nibrs, raw
from htrisk_dagster.schemas.finding import Finding
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.study_areas.area import StudyArea
from htrisk_dagster.warehouse.partitions import WHOLE

BLOCKING: dict[Table, tuple[str, ...]] = {
    agencies.STAFFING: ("officers_add_up",),
    agencies.YEARLY_RATES: ("categories_are_within_all",),
    agencies.VOLUME_FORECASTS: ("every_agency_every_day", "intervals_are_nested", "state_is_the_sum"),
    agencies.OFFENCE_MIX: ("probabilities_sum_to_one",),
}  # fmt: skip
"""Table to the names of its rules in `evaluation.agency_findings`."""
WARNING: dict[Table, tuple[str, ...]] = {
    agencies.VOLUME_BACKTEST: ("wape_is_near_its_floor", "level_is_right"),
    agencies.OFFENCE_MIX_COMPARISON: ("classifier_beats_the_prior",),
}


def build(area: StudyArea) -> list[dg.AssetChecksDefinition]:
    """Asset checks of one study area; none where it declares no agencies."""
    if area.agencies is None:
        return []
    return [
        *(_ledger_checks(area, table) for table in nibrs.TABLES),
        *(
            table_checks(area, table, names, rules_of(table, names))
            for table, names in BLOCKING.items()
        ),
        *(_warnings(area, table, names) for table, names in WARNING.items()),
    ]


def rules_of(
    table: Table, names: tuple[str, ...]
) -> Callable[[Workspace, StudyArea], Iterator[tuple[str, Finding]]]:
    """Rules of a table by name, run on it as it is stored."""

    def rules(workspace: Workspace, area: StudyArea) -> Iterator[tuple[str, Finding]]:
        from htrisk_dagster.evaluation import agency_findings

        rows = workspace.tables(area.name).read(table, [WHOLE])
        for name in names:
            yield name, getattr(agency_findings, name)(rows)

    return rules


def _warnings(area: StudyArea, table: Table, names: tuple[str, ...]) -> dg.AssetChecksDefinition:
    key = [area.name, table.layer, table.name]

    @dg.multi_asset_check(
        name=f"{area.name}_{table.name}_checks",
        specs=[dg.AssetCheckSpec(name, asset=key) for name in names],
    )
    def warnings(workspace: dg.ResourceParam[Workspace]) -> Iterator[dg.AssetCheckResult]:
        """The models are as good as can be asked of them."""
        for name, finding in rules_of(table, names)(workspace, area):
            yield check_result(key, name, finding, warn=True)

    return warnings


def _ledger_checks(area: StudyArea, table: Table) -> dg.AssetChecksDefinition:
    key = [area.name, table.layer, table.name]

    @dg.multi_asset_check(
        name=f"{area.name}_{table.name}_intake",
        specs=[
            dg.AssetCheckSpec("rows_are_accounted", asset=key, blocking=True),
            dg.AssetCheckSpec("few_rows_are_refused", asset=key),
        ],
    )
    def ledger_checks(workspace: dg.ResourceParam[Workspace]) -> Iterator[dg.AssetCheckResult]:
        """The ledger of what was read adds up."""
        from htrisk_dagster.features import input_findings as rules

        store = workspace.tables(area.name)
        intake, refused = (store.read(t, [table.name]) for t in (raw.INTAKE, raw.QUARANTINE))
        yield check_result(key, "rows_are_accounted", rules.rows_are_accounted(intake, refused))
        yield check_result(
            key, "few_rows_are_refused", rules.few_rows_are_refused(intake), warn=True
        )

    return ledger_checks
