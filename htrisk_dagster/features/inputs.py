"""From the warehouse to `FeatureInputs`: which sources cover the period, from when, and their rows.

Belongs here: the reading of what features and labels are made from. Does not: the features
(`feature_matrix`), the rule that says what covers a period (`coverage`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.errors import SourceError
from htrisk_dagster.features.catalogue import ALL_INCIDENTS, TARGET
from htrisk_dagster.features.context import ContextInputs
from htrisk_dagster.features.coverage import History
from htrisk_dagster.features.feature_matrix import FeatureInputs, Series
from htrisk_dagster.grid.area_grid import with_touching_areas
from htrisk_dagster.grid.cells import Grid
from htrisk_dagster.grid.panel import count_panel
from htrisk_dagster.grid.parts import GridPart
from htrisk_dagster.schemas import context as context_tables
from htrisk_dagster.schemas import context_sources, raw, staging
from htrisk_dagster.schemas import grid as grid_tables
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.study_areas.area import SeriesPart, StudyArea
from htrisk_dagster.warehouse.partitions import Partitions


def read_grid(tables: Partitions, area: StudyArea) -> Grid:
    """Grid of the study area from its stored cells, and of the shapes of areas where these are cells."""
    cells = tables.read(grid_tables.CELLS, ["all"])
    grid = Grid.from_cells(cells, area.grid.crs, area.grid.cell_size_m)
    if area.grid.unit == "cell":
        return grid
    return with_touching_areas(grid, tables.read(raw.PRECINCTS, ["all"]))


def declared_series(area: StudyArea, target: SeriesPart) -> dict[str, SeriesPart]:
    """Declarations of the target and of all series, by the name in their features."""
    return {TARGET: target, ALL_INCIDENTS: area.incidents, **area.series}


def read_inputs(
    tables: Partitions, area: StudyArea, target: SeriesPart, end: date, *, since: date | None = None
) -> FeatureInputs:
    """Everything that features up to the day `end` are made from.

    Parameters
    ----------
    tables : Partitions
        Warehouse of the study area.
    target : SeriesPart
        What is forecast.
    end : date
        Last day that features are wanted for.
    since : date, optional
        History before this day is not used.

    Raises
    ------
    SourceError
        Where no source of the target covers six months before `end`, or `since` lies after it.
    """
    if since and since > end:
        raise SourceError(
            f"History starts on {since} by the setting history_start, after the last day asked for, "
            f"{end}. Set it to an earlier day, or ask for later days."
        )
    incidents = tables.read(grid_tables.INCIDENT_CELLS)
    history = History.of(incidents)
    chosen = history.choose(target, end)
    if chosen is None:
        raise SourceError(
            f"No source of the target '{target.title}' ({', '.join(target.sources)}) covers six months "
            f"in a row up to {end}. Bring files or fetch reports for that period, or choose another "
            "target."
        )
    source, start = chosen
    first = max(start, since) if since else start

    # A covariate must be known as far back as the target: before its first row it would be 0.
    def covered(name: str, part: SeriesPart) -> Series:
        found = history.choose(part, end, since=first)
        return Series(name, (found[0],) if found else (), part.offence_groups)

    declared = declared_series(area, target)
    declared.pop(TARGET)
    return with_covariates(
        tables,
        area,
        grid=read_grid(tables, area),
        incidents=incidents,
        target=Series(TARGET, (source,), target.offence_groups),
        series=tuple(covered(name, part) for name, part in declared.items()),
        history_start=first,
    )


def with_covariates(
    tables: Partitions,
    area: StudyArea,
    *,
    grid: Grid,
    incidents: pl.DataFrame,
    target: Series,
    series: tuple[Series, ...],
    history_start: date,
    part: GridPart | None = None,
) -> FeatureInputs:
    """Incidents and series that were chosen, with all that is read beside them; see `FeatureInputs`."""
    return FeatureInputs(
        grid=grid,
        incidents=incidents,
        target=target,
        series=series,
        events=tables.read(staging.EVENTS),
        mobility=tables.read(staging.MOBILITY),
        holidays=tables.read(raw.HOLIDAYS),
        lag_days=area.publication_lag.incidents_days,
        mobility_lag_days={
            "airport": area.publication_lag.airport_days,
            "transit": area.publication_lag.transit_days,
        },
        history_start=history_start,
        context=read_context(tables, area),
        part=part,
    )


def read_context(tables: Partitions, area: StudyArea) -> ContextInputs:
    """What is stored of the study area's context; a table that was never made is empty."""

    def stored(table: Table) -> pl.DataFrame:
        return tables.read(table) if tables.keys(table) else table.empty()

    return ContextInputs(
        declared=area.context,
        cells=stored(context_tables.CELLS),
        cell_neighbourhoods=stored(context_tables.CELL_NEIGHBOURHOODS),
        news=stored(context_sources.NEWS_SENTIMENT),
        adverts=stored(context_sources.ADVERT_COUNTS),
    )


def target_counts(
    inputs: FeatureInputs, days: Sequence[str], *, known_before: date | None = None
) -> NDArray[np.float32]:
    """Target incidents by day of occurrence and cell.

    Parameters
    ----------
    days : sequence of str
        Consecutive days as ISO dates, D of them.
    known_before : date, optional
        Count only what was reported before this day, as a model trained then would have seen;
        all there is when None, which only an evaluation may ask for.

    Returns
    -------
    float32, shape (D, C)
    """
    rows = inputs.target.select(inputs.incidents).filter(pl.col("cell_id").is_not_null())
    first, last = date.fromisoformat(days[0]), date.fromisoformat(days[-1])
    rows = rows.filter(pl.col("occurred_on").is_between(first, last))
    if known_before is not None:
        rows = rows.filter(pl.col("reported_on") < known_before)
    index = (rows["occurred_on"] - first).dt.total_days().to_numpy()
    counts = count_panel(index, rows["cell_id"].to_numpy(), len(days), inputs.grid.n_cells)
    return counts.astype(np.float32)


def newest_report(inputs: FeatureInputs, *, before: date | None = None) -> date | None:
    """Newest day on which the target's source told of any incident, before a day if one is given.

    Of the source, not of the target alone: a rare target is silent for weeks while the feed is well.
    """
    days = inputs.incidents.filter(pl.col("source").is_in(inputs.target.sources))["reported_on"]
    newest = (days.filter(days < before) if before else days).max()
    return newest if isinstance(newest, date) else None


def recent_daily_mean(inputs: FeatureInputs, day: date, *, window_days: int = 91) -> float:
    """Target incidents a day over the window before the cutoff of `day`, as known by then."""
    cutoff = day - timedelta(days=inputs.lag_days)
    start = cutoff - timedelta(days=window_days)
    days = [(start + timedelta(days=i)).isoformat() for i in range(window_days)]
    return float(target_counts(inputs, days, known_before=cutoff).sum()) / window_days
