"""Blocking checks of one stored table, from rules that read the workspace.

Belongs here: the shape that the checks of whole tables share. Does not: which rule watches which
table (`context_checks.py`, `hot_place_checks.py`, `verified_checks.py`), checks that look at partitions
(`asset_checks.py`).
"""

from collections.abc import Callable, Iterator

import dagster as dg

from htrisk_dagster.defs.asset_checks import check_result
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.schemas.finding import Finding
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.study_areas.area import StudyArea

Rules = Callable[[Workspace, StudyArea], Iterator[tuple[str, Finding]]]


def table_checks(
    area: StudyArea, table: Table, names: tuple[str, ...], rules: Rules
) -> dg.AssetChecksDefinition:
    """Make the checks `names` of a table; `rules` yields each name with what it found."""
    key = [area.name, table.layer, table.name]

    @dg.multi_asset_check(
        name=f"{area.name}_{table.layer}_{table.name}_checks",
        specs=[dg.AssetCheckSpec(name, asset=key, blocking=True) for name in names],
    )
    def checks(workspace: dg.ResourceParam[Workspace]) -> Iterator[dg.AssetCheckResult]:
        """The stored table is whole and means what it says."""
        for name, finding in rules(workspace, area):
            yield check_result(key, name, finding)

    return checks
