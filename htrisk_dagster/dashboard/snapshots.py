"""Reading a published snapshot: the newest file, opened read-only, and questions asked of it.

Belongs here: the open file, which of its days may be seen, when it is exchanged for a newer one, and
the tables it has. Does not: writing (`publishing/snapshot.py`), which days are out
(`release_book.py`), what a page makes of the rows.

The link is looked at on every request. A page that was drawn from one snapshot may ask a newer one
for its next day: every answer says which it came from.

Pages never ask the file: they ask views over it, and a view of a table with a row a day of risk has
the days that may be seen and no other. No page can forget to leave a draft out.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from pathlib import Path

import duckdb
import polars as pl

from htrisk_dagster.dashboard.release_book import ReleaseBook
from htrisk_dagster.errors import MissingPartitionError
from htrisk_dagster.publishing.public_days import DayStage
from htrisk_dagster.publishing.release_states import DRAFT, PUBLISHED, WITHDRAWN
from htrisk_dagster.publishing.snapshot import (
    SnapshotHeader,
    newest_snapshot,
    read_header,
)
from htrisk_dagster.schemas.published import MAP_DOSSIERS
from htrisk_dagster.schemas.table import Table

BY_DAY = ("predictions.cell_day_risk", "published.model_spread")
"""Tables with a row a cell and day: they leave a day at a time, years of them are too much for one file."""
_STAGES_HOLD = timedelta(seconds=10)
_MOST_NOTICES = 5


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One published file, as much of it as may be seen.

    Parameters
    ----------
    path : Path
    connection : DuckDBPyConnection
        Views over the file; every question has a cursor of its own, so threads do not meet.
    header : SnapshotHeader
    stages : mapping of date to DayStage
        Of every day that can be seen.
    notices : tuple of str
        Sentences on days that were out and are not.
    """

    path: Path
    connection: duckdb.DuckDBPyConnection
    header: SnapshotHeader
    stages: Mapping[date, DayStage] = field(default_factory=dict)
    notices: tuple[str, ...] = ()

    @property
    def has_drafts(self) -> bool:
        """Whether a day can be seen that is not out: then every page and file says so."""
        return any(not stage.is_out for stage in self.stages.values())

    @property
    def stage(self) -> str:
        """What all that is not of one day is marked with."""
        return DRAFT if self.has_drafts else PUBLISHED

    @cached_property
    def visible(self) -> str:
        """Digest of the days that can be seen, their stages and the notices."""
        told = repr((sorted(self.stages.items()), self.notices, self.has_drafts))
        return hashlib.sha256(told.encode()).hexdigest()

    def stage_of(self, day: date) -> DayStage:
        """Stage of a day; a draft where nothing is known of it."""
        return self.stages.get(day, DayStage(DRAFT))

    def query(self, sql: str, parameters: Sequence[object] = ()) -> pl.DataFrame:
        """Rows of a question; values go in as parameters, never into the text."""
        with self.connection.cursor() as cursor:
            return pl.DataFrame(cursor.execute(sql, parameters).to_arrow_table())

    @cached_property
    def contents(self) -> Mapping[str, Mapping[str, object]]:
        """What is known of each table, by `layer.name`: rows, first and last day, fingerprint."""
        rows = self.query('select * from snapshot.contents order by "table"')
        found = {row["table"]: row for row in rows.iter_rows(named=True)}
        with self.connection.cursor() as cursor:
            by_day = [a for a in found.values() if _has_days(cursor, a["layer"], a["name"])]
        for about in by_day:
            counted = self.query(
                "select count(*) as rows_count, min(risk_on) as first_on, max(risk_on) as last_on "
                f'from {about["layer"]}."{about["name"]}"'
            )
            about |= counted.row(0, named=True)
        return found

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
    book : ReleaseBook, optional
        Which days are out; none without one.
    with_drafts : bool
        Show drafts too, marked as such. What was withdrawn is never shown.
    """

    def __init__(
        self, folder: Path, book: ReleaseBook | None = None, *, with_drafts: bool = False
    ) -> None:
        self.folder, self.with_drafts = folder, with_drafts
        self._book = book or ReleaseBook()
        self._lock = threading.Lock()
        self._dossiers: tuple[Path, SnapshotHeader, dict[date, str]] | None = None
        self._stages: tuple[object, datetime, dict[date, DayStage]] | None = None
        self._open: Snapshot | None = None
        self._opened_at: Mapping[date, DayStage] | None = None

    def newest(self) -> Snapshot:
        """Snapshot that the link names now; one that was open before stays with those who have it.

        Raises
        ------
        MissingPartitionError
            Where nothing has been published yet, or nothing that may be seen.
        """
        # The real path: opened by the link's name, DuckDB would hand back the old database.
        path = newest_snapshot(self.folder)
        with self._lock:
            if self._dossiers is None or self._dossiers[0] != path:
                self._dossiers = (path, *_identity(path))
            _, header, dossiers = self._dossiers
            stages = self._stages_now(path, header, dossiers)
            if self._open is not None and self._open.path == path and stages is self._opened_at:
                return self._open
            seen = {day: stage for day, stage in stages.items() if self._is_seen(stage)}
            notices = _notices({d: s for d, s in stages.items() if s.notice})
            if not seen:
                raise MissingPartitionError(self._nothing(len(stages), notices))
            if self._open is None or (self._open.path, self._open.stages) != (path, seen):
                self._open = Snapshot(path, _views(path, seen), header, seen, notices)
            self._opened_at = stages
            return self._open

    def _stages_now(
        self, path: Path, header: SnapshotHeader, dossiers: Mapping[date, str]
    ) -> Mapping[date, DayStage]:
        """Stages by the log as it is, worked out again when it changes or one of them can end."""
        now, key = datetime.now(UTC), (path, self._book.version())
        if self._stages is None or self._stages[0] != key or now >= self._stages[1]:
            found = self._book.stages(dossiers, area=header.area, target=header.target, at=now)
            ends = [stage.until for stage in found.values() if stage.until]
            self._stages = key, min([now + _STAGES_HOLD, *ends]), found
        return self._stages[2]

    def _is_seen(self, stage: DayStage) -> bool:
        return stage.is_out or (self.with_drafts and stage.stage != WITHDRAWN)

    def _nothing(self, n_days: int, notices: tuple[str, ...]) -> str:
        """Why there is nothing to see, and what to do."""
        problem = self._book.problem
        if problem:
            return f"The log of releases cannot be trusted, so nothing is shown. {problem}"
        return " ".join(
            (
                f"No map is published. The snapshot holds {n_days}, and two reviewers have to sign "
                "before one is shown (`htrisk release`). `htrisk dashboard --drafts` shows drafts, "
                "marked as drafts.",
                *notices,
            )
        )


def _identity(path: Path) -> tuple[SnapshotHeader, dict[date, str]]:
    """What a file says of itself, and the dossier of each of its days."""
    with duckdb.connect(str(path), read_only=True) as connection:
        header = read_header(connection)
        days = connection.execute(
            "select distinct risk_on from predictions.cell_day_risk order by risk_on"
        ).fetchall()
        dossiers: dict[date, str] = {}
        if _has_days(connection, MAP_DOSSIERS.layer, MAP_DOSSIERS.name):
            dossiers = dict(
                connection.execute("select risk_on, dossier from published.map_dossiers").fetchall()
            )
    return header, {day: dossiers.get(day, "") for (day,) in days}


def _views(path: Path, seen: Mapping[date, DayStage]) -> duckdb.DuckDBPyConnection:
    """Views over every table of a file, under its name, with the days that may be seen."""
    connection = duckdb.connect(":memory:")
    place = str(path).replace("'", "''")
    connection.execute(f"attach '{place}' as file (read_only)")
    days = pl.DataFrame({"risk_on": list(seen)}, schema={"risk_on": pl.Date})
    connection.register("days", days.to_arrow())
    connection.execute("create table seen as from days")
    connection.unregister("days")
    tables = connection.execute(
        "select schema_name, table_name from duckdb_tables() where database_name = 'file'"
    ).fetchall()
    for layer, name in tables:
        connection.execute(f'create schema if not exists "{layer}"')
        which = (
            " where risk_on in (select risk_on from seen)"
            if _has_days(connection, layer, name)
            else ""
        )
        connection.execute(f'create view "{layer}"."{name}" as from file."{layer}"."{name}"{which}')
    return connection


def _has_days(connection: duckdb.DuckDBPyConnection, layer: object, name: object) -> bool:
    found = connection.execute(
        "select count(*) from duckdb_columns() "
        "where schema_name = ? and table_name = ? and column_name = 'risk_on'",
        [layer, name],
    ).fetchone()
    return bool(found and found[0])


def _notices(stages: Mapping[date, DayStage]) -> tuple[str, ...]:
    """Sentences on the newest days that were out and are not."""
    newest = sorted(stages, reverse=True)
    told = [
        f"The map of {day} is not shown. {stages[day].notice}" for day in newest[:_MOST_NOTICES]
    ]
    rest = len(newest) - len(told)
    return (*told, f"So are {rest} older maps.") if rest > 0 else tuple(told)
