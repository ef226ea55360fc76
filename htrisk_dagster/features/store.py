"""Features on disk: one Parquet partition a day, one row a cell, and blocks read back from them.

Belongs here: `CellDayBlock` to partitions and back. Does not: how a feature is made
(`feature_matrix`), nor the truth: labels are never stored beside features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import polars as pl

from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.features.catalogue import FeatureSpec, feature_catalogue
from htrisk_dagster.grid.cells import Grid
from htrisk_dagster.schemas.table import Column, Table
from htrisk_dagster.study_areas.area import StudyArea
from htrisk_dagster.warehouse.partitions import Partitions


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
) -> None:
    """Write one partition for each day of `block`; NaN becomes a missing value."""
    cell_ids = np.arange(block.n_cells, dtype=np.int32)
    for index, day in enumerate(block.days.astype(object)):
        frame = pl.DataFrame(block.features[index], schema=list(block.names), orient="row")
        keyed = frame.select(
            pl.lit(day).cast(pl.Date).alias("risk_on"),
            pl.Series("cell_id", cell_ids),
            pl.all().fill_nan(None),
        )
        key = day.isoformat()
        partitions.write_unchecked(table, keyed, key, made_from=made_from[key])


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
    frame = partitions.read(table, days)
    stacked = frame.select(names).fill_null(float("nan")).to_numpy(order="c")
    precincts, boroughs = area_codes(grid)
    return CellDayBlock(
        days=np.array([date.fromisoformat(d) for d in days], dtype="datetime64[D]"),
        features=stacked.reshape(len(days), grid.n_cells, len(names)),
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
