"""Asset checks of area series; all block.

Belongs here: which rule watches which of these assets, and what it is given. Does not: the rules
(`evaluation/series_findings.py`).
"""

from collections.abc import Callable, Iterator, Mapping

import dagster as dg

from htrisk_dagster.defs.asset_checks import check_result, days_to_check
from htrisk_dagster.defs.table_checks import table_checks
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.schemas import series
from htrisk_dagster.schemas.finding import Finding
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.study_areas.area import StudyArea
from htrisk_dagster.warehouse.partitions import WHOLE

Rules = Callable[[Workspace, StudyArea, Table, str], Mapping[str, Finding]]


def build(area: StudyArea) -> list[dg.AssetChecksDefinition]:
    """Asset checks of one study area."""
    of_forecasts = ("bands_hold_the_forecast", "forecasts_are_fresh")
    return [
        *(
            table_checks(area, table, names, rules)
            for table, names, rules in (
                (series.AREA_PERIODS, ("calendars_are_whole", "areas_sum_to_total"), _periods),
                (series.DECOMPOSITION, ("parts_give_the_rate",), _decomposition),
            )
        ),
        *(
            _monthly_checks(area, table, names, rules)
            for table, names, rules in (
                (series.FORECASTS, of_forecasts, _forecasts),
                (series.WEEK_FORECASTS, of_forecasts, _forecasts),
                (series.DAY_FORECASTS, of_forecasts, _forecasts),
                (series.WEEKLY_LSTM, ("lstm_stays_near_last_year",), _weekly_lstm),
                (series.COMPOSITE_RISK, ("ranks_stand_with_their_sensitivity",), _composite),
                (series.STAFFING_PLAN, ("plan_adds_up",), _plan),
            )
        ),
    ]


def _monthly_checks(
    area: StudyArea, table: Table, names: tuple[str, ...], rules: Rules
) -> dg.AssetChecksDefinition:
    """Checks of the partitions of a run; the first month that fails speaks for all."""
    key = [area.name, table.layer, table.name]

    @dg.multi_asset_check(
        name=f"{area.name}_{table.layer}_{table.name}_checks",
        specs=[dg.AssetCheckSpec(name, asset=key, blocking=True) for name in names],
    )
    def checks(
        context: dg.AssetCheckExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> Iterator[dg.AssetCheckResult]:
        """What is forecast means what it says."""
        months = days_to_check(context, workspace.tables(area.name).keys(table))
        found = [rules(workspace, area, table, month) for month in months]
        for name in names:
            failed = (f[name] for f in found if not f[name].holds)
            yield check_result(key, name, next(failed, found[-1][name]), days=months)

    return checks


def _periods(workspace: Workspace, area: StudyArea) -> Iterator[tuple[str, Finding]]:
    from htrisk_dagster.evaluation import series_findings as rules

    periods = workspace.tables(area.name).read(series.AREA_PERIODS, [WHOLE])
    yield "calendars_are_whole", rules.calendars_are_whole(periods)
    yield "areas_sum_to_total", rules.areas_sum_to_total(periods)


def _decomposition(workspace: Workspace, area: StudyArea) -> Iterator[tuple[str, Finding]]:
    from htrisk_dagster.evaluation import series_findings as rules

    parts = workspace.tables(area.name).read(series.DECOMPOSITION, [WHOLE])
    yield "parts_give_the_rate", rules.parts_give_the_rate(parts)


def _forecasts(
    workspace: Workspace, area: StudyArea, table: Table, month: str
) -> Mapping[str, Finding]:
    from htrisk_dagster.defs.series_outlook import known_before
    from htrisk_dagster.evaluation import series_findings as rules

    store = workspace.tables(area.name)
    forecasts = store.read(table, [month])
    frequency = next(f for f, tables in series.FORECAST_TABLES.items() if tables[0] is table)
    periods = store.read(series.AREA_PERIODS, [WHOLE]).filter(frequency=frequency)
    return {
        "bands_hold_the_forecast": rules.bands_hold_the_forecast(forecasts),
        "forecasts_are_fresh": rules.forecasts_are_fresh(
            forecasts,
            periods,
            frequency=frequency,
            known_before=known_before(area, month),
        ),
    }


def _weekly_lstm(
    workspace: Workspace, area: StudyArea, table: Table, month: str
) -> Mapping[str, Finding]:
    from htrisk_dagster.evaluation import series_findings as rules

    rows = workspace.tables(area.name).read(table, [month])
    return {"lstm_stays_near_last_year": rules.lstm_stays_near_last_year(rows)}


def _composite(
    workspace: Workspace, area: StudyArea, table: Table, month: str
) -> Mapping[str, Finding]:
    from htrisk_dagster.evaluation import series_findings as rules

    found = rules.ranks_stand_with_their_sensitivity(
        workspace.tables(area.name).read(table, [month])
    )
    return {"ranks_stand_with_their_sensitivity": found}


def _plan(workspace: Workspace, area: StudyArea, table: Table, month: str) -> Mapping[str, Finding]:
    from htrisk_dagster.evaluation import series_findings as rules

    return {"plan_adds_up": rules.plan_adds_up(workspace.tables(area.name).read(table, [month]))}
