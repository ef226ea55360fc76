"""A published snapshot: one DuckDB file with all that readers are shown, and a link to the newest.

Belongs here: the file, what it says of itself, the flip of the link, and the reading of both. Does
not: which tables go in (`defs/published.py`), pages made from it (`dashboard/`).

Readers never open the working catalog: a process that holds a DuckDB file locks out the others. A
snapshot is written beside, made read-only, and never changed; a reader keeps the one it has open
while the link already names the next. https://duckdb.org/docs/stable/connect/concurrency

The file names the dossier of each of its days and not their stage of review, which changes without
it: that is the log's (`public_days.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from datetime import date
from pathlib import Path

import duckdb
import polars as pl

from htrisk_dagster.errors import MissingPartitionError
from htrisk_dagster.schemas.predictions import CELL_DAY_RISK
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.warehouse.leftovers import beside
from htrisk_dagster.warehouse.partitions import replaced_whole

LINK = "latest.duckdb"
BY_CELL = "cell_day_risk_by_cell"
_KEPT = 5
_DAY_COLUMNS = (
    "risk_on",
    "reported_on",
    "occurred_on",
    "as_of_on",
    "last_week_on",
    "week_on",
    "last_on",
    "quarter_on",
    "month_on",
)


@dataclass(frozen=True)
class SnapshotHeader:
    """What identifies one snapshot; each field is shown to every reader.

    Parameters
    ----------
    area, area_title : str
        Name and title of the study area.
    target, target_title : str
        What is forecast, by name and in words.
    data_origin : str
        `synthetic`, `files` or `api`.
    made_from : str
        Fingerprint of all that went in; part of the file's name.
    crs : str
        Projected coordinate system of the cells.
    cell_size_m : float
        Side of a cell.
    first_on, last_on : date
        First and last day with a risk map.
    k : int
        Smallest count other than zero that is shown.
    cells_are_areas : bool
        Whether a cell is an area that the police report by, and no square of ground.
    area_codes : str
        The publisher's codes by number of area, in JSON; without those that are the number itself.
    """

    area: str
    area_title: str
    target: str
    target_title: str
    data_origin: str
    made_from: str
    crs: str
    cell_size_m: float
    first_on: date
    last_on: date
    k: int = 11
    cells_are_areas: bool = False
    area_codes: str = "{}"


@dataclass(frozen=True)
class SnapshotTable:
    """One table of a snapshot.

    Parameters
    ----------
    table : Table
    frame : DataFrame
        Conforms to `table`.
    made_from : str
        Fingerprint of its newest partition, empty for a table made for the snapshot.
    """

    table: Table
    frame: pl.DataFrame
    made_from: str = ""


def write_snapshot(folder: Path, header: SnapshotHeader, tables: Iterable[SnapshotTable]) -> Path:
    """Write the snapshot and let the link name it. The one place where a snapshot is made.

    Parameters
    ----------
    folder : Path
        Folder of the study area's snapshots; made if absent.
    header : SnapshotHeader
    tables : iterable of SnapshotTable
        Risk is stored twice, by day and by cell: one cell's history is then a matter of
        milliseconds.

    Returns
    -------
    Path
        The file; the newest five are kept.

    Raises
    ------
    TableError
        Where a frame breaks its schema; the link stays as it was.
    """
    path = folder / f"risk-{header.made_from}.duckdb"
    with replaced_whole(path) as new:
        with duckdb.connect(str(new)) as connection:
            contents = [_store(connection, each) for each in tables]
            connection.register("contents", pl.DataFrame(contents, schema=_CONTENTS).to_arrow())
            connection.register("header", pl.DataFrame([asdict(header)]).to_arrow())
            connection.execute("create schema snapshot")
            connection.execute("create table snapshot.contents as from contents")
            connection.execute("create table snapshot.header as from header")
        new.chmod(0o444)
    _flip(folder / LINK, path)
    _forget_old(folder)
    return path


_CONTENTS = {
    "table": pl.String,
    "layer": pl.String,
    "name": pl.String,
    "rows_count": pl.Int64,
    "first_on": pl.Date,
    "last_on": pl.Date,
    "made_from": pl.String,
}


def _store(connection: duckdb.DuckDBPyConnection, each: SnapshotTable) -> dict[str, object]:
    table, frame = each.table, each.table.conform(each.frame)
    connection.execute(f"create schema if not exists {table.layer}")
    orders = {table.name: table.key}
    if table is CELL_DAY_RISK:
        orders[BY_CELL] = ("cell_id", "risk_on")
    connection.register("frame", frame.to_arrow())
    for name, key in orders.items():
        order = f" order by {', '.join(key)}" if key else ""
        connection.execute(f'create table {table.layer}."{name}" as from frame{order}')
    connection.unregister("frame")
    day = next((c for c in _DAY_COLUMNS if c in frame.columns), None)
    first, last = (frame[day].min(), frame[day].max()) if day else (None, None)
    return {
        "table": table.full_name,
        "layer": table.layer,
        "name": table.name,
        "rows_count": frame.height,
        "first_on": first,
        "last_on": last,
        "made_from": each.made_from,
    }


def _flip(link: Path, to: Path) -> None:
    # A relative link survives a move of the folder; made beside and renamed, it is never absent.
    new = beside(link)
    new.unlink(missing_ok=True)
    new.symlink_to(to.name)
    new.replace(link)


def _forget_old(folder: Path) -> None:
    newest = (folder / LINK).resolve()
    by_age = sorted(folder.glob("risk-*.duckdb"), key=lambda p: p.stat().st_mtime, reverse=True)
    for path in [p for p in by_age if p != newest][_KEPT - 1 :]:
        path.unlink()


def newest_snapshot(folder: Path) -> Path:
    """File that the link names now.

    Raises
    ------
    MissingPartitionError
        Where nothing has been published into the folder.
    """
    link = folder / LINK
    # Every request of a dashboard asks: two calls of the system, where resolving asks for each folder.
    path = folder / link.readlink() if link.is_symlink() else link
    if not path.exists():
        raise MissingPartitionError(
            f"Nothing has been published in {folder}. Materialise <area>/publishing/snapshot, or run "
            "`htrisk run`, first."
        )
    return path


def read_header(connection: duckdb.DuckDBPyConnection) -> SnapshotHeader:
    """What the snapshot says of itself; an older one leaves out what was not yet said."""
    told = connection.execute("select * from snapshot.header")
    known = [column[0] for column in told.description]
    said = dict(zip(known, told.fetchall()[0], strict=True))
    return SnapshotHeader(
        **{f.name: said[f.name] for f in fields(SnapshotHeader) if f.name in said}
    )
