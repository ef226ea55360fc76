"""Asset checks of area series; all block.

Belongs here: which rule watches which of these assets, and what it is given. Does not: the rules
(`evaluation/series_findings.py`).
"""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from htrisk_dagster.defs.table_checks import table_checks
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.schemas import series
from htrisk_dagster.schemas.finding import Finding
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.study_areas.area import StudyArea


def build(area: StudyArea) -> list[dg.AssetChecksDefinition]:
    """Asset checks of one study area."""
    return [
        table_checks(area, table, names, rules)
        for table, names, rules in (
            (series.AREA_PERIODS, ("calendars_are_whole", "areas_sum_to_total"), _periods),
            (series.FORECASTS, ("bands_hold_the_forecast", "forecasts_are_fresh"), _forecasts),
            (series.DECOMPOSITION, ("parts_give_the_rate",), _decomposition),
            (series.COMPOSITE_RISK, ("ranks_stand_with_their_sensitivity",), _composite),
            (series.STAFFING_PLAN, ("plan_adds_up",), _plan),
        )
    ]


def _read(workspace: Workspace, area: StudyArea, table: Table) -> pl.DataFrame:
    return workspace.tables(area.name).read(table)


def _periods(workspace: Workspace, area: StudyArea) -> Iterator[tuple[str, Finding]]:
    from htrisk_dagster.evaluation import series_findings as rules

    periods = _read(workspace, area, series.AREA_PERIODS)
    yield "calendars_are_whole", rules.calendars_are_whole(periods)
    yield "areas_sum_to_total", rules.areas_sum_to_total(periods)


def _forecasts(workspace: Workspace, area: StudyArea) -> Iterator[tuple[str, Finding]]:
    from htrisk_dagster.evaluation import series_findings as rules

    forecasts = _read(workspace, area, series.FORECASTS)
    periods = _read(workspace, area, series.AREA_PERIODS)
    yield "bands_hold_the_forecast", rules.bands_hold_the_forecast(forecasts)
    yield "forecasts_are_fresh", rules.forecasts_are_fresh(forecasts, periods)


def _decomposition(workspace: Workspace, area: StudyArea) -> Iterator[tuple[str, Finding]]:
    from htrisk_dagster.evaluation import series_findings as rules

    parts = _read(workspace, area, series.DECOMPOSITION)
    yield "parts_give_the_rate", rules.parts_give_the_rate(parts)


def _composite(workspace: Workspace, area: StudyArea) -> Iterator[tuple[str, Finding]]:
    from htrisk_dagster.evaluation import series_findings as rules

    composite = _read(workspace, area, series.COMPOSITE_RISK)
    found = rules.ranks_stand_with_their_sensitivity(composite)
    yield "ranks_stand_with_their_sensitivity", found


def _plan(workspace: Workspace, area: StudyArea) -> Iterator[tuple[str, Finding]]:
    from htrisk_dagster.evaluation import series_findings as rules

    yield "plan_adds_up", rules.plan_adds_up(_read(workspace, area, series.STAFFING_PLAN))
