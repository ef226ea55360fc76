"""The last weeks of a series of incidents as a dense panel, and what of it has no cell.

Belongs here: which source and which weeks hot spots are made from. Does not: any statistic.

A week runs from Monday to Sunday. The last is the last that ended before the newest report of the
source; reports still to come for it make all its cells a little low, which Gi* of one week, a
comparison within the city, hardly feels.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.features.coverage import History
from htrisk_dagster.features.feature_matrix import Series
from htrisk_dagster.grid.panel import count_panel
from htrisk_dagster.study_areas.area import SeriesPart

WEEKS = 104
LEAST_WEEKS = 10


@dataclass(frozen=True, eq=False)
class WeekPanel:
    """Incidents of one series by week and cell.

    Parameters
    ----------
    source : str
        Raw table they were taken from.
    first_week_on : date
        Monday of the first week.
    counts : int32, shape (T, C)
        Incidents that have a cell.
    without_cell_pct : float
        Share of the weeks' incidents that have none, %.
    station_house_pct : float
        Share of the weeks' incidents whose point is a station house, %; they have no cell.
    """

    source: str
    first_week_on: date
    counts: NDArray[np.int32]
    without_cell_pct: float
    station_house_pct: float

    @property
    def weeks(self) -> list[date]:
        """Monday of each week."""
        return [self.first_week_on + timedelta(weeks=i) for i in range(len(self.counts))]


def week_panel(
    incidents: pl.DataFrame, part: SeriesPart, n_cells: int, *, since: date | None = None
) -> WeekPanel | None:
    """Count the last 104 weeks of a series by cell; fewer where its source covers fewer.

    Parameters
    ----------
    incidents : DataFrame
        `schemas.grid.INCIDENT_CELLS`, whole history.
    part : SeriesPart
        The series. Of its sources the one with the newest report among those that cover six
        months in a row is used, the earlier in the list where two are as new.
    n_cells : int
        Cells of the grid.
    since : date, optional
        History before this day is not used.

    Returns
    -------
    WeekPanel or None
        None where no source covers the series for ten weeks.
    """
    history = History.of(incidents)
    newest = dict(incidents.group_by("source").agg(pl.col("reported_on").max()).rows())
    runs = [
        (newest[source], start, source)
        for source in part.sources
        if source in newest and (start := history.run_start(source, newest[source]))
    ]
    if not runs:
        return None
    end, start, source = max(runs, key=lambda run: run[0])
    after_last = end - timedelta(days=end.weekday())
    earliest = max(start, since or start)
    n_weeks = min(WEEKS, (after_last - earliest).days // 7)
    if n_weeks < LEAST_WEEKS:
        return None
    first = after_last - timedelta(weeks=n_weeks)
    rows = Series("", (source,), part.offence_groups).select(incidents)
    rows = rows.filter(pl.col("occurred_on").is_between(first, after_last, closed="left"))
    placed = rows.filter(pl.col("cell_id").is_not_null())
    week = (placed["occurred_on"] - first).dt.total_days().to_numpy() // 7
    at_house = rows.filter(pl.col("location_quality") == "station_house").height
    return WeekPanel(
        source,
        first,
        count_panel(week, placed["cell_id"].to_numpy(), n_weeks, n_cells),
        without_cell_pct=100 * (rows.height - placed.height) / max(1, rows.height),
        station_house_pct=100 * at_house / max(1, rows.height),
    )
