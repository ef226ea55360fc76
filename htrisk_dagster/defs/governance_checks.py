"""Asset checks of documents and of releases: without them nothing is published. All block but one.

Belongs here: which rule watches which document, and what it is given. Does not: the rules
(`evaluation/fairness_findings.py`, `publishing`).
"""

from collections.abc import Callable, Iterator

import dagster as dg
import polars as pl

from htrisk_dagster.defs.asset_checks import check_result, days_to_check
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.errors import MissingPartitionError
from htrisk_dagster.schemas import governance
from htrisk_dagster.schemas.finding import Finding
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.study_areas.area import StudyArea

LOOP_ALARM = "weighted_loop_is_damped"
Rules = Callable[[pl.DataFrame], Iterator[tuple[str, Finding]]]


def build(area: StudyArea) -> list[dg.AssetChecksDefinition]:
    """Asset checks of one study area."""
    return [
        *(
            _document_checks(area, table, names, rules)
            for table, names, rules in (
                (governance.MODEL_CARD, ("sections_are_there",), _model_card),
                (governance.DATA_SHEET, ("sections_are_there",), _data_sheet),
                (
                    governance.FAIRNESS,
                    ("groups_are_whole", "fairness_tells_no_small_count"),
                    _fairness,
                ),
                (governance.FEEDBACK_LOOP, ("loop_is_watched", LOOP_ALARM), _feedback),
            )
        ),
        _canary_checks(area),
        _release_checks(area),
    ]


def _document_checks(
    area: StudyArea, table: Table, names: tuple[str, ...], rules: Rules
) -> dg.AssetChecksDefinition:
    key = [area.name, table.layer, table.name]

    @dg.multi_asset_check(
        name=f"{area.name}_{table.name}_checks",
        specs=[dg.AssetCheckSpec(name, asset=key, blocking=name != LOOP_ALARM) for name in names],
    )
    def checks(
        context: dg.AssetCheckExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> Iterator[dg.AssetCheckResult]:
        """The document of the month is whole and means what it says."""
        store = workspace.tables(area.name)
        run = context.op_execution_context
        months = [context.partition_key] if run.has_partition_key else store.keys(table)[-1:]
        if not months:
            raise MissingPartitionError(
                f"There is no month of {table.full_name} to check yet. Materialise one first."
            )
        for name, finding in rules(store.read(table, months)):
            yield check_result(key, name, finding, warn=name == LOOP_ALARM)

    return checks


def _model_card(card: pl.DataFrame) -> Iterator[tuple[str, Finding]]:
    from htrisk_dagster.publishing import document_text, model_card

    found = document_text.sections_are_there(card, governance.MODEL_CARD, model_card.SECTIONS)
    yield "sections_are_there", found


def _data_sheet(sheet: pl.DataFrame) -> Iterator[tuple[str, Finding]]:
    from htrisk_dagster.publishing import data_sheet, document_text

    found = document_text.sections_are_there(sheet, governance.DATA_SHEET, data_sheet.SECTIONS)
    yield "sections_are_there", found


def _fairness(fairness: pl.DataFrame) -> Iterator[tuple[str, Finding]]:
    from htrisk_dagster.evaluation import fairness_findings as rules

    yield "groups_are_whole", rules.groups_are_whole(fairness)
    yield "fairness_tells_no_small_count", rules.fairness_tells_no_small_count(fairness)


def _feedback(feedback: pl.DataFrame) -> Iterator[tuple[str, Finding]]:
    from htrisk_dagster.evaluation import fairness_findings as rules

    yield "loop_is_watched", rules.loop_is_watched(feedback)
    yield LOOP_ALARM, rules.weighted_loop_is_damped(feedback)


def _canary_checks(area: StudyArea) -> dg.AssetChecksDefinition:
    key = [area.name, governance.LAYER, governance.CANARY_SEARCH.name]

    @dg.multi_asset_check(
        name=f"{area.name}_canary_search_checks",
        specs=[dg.AssetCheckSpec("canary_is_nowhere", asset=key, blocking=True)],
    )
    def canary_checks(
        context: dg.AssetCheckExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> Iterator[dg.AssetCheckResult]:
        """The planted case is in its store and in nothing that people are given."""
        from htrisk_dagster.publishing.canary_search import canary_is_nowhere

        store = workspace.tables(area.name)
        days = days_to_check(context, store.keys(governance.CANARY_SEARCH))
        found = canary_is_nowhere(store.read(governance.CANARY_SEARCH, days))
        yield check_result(key, "canary_is_nowhere", found, days=days)

    return canary_checks


def _release_checks(area: StudyArea) -> dg.AssetChecksDefinition:
    key = [area.name, "publishing", "released_map"]

    @dg.multi_asset_check(
        name=f"{area.name}_released_map_checks",
        specs=[
            dg.AssetCheckSpec(name, asset=key, blocking=True)
            for name in ("dossier_is_whole", "only_reviewed_maps_are_out")
        ],
    )
    def release_checks(
        context: dg.AssetCheckExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> Iterator[dg.AssetCheckResult]:
        """Every document of the day is there, and what lies among the released maps may lie there."""
        from htrisk_dagster.defs import released

        days = days_to_check(context, released.mapped_days(workspace, area))
        whole = released.dossiers_are_whole(workspace, area, days)
        yield check_result(key, "dossier_is_whole", whole, days=days)
        out = released.only_reviewed_maps_are_out(workspace, area)
        yield check_result(key, "only_reviewed_maps_are_out", out, days=days)

    return release_checks
