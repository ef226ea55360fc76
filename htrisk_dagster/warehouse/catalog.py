"""`warehouse.duckdb`: a catalog of views over the Parquet partitions, for analysts and dbt.

Belongs here: the SQL of the views and the swap of the catalog file. Does not: any data; the
catalog can be removed and made again at any time.

The file is built beside and renamed: a reader that has the old one open keeps it, and no reader
can block the writer, which DuckDB's own lock would. It is read-only, and what somebody wrote into it all
the same goes with it: DuckDB would add the log of his changes (`.wal`) to any file of that name.
"""

from __future__ import annotations

import fcntl
import glob
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import polars as pl

from htrisk_dagster.schemas.table import Table
from htrisk_dagster.warehouse.partitions import Stamp, replaced_whole, stamp_of

FILE_NAME = "warehouse.duckdb"
# Views over patterns of paths: another day or month is another file, and not another view.
_MADE: dict[Path, tuple[Stamp, tuple[str, ...]]] = {}


def view_statements(root: Path, tables: Sequence[Table]) -> list[str]:
    """SQL that makes one schema a layer and one view a table, over whatever partitions exist.

    A table without partitions becomes an empty typed view: a glob that matches nothing is an
    error in DuckDB, and a query should not fail because a day has not been made.
    """
    statements = []
    for table in tables:
        statements.append(f"create schema if not exists {table.layer}")
        folder = root / table.layer / table.name
        if any(folder.glob("area=*/*.parquet")):
            # The path is text in SQL, and a pattern: a bracket in it must mean a bracket.
            pattern = f"{glob.escape(str(folder.absolute()))}/*/*.parquet".replace("'", "''")
            source = f"read_parquet('{pattern}', hive_partitioning = true)"
            body = f"select area, * exclude (area) from {source}"
        else:
            nulls = ", ".join(
                f'cast(null as {sql_type(c.dtype)}) as "{c.name}"' for c in table.columns
            )
            body = f"select cast(null as varchar) as area, {nulls} where false"
        statements.append(f'create or replace view {table.layer}."{table.name}" as {body}')
    return statements


def build_catalog(root: Path, tables: Sequence[Table], path: Path | None = None) -> Path:
    """Replace `<root>/warehouse.duckdb`, or the file `path`, with a catalog of `tables`; return its path.

    One at a time: of two processes that look at the partitions and write, the one that looked first
    could be the last to write, and the other's new table would be an empty view. A catalog that this
    process has made of the same views, and nobody has touched since, is left as it is.
    """
    path = path or root / FILE_NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    changes = path.with_name(f"{path.name}.wal")
    with _alone(path):
        statements = tuple(view_statements(root, tables))
        if _is_as_made(path, statements) and not changes.exists():
            return path
        with replaced_whole(path) as new:
            with duckdb.connect(str(new)) as connection:
                for statement in statements:
                    connection.execute(statement)
            new.chmod(0o444)
            changes.unlink(missing_ok=True)
        _MADE[path] = (stamp_of(path), statements)
    return path


def _is_as_made(path: Path, statements: tuple[str, ...]) -> bool:
    return path.is_file() and _MADE.get(path) == (stamp_of(path), statements)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    # A lock of the kernel on the folder: it ends with the process, however that ends.
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


_SQL_TYPES: dict[object, str] = {
    pl.String: "varchar",
    pl.Int32: "integer",
    pl.Int64: "bigint",
    pl.Float32: "real",
    pl.Float64: "double",
    pl.Date: "date",
    pl.Datetime("us"): "timestamp",
    pl.Boolean: "boolean",
    pl.Binary: "blob",
    pl.List(pl.Int32): "integer[]",
    pl.List(pl.String): "varchar[]",
}


def sql_type(dtype: object) -> str:
    """DuckDB's name of a Polars type used in `schemas`."""
    return _SQL_TYPES[dtype]
