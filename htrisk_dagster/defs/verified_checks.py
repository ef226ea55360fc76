"""Asset checks of what leaves the restricted store; all block.

Belongs here: which rule watches which of these assets, and what it is given. Does not: the rules
(`evaluation/verified_findings.py`).
"""

from collections.abc import Iterator

import dagster as dg

from htrisk_dagster.defs.table_checks import table_checks
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.schemas import staging, verified
from htrisk_dagster.schemas.finding import Finding
from htrisk_dagster.study_areas.area import StudyArea


def build(area: StudyArea) -> list[dg.AssetChecksDefinition]:
    """Asset checks of one study area."""
    return [
        table_checks(area, table, names, rules)
        for table, names, rules in (
            (staging.VERIFIED_CASE_COUNTS, ("attacker_recovers_nothing",), _counts),
            (verified.OVERLAY, ("cases_are_those_released",), _overlay),
            (verified.HIT_RATE, ("hits_tell_no_small_count",), _hit_rate),
            (verified.LEAD_TIME, ("leads_stand_beside_chance",), _lead_time),
            (verified.FUNNEL, ("stages_are_nested", "funnel_tells_no_small_count"), _funnel),
        )
    ]


def _counts(workspace: Workspace, area: StudyArea) -> Iterator[tuple[str, Finding]]:
    from htrisk_dagster.evaluation import verified_findings as rules

    counts = workspace.tables(area.name).read(staging.VERIFIED_CASE_COUNTS)
    yield "attacker_recovers_nothing", rules.attacker_recovers_nothing(counts)


def _overlay(workspace: Workspace, area: StudyArea) -> Iterator[tuple[str, Finding]]:
    from htrisk_dagster.evaluation import verified_findings as rules

    store = workspace.tables(area.name)
    overlay, counts = (store.read(t) for t in (verified.OVERLAY, staging.VERIFIED_CASE_COUNTS))
    yield "cases_are_those_released", rules.cases_are_those_released(overlay, counts)


def _hit_rate(workspace: Workspace, area: StudyArea) -> Iterator[tuple[str, Finding]]:
    from htrisk_dagster.evaluation import verified_findings as rules

    hit_rate = workspace.tables(area.name).read(verified.HIT_RATE)
    yield "hits_tell_no_small_count", rules.hits_tell_no_small_count(hit_rate)


def _lead_time(workspace: Workspace, area: StudyArea) -> Iterator[tuple[str, Finding]]:
    from htrisk_dagster.evaluation import verified_findings as rules

    lead_time = workspace.tables(area.name).read(verified.LEAD_TIME)
    yield "leads_stand_beside_chance", rules.leads_stand_beside_chance(lead_time)


def _funnel(workspace: Workspace, area: StudyArea) -> Iterator[tuple[str, Finding]]:
    from htrisk_dagster.evaluation import verified_findings as rules

    funnel = workspace.tables(area.name).read(verified.FUNNEL)
    yield "stages_are_nested", rules.stages_are_nested(funnel)
    yield "funnel_tells_no_small_count", rules.funnel_tells_no_small_count(funnel)
