"""What a unit reads: the rows of its cells and of the longest window, and nothing of other cities.

Belongs here: which partitions and rows a unit needs. Does not: how features are made of them
(`features/feature_matrix`), how they come to the machine (`shared_storage`).

Memory is bounded by the unit: whole history is read of the tile and its halo of one cell alone, since an
exponentially weighted mean reaches back to the first day; precincts and the city need the rows of the
longest window, 364 days. Filters run while files are read, so that other rows are never held.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.features import catalogue as cat
from htrisk_dagster.features.feature_matrix import FeatureInputs
from htrisk_dagster.features.inputs import read_grid, with_covariates
from htrisk_dagster.grid.panel import count_panel, day_number, day_numbers
from htrisk_dagster.grid.parts import GridPart, tiles_of
from htrisk_dagster.scale.unit import Unit
from htrisk_dagster.schemas import context as context_tables
from htrisk_dagster.schemas import context_sources, raw, staging
from htrisk_dagster.schemas import grid as grid_tables
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.warehouse.partitions import Partitions

LONGEST_WINDOW_DAYS = max(*cat.LONG_WINDOWS, cat.PRECINCT_WINDOW, cat.CITY_WINDOW)
# What features ask of an incident; its number, a text, would be most of the memory.
_COLUMNS = ("source", "offence_group", "occurred_on", "reported_on", "cell_id", "precinct")
_TABLES: tuple[Table, ...] = (
    grid_tables.CELLS, grid_tables.INCIDENT_CELLS, staging.EVENTS, staging.MOBILITY, raw.HOLIDAYS,
    raw.PRECINCTS, raw.BOROUGHS, context_tables.CELLS, context_tables.CELL_NEIGHBOURHOODS,
    context_sources.NEWS_SENTIMENT, context_sources.ADVERT_COUNTS,
)  # fmt: skip


def tables_at(root: Path, unit: Unit) -> Partitions:
    """Partitions of the unit's area below a root."""
    return Partitions(root, unit.area.name)


def input_prefixes(unit: Unit) -> list[str]:
    """Folders below the root of the storage that features are made from."""
    nowhere = tables_at(Path(), unit)
    return [nowhere.folder(table).as_posix() for table in _TABLES]


def read_part(tables: Partitions, unit: Unit) -> FeatureInputs:
    """Inputs of the features of a unit's cells and days.

    Returns
    -------
    FeatureInputs
        `incidents` holds the columns that features ask for, of the rows that they can see.
    """
    grid = read_grid(tables, unit.area)
    settings, lag = unit.settings, unit.area.publication_lag.incidents_days
    part = GridPart.of(grid, tiles_of(grid.n_cells, settings.n_tiles)[unit.tile])
    oldest = unit.period.start - timedelta(days=lag + LONGEST_WINDOW_DAYS)
    last_cutoff = unit.period.stop - timedelta(days=1 + lag)
    needed = pl.col("occurred_on") >= oldest
    if part.is_whole:
        needed |= pl.col("cell_id").is_not_null()
    else:
        needed |= pl.col("cell_id").is_in(part.cell_ids.tolist())
    return with_covariates(
        tables,
        unit.area,
        grid=grid,
        incidents=_incidents(tables, needed, reported_before=last_cutoff),
        target=settings.target,
        series=settings.series,
        history_start=settings.history_start,
        part=part,
    )


def read_counts(
    tables: Partitions, unit: Unit, n_cells: int, *, known_before: date | None = None
) -> NDArray[np.float32]:
    """Target incidents of the unit's days by day of occurrence and cell, shape (D, C).

    Parameters
    ----------
    known_before : date, optional
        Count only what was reported before this day; all there is when None, which only an evaluation
        may ask for.
    """
    period = unit.period
    of_period = pl.col("occurred_on").is_between(period.start, period.stop, closed="left")
    rows = _incidents(tables, of_period, reported_before=known_before)
    rows = unit.settings.target.select(rows).drop_nulls("cell_id")
    day = day_numbers(rows["occurred_on"]) - day_number(period.start)
    cell = rows["cell_id"].to_numpy().astype(np.int64)
    return count_panel(day, cell, len(period.days), n_cells).astype(np.float32)


def _incidents(
    tables: Partitions, needed: pl.Expr, *, reported_before: date | None
) -> pl.DataFrame:
    """Rows of some filter that were reported before a day; months after it are not opened."""
    table = grid_tables.INCIDENT_CELLS
    keys = tables.keys(table)
    if reported_before is not None:
        needed &= pl.col("reported_on") < reported_before
        keys = [key for key in keys if date.fromisoformat(key) < reported_before]
    if not keys:
        return table.empty().select(_COLUMNS)
    paths = [tables.path(table, key) for key in keys]
    rows = pl.scan_parquet(paths, hive_partitioning=False, glob=False)
    return rows.filter(needed).select(_COLUMNS).collect()
