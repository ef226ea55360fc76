"""Asset checks of the forecast by precinct; all block.

Belongs here: which rule watches it, and what it is given. Does not: the rules
(`evaluation/precinct_findings.py`).
"""

from collections.abc import Iterator

import dagster as dg

from htrisk_dagster.defs.asset_checks import check_result, days_to_check
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.schemas import grid, predictions
from htrisk_dagster.study_areas.area import StudyArea

_TABLE = predictions.PRECINCT_DAY_RISK
_RULES = ("every_precinct_every_group", "sums_are_near_recent_reports")


def build(area: StudyArea) -> list[dg.AssetChecksDefinition]:
    """Asset checks of one study area."""
    key = [area.name, _TABLE.layer, _TABLE.name]

    @dg.multi_asset_check(
        name=f"{area.name}_precinct_day_risk_checks",
        specs=[dg.AssetCheckSpec(rule, asset=key, blocking=True) for rule in _RULES],
    )
    def precinct_checks(
        context: dg.AssetCheckExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> Iterator[dg.AssetCheckResult]:
        """Every precinct is there, and the sums are credible."""
        from htrisk_dagster.defs.precincts import known_on
        from htrisk_dagster.evaluation import precinct_findings as rules

        store = workspace.tables(area.name)
        days = days_to_check(context, store.keys(_TABLE))
        risk = store.read(_TABLE, days)
        known = known_on(workspace, area, days[-1])
        recent = {
            group: float(counts.sum(axis=1).mean())
            for group, counts in (known.counts if known else {}).items()
        }
        findings = (
            rules.every_precinct_every_group(risk, set(store.read(grid.CELLS)["precinct"])),
            rules.sums_are_near_recent_reports(risk, recent),
        )
        for rule, finding in zip(_RULES, findings, strict=True):
            yield check_result(key, rule, finding, days=days)

    return [precinct_checks]
