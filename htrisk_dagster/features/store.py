"""Features on disk: one Parquet partition a day, one row a cell, and blocks read back from them.

Belongs here: `CellDayBlock` to partitions and back. Does not: how a feature is made
(`feature_matrix`), nor the truth: labels are never stored beside features.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.features.catalogue import FeatureSpec, feature_catalogue
from htrisk_dagster.grid.cells import Grid
from htrisk_dagster.schemas.table import Column, Table
from htrisk_dagster.study_areas.area import StudyArea
from htrisk_dagster.warehouse.partitions import Partitions, cut_evenly

# Rows that lie in memory as a frame beside a block, which may be of years: some 60 MB.
_ROWS_AT_ONCE = 1 << 17


def cell_day_table(catalogue: Sequence[FeatureSpec]) -> Table:
    """Schema of `features.cell_day` for one list of features."""
    features = tuple(
        Column(f.name, pl.Float32, f.description, unit=f.unit, nullable=True) for f in catalogue
    )
    return Table(
        "features",
        "cell_day",
        "one cell and day",
        "What was known of each cell before the day's cutoff.",
        (
            Column("risk_on", pl.Date, "Day the forecast is for, local."),
            Column("cell_id", pl.Int32, "Cell of the grid.", lower=0),
            *features,
        ),
        key=("risk_on", "cell_id"),
        warnings=("A missing value means that the source does not cover the day.",),
    )


def features_table(area: StudyArea) -> Table:
    """Schema of a study area's `features.cell_day`."""
    return cell_day_table(feature_catalogue(("incidents", *area.series), area.context))


def write_days(
    partitions: Partitions, table: Table, block: CellDayBlock, made_from: Mapping[str, str]
) -> list[Path]:
    """Write one partition for each day of `block`, NaN as a missing value; return their files."""
    cell_ids = np.arange(block.n_cells, dtype=np.int32)
    at_once = _days_at_once(block.n_cells)
    files = []
    for start in range(0, block.n_days, at_once):
        part = block.at(slice(start, start + at_once))
        by_day = cut_evenly(block_rows(part, cell_ids), [str(day) for day in part.days])
        files += partitions.write_each(table, by_day, made_from)
    return files


def block_rows(block: CellDayBlock, cell_ids: NDArray[np.int32]) -> pl.DataFrame:
    """One row a day and cell, in their order, under the numbers `cell_ids`; NaN becomes missing."""
    frame = pl.DataFrame(
        block.features.reshape(-1, len(block.names)), schema=list(block.names), orient="row"
    )
    return frame.select(
        pl.Series("risk_on", np.repeat(block.days, block.n_cells)).cast(pl.Date),
        pl.Series("cell_id", np.tile(cell_ids, block.n_days)),
        pl.all().fill_nan(None),
    )


def read_parts(
    partitions: Partitions, table: Table, days: Sequence[str], n_cells: int
) -> Iterator[tuple[slice, pl.DataFrame]]:
    """Rows of some of `days` after the other, and which these are: years of them take gigabytes."""
    at_once = _days_at_once(n_cells)
    for start in range(0, len(days), at_once):
        part = slice(start, start + at_once)
        yield part, partitions.read(table, days[part])


def _days_at_once(n_cells: int) -> int:
    return max(_ROWS_AT_ONCE // n_cells, 1)


def read_block(
    partitions: Partitions, table: Table, days: Sequence[str], grid: Grid
) -> CellDayBlock:
    """Read the partitions of consecutive `days` as one block without truth.

    Raises
    ------
    MissingPartitionError
        Where a day has not been made.
    """
    names = tuple(c for c in table.column_names if c not in table.key)
    features = np.empty((len(days), grid.n_cells, len(names)), dtype=np.float32)
    for part, frame in read_parts(partitions, table, days, grid.n_cells):
        stacked = frame.select(names).fill_null(float("nan")).to_numpy(order="c")
        features[part] = stacked.reshape(-1, grid.n_cells, len(names))
    precincts, boroughs = area_codes(grid)
    return CellDayBlock(
        days=np.array([date.fromisoformat(d) for d in days], dtype="datetime64[D]"),
        features=features,
        names=names,
        precinct_index=precincts,
        borough_index=boroughs,
    )


def area_codes(grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Precinct and borough of each cell as 0-based int32 codes, in order of number and name."""
    codes = (
        grid.cells[column].rank("dense").cast(pl.Int32).to_numpy() - 1
        for column in ("precinct", "borough")
    )
    precincts, boroughs = codes
    return precincts.astype(np.int32), boroughs.astype(np.int32)
