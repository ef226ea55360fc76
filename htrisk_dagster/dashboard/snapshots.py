"""Reading a published snapshot: the newest file, opened read-only, and questions asked of it.

Belongs here: the open file, when it is exchanged for a newer one, and the tables it has. Does not:
writing (`publishing/snapshot.py`), what a page makes of the rows.

The link is looked at on every request. A page that was drawn from one snapshot may ask a newer one
for its next day: every answer says which it came from.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path

import duckdb
import polars as pl

from htrisk_dagster.errors import MissingPartitionError
from htrisk_dagster.publishing.snapshot import (
    SnapshotHeader,
    newest_snapshot,
    read_header,
)
from htrisk_dagster.schemas.table import Table

BY_DAY = ("predictions.cell_day_risk", "published.model_spread")
"""Tables with a row a cell and day: they leave a day at a time, years of them are too much for one file."""


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One published file.

    Parameters
    ----------
    path : Path
    connection : DuckDBPyConnection
        Read-only; every question has a cursor of its own, so threads do not meet.
    header : SnapshotHeader
    """

    path: Path
    connection: duckdb.DuckDBPyConnection
    header: SnapshotHeader

    def query(self, sql: str, parameters: Sequence[object] = ()) -> pl.DataFrame:
        """Rows of a question; values go in as parameters, never into the text."""
        with self.connection.cursor() as cursor:
            return pl.DataFrame(cursor.execute(sql, parameters).to_arrow_table())

    @cached_property
    def contents(self) -> Mapping[str, Mapping[str, object]]:
        """What is known of each table, by `layer.name`: rows, first and last day, fingerprint."""
        rows = self.query('select * from snapshot.contents order by "table"')
        return {row["table"]: row for row in rows.iter_rows(named=True)}

    def has(self, *names: str) -> bool:
        """Whether all tables `layer.name` are there and have a row."""
        return all(name in self.contents and self.contents[name]["rows_count"] for name in names)

    def table(self, name: str) -> pl.DataFrame:
        """Every row of `layer.name`.

        Raises
        ------
        MissingPartitionError
            Where the snapshot does not have it.
        """
        if name not in self.contents:
            raise MissingPartitionError(
                f"The snapshot {self.path.name} has no table '{name}'. Materialise "
                f"{self.header.area}/{name.replace('.', '/')}, then {self.header.area}/publishing/snapshot."
            )
        about = self.contents[name]
        return self.query(f'from {about["layer"]}."{about["name"]}"')

    def read(self, table: Table) -> pl.DataFrame:
        """Rows of a table of the dictionary; empty and typed where the snapshot does not have it."""
        return self.table(table.full_name) if table.full_name in self.contents else table.empty()

    @cached_property
    def n_cells(self) -> int:
        """Cells of the grid."""
        return self.table("grid.cells").height

    @cached_property
    def days(self) -> tuple[date, ...]:
        """Days with a risk map, in order."""
        rows = self.query("select distinct risk_on from predictions.cell_day_risk order by 1")
        return tuple(rows["risk_on"].to_list())

    @cached_property
    def model_version(self) -> str:
        """The model behind the newest map, and before what it was trained."""
        row = self.query(
            "select model, trained_before from predictions.cell_day_risk order by risk_on desc limit 1"
        ).row(0, named=True)
        return f"{row['model']}, trained before {row['trained_before']}"

    @property
    def written_at(self) -> datetime:
        """When the file was published, UTC."""
        return datetime.fromtimestamp(self.path.stat().st_mtime, UTC)


class SnapshotShelf:
    """The newest snapshot of a study area, opened when it first is asked for.

    Parameters
    ----------
    folder : Path
        Folder of the study area's snapshots.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._open: Snapshot | None = None

    def newest(self) -> Snapshot:
        """Snapshot that the link names now; one that was open before stays with those who have it.

        Raises
        ------
        MissingPartitionError
            Where nothing has been published yet.
        """
        # The real path: opened by the link's name, DuckDB would hand back the old database.
        path = newest_snapshot(self.folder)
        with self._lock:
            if self._open is None or self._open.path != path:
                connection = duckdb.connect(str(path), read_only=True)
                self._open = Snapshot(path, connection, read_header(connection))
            return self._open
