"""Features of a tile and a period, and the joining of tiles to days.

Belongs here: two kinds of work, `make_features` and `join_tiles`, and the order of both for any number of
cities. Does not: how a
feature is made (`features`), where units are done (`execution`).

A grid that is not cut writes its days at once. Tiles write a partition each, and a second unit joins those
of a period to days: the files of both ways are the same to the bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import numpy as np

from htrisk_dagster.features import store
from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.features.feature_matrix import build_block
from htrisk_dagster.features.inputs import read_grid
from htrisk_dagster.features.store import features_table
from htrisk_dagster.grid.parts import tiles_of
from htrisk_dagster.scale.execution import Execution
from htrisk_dagster.scale.fixed_point import added
from htrisk_dagster.scale.shared_storage import SharedStorage
from htrisk_dagster.scale.unit import Job, Unit, UnitReport, UnitSettings, periods_of
from htrisk_dagster.scale.unit_inputs import input_prefixes, read_part, tables_at
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.study_areas.area import StudyArea
from htrisk_dagster.warehouse.partitions import Partitions


def make_features(unit: Unit) -> UnitReport:
    """Make the features of a tile's cells for the days of a period.

    The days themselves where the grid is one tile, else one partition of the tile. Sums: `cell_days`.
    """
    table = features_table(unit.area)
    with unit.storage.opened(input_prefixes(unit)) as root:
        tables = tables_at(root, unit)
        inputs = read_part(tables, unit)
        block = build_block(inputs, unit.period.start, unit.period.stop, with_counts=False)
        if unit.settings.n_tiles == 1:
            files = store.write_days(tables, table, block, unit.made_from)
        else:
            files = [_write_tile(tables, table, block, unit)]
    absent = np.asarray(np.isnan(block.features).all(axis=(0, 1)))
    return UnitReport(
        tuple(str(path.relative_to(root)) for path in files),
        {"cell_days": block.n_days * block.n_cells},
        tuple(name for name, is_absent in zip(block.names, absent, strict=True) if is_absent),
    )


def join_tiles(unit: Unit) -> UnitReport:
    """Write the days of a period from the partitions of all its tiles.

    Raises
    ------
    MissingPartitionError
        Where a tile has not been made.
    """
    table = features_table(unit.area)
    nowhere = tables_at(Path(), unit)
    tiles = [_tile_key(unit, tile) for tile in range(unit.settings.n_tiles)]
    needed = [nowhere.path(tile_table(table), key).as_posix() for key in tiles]
    with unit.storage.opened([*needed, *input_prefixes(unit)]) as root:
        tables = tables_at(root, unit)
        # A city of few cells has fewer tiles than were asked for.
        n_tiles = len(tiles_of(read_grid(tables, unit.area).n_cells, unit.settings.n_tiles))
        joined = tables.read(tile_table(table), tiles[:n_tiles])
        files = []
        for (day,), rows in sorted(joined.partition_by("risk_on", as_dict=True).items()):
            key = day.isoformat()
            made_from = unit.made_from.get(key, "")
            # In one piece, as rows that never were apart.
            whole = rows.sort("cell_id").rechunk()
            files.append(tables.write_unchecked(table, whole, key, made_from=made_from))
        cell_days = joined.height
    names = tuple(str(path.relative_to(root)) for path in files)
    return UnitReport(names, {"cell_days": cell_days})


@dataclass(frozen=True)
class FeatureRequest:
    """Days of one city whose features are to be made and stored.

    Parameters
    ----------
    storage : SharedStorage
    area : StudyArea
    settings : UnitSettings
        `n_tiles` is the execution's.
    first, last : date
        Both included.
    made_from : mapping of str to str
        Fingerprint by day.
    """

    storage: SharedStorage
    area: StudyArea
    settings: UnitSettings
    first: date
    last: date
    made_from: Mapping[str, str] = field(default_factory=dict)

    def units(self, period_days: int, n_tiles: int) -> list[Unit]:
        """First tile of each period."""
        settings = replace(self.settings, n_tiles=n_tiles)
        return [
            Unit(
                self.storage,
                self.area,
                0,
                period,
                settings,
                {day: self.made_from[day] for day in period.days if day in self.made_from},
            )
            for period in periods_of(self.first, self.last, period_days)
        ]


def store_features(execution: Execution, requests: Sequence[FeatureRequest]) -> list[UnitReport]:
    """Make and store the features of all that is requested; the tiles of all cities at once.

    Returns
    -------
    list of UnitReport
        Of each request: day files, cell-days, and features that are absent in its last period.
    """
    n_tiles = execution.n_tiles
    cut = [request.units(execution.period_days, n_tiles) for request in requests]
    tiles = [
        Job(make_features, replace(unit, tile=tile))
        for units in cut
        for unit in units
        for tile in range(n_tiles)
    ]
    made = execution.run(tiles)
    days = made
    if n_tiles > 1:
        days = execution.run([Job(join_tiles, unit) for units in cut for unit in units])
        # Only now: a joining that is done again finds all tiles.
        for job, report in zip(tiles, made, strict=True):
            job.unit.storage.delete(report.files)
    found, done = [], 0
    for units in cut:
        stop = done + len(units)
        last_period = made[(stop - 1) * n_tiles : stop * n_tiles]
        found.append(_merged(days[done:stop], last_period))
        done = stop
    return found


def read_days(tables: Partitions, area: StudyArea, days: Sequence[str]) -> CellDayBlock:
    """Stored features of consecutive days as one block without truth."""
    return store.read_block(tables, features_table(area), days, read_grid(tables, area))


def tile_table(table: Table) -> Table:
    """Table of the tiles, beside that of the days."""
    return replace(table, name=f"{table.name}_tiles", description="Features of a tile and period.")


def _merged(days: Sequence[UnitReport], last_period: Sequence[UnitReport]) -> UnitReport:
    absent = set.intersection(*(set(report.absent) for report in last_period))
    return UnitReport(
        tuple(file for report in days for file in report.files),
        added(report.sums for report in days),
        tuple(sorted(absent)),
    )


def _tile_key(unit: Unit, tile: int) -> str:
    return f"{unit.period.start}_{tile:05d}"


def _write_tile(tables: Partitions, table: Table, block: CellDayBlock, unit: Unit) -> Path:
    """All days of a tile as one partition, cells by their number in the whole grid."""
    first = tiles_of(read_grid(tables, unit.area).n_cells, unit.settings.n_tiles)[unit.tile].start
    ids = np.arange(first, first + block.n_cells, dtype=np.int32)
    rows = store.block_rows(block, ids)
    return tables.write_unchecked(tile_table(table), rows, _tile_key(unit, unit.tile))
