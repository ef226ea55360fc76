"""The forecast by precinct of offences published at the station house.

Belongs here: the step behind `predictions/precinct_day_risk`. Does not: the
rates (`models/precinct_day.py`), the counts (`features/precinct_reports.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from htrisk_dagster.defs.fingerprints import MadeFrom
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.features.coverage import History
from htrisk_dagster.features.precinct_reports import (
    PrecinctReports,
    precinct_reports,
    window_start,
)
from htrisk_dagster.models.precinct_day import WINDOW_DAYS, fit_precinct_rates
from htrisk_dagster.publishing.precinct_table import precinct_table
from htrisk_dagster.schemas import grid, predictions
from htrisk_dagster.study_areas.area import StudyArea
from htrisk_dagster.warehouse.partitions import WHOLE

_TABLE = predictions.PRECINCT_DAY_RISK


def store_precinct_risk(
    workspace: Workspace, area: StudyArea, days: Sequence[str]
) -> dict[str, Any]:
    """Forecast each day from what was known by its cutoff; write a partition a day."""
    store = workspace.tables(area.name)
    incidents = store.read(grid.INCIDENT_CELLS)
    history = History.of(incidents)
    cells = store.read(grid.CELLS, [WHOLE])
    made = MadeFrom(workspace, area)
    figures: dict[str, Any] = {"days": len(days)}
    for day in days:
        on = date.fromisoformat(day)
        known = _known(workspace, area, incidents, history, cells, on)
        rows = _forecast(known, on) if known else _TABLE.empty()
        store.write(_TABLE, rows, day, made_from=made.precinct_risk(day))
        sums = rows.group_by("offence_group").agg(pl.col("expected_count").sum()).rows()
        figures |= {f"{group}_expected_count": value for group, value in sorted(sums)}
    workspace.build_catalog()
    return figures


def _forecast(known: PrecinctReports, on: date) -> pl.DataFrame:
    rates = {
        group: fit_precinct_rates(known.days, counts, known.others, known.borough_index)
        for group, counts in known.counts.items()
    }
    cutoff = (known.days[-1] + np.timedelta64(1, "D")).astype(object)
    return precinct_table(rates, known.precincts, on, cutoff)


def _known(
    workspace: Workspace,
    area: StudyArea,
    incidents: pl.DataFrame,
    history: History,
    cells: pl.DataFrame,
    on: date,
) -> PrecinctReports | None:
    """Counts known by the cutoff of a day; None where no source covers the time before it."""
    cutoff = on - timedelta(days=area.publication_lag.incidents_days)
    chosen = history.choose(area.incidents, on)
    if chosen is None:
        return None
    source, start = chosen
    start = max(start, workspace.settings.history_start or start)
    first = window_start(start, cutoff, WINDOW_DAYS)
    return precinct_reports(incidents.filter(source=source), cells, first, cutoff)


def known_on(workspace: Workspace, area: StudyArea, day: str) -> PrecinctReports | None:
    """Counts that a forecast for `day` may know; None where no source covers the time before it."""
    store = workspace.tables(area.name)
    incidents, cells = store.read(grid.INCIDENT_CELLS), store.read(grid.CELLS, [WHOLE])
    on = date.fromisoformat(day)
    return _known(workspace, area, incidents, History.of(incidents), cells, on)
