"""Parquet partitions: written beside and renamed, so a reader sees the old or the new, never half.

Belongs here: where a partition lies, how it is replaced, how partitions are read back, and the
fingerprint of what each was made from. Does not: what is in a table (`schemas`), SQL (`catalog`).

Layout: `<root>/<layer>/<table>/area=<area>/<key>.parquet`. The area is a Hive partition, so that
one view serves all areas. A table without time has the single key `all`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from htrisk_dagster.errors import MissingPartitionError, storage_faults_told
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.warehouse.leftovers import beside

WHOLE = "all"
_MADE_FROM = "htrisk_made_from"
_FILES_KEPT = 1 << 16  # files whose digests a process keeps
WRITERS = 4  # a small file takes one core to compress and waits for the disk
Stamp = tuple[int, int, int, int]


@contextmanager
def replaced_whole(path: Path) -> Iterator[Path]:
    """Give a path beside `path` to write to; on success it is synced and takes its place.

    An exception, or a kill, leaves what was there. The name beside starts with a dot and does not
    end in `.parquet`, so no glob ever reads it; `leftovers` tells how it is swept away.

    Raises
    ------
    StorageError
        Where the disk is full, read-only or not ours.
    """
    new = beside(path)
    with storage_faults_told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        # What a killed process of the same number left would be written on by some.
        new.unlink(missing_ok=True)
        try:
            yield new
            with new.open("rb") as handle:
                os.fsync(handle.fileno())
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)


def write_text_whole(path: Path, text: str) -> Path:
    """Write `text` to `path` through `replaced_whole`."""
    with replaced_whole(path) as new:
        new.write_text(text, encoding="utf-8")
    return path


def write_bytes_whole(path: Path, content: bytes) -> Path:
    """Write `content` to `path` through `replaced_whole`."""
    with replaced_whole(path) as new:
        new.write_bytes(content)
    return path


def fingerprint_of(*parts: object) -> str:
    """SHA-256 of the parts' text, first 16 hex digits: enough to tell what changed."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(repr(part).encode())
        digest.update(b"\x1f")
    return digest.hexdigest()[:16]


def stamp_of(path: Path) -> Stamp:
    """Inode, size and times of a file: it is another file, or another content, where they differ.

    The time of change is the file system's own: nobody sets it back.
    """
    at = path.stat()
    return at.st_ino, at.st_size, at.st_mtime_ns, at.st_ctime_ns


def files_fingerprint(paths: Iterable[Path]) -> str:
    """Fingerprint of files by name and bytes, whatever their folder and dates."""
    return fingerprint_of(*((path.name, _bytes_of(path, stamp_of(path))) for path in paths))


# A plan asks before a run, and the run again when it has read them.
@lru_cache(maxsize=_FILES_KEPT)
def _bytes_of(path: Path, stamp: Stamp) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def by_month(frame: pl.DataFrame, day_column: str) -> dict[str, pl.DataFrame]:
    """Rows by month of `day_column`, the key the first of the month as an ISO date, in order."""
    month = pl.col(day_column).dt.strftime("%Y-%m-01").alias("_month")
    parts = frame.with_columns(month).partition_by("_month", as_dict=True, include_key=False)
    return {str(key): rows for (key,), rows in sorted(parts.items())}


def cut_evenly(frame: pl.DataFrame, keys: Sequence[str]) -> dict[str, pl.DataFrame]:
    """Rows by key, of a frame that holds as many of each, in the order of `keys`."""
    size = frame.height // len(keys)
    return {key: frame.slice(index * size, size) for index, key in enumerate(keys)}


@dataclass(frozen=True)
class Partitions:
    """The partitions of one study area below one root folder.

    Parameters
    ----------
    root : Path
        The warehouse, or the restricted store.
    area : str
        Name of the study area.
    """

    root: Path
    area: str

    def folder(self, table: Table) -> Path:
        """Folder of the area's partitions of `table`."""
        return self.root / table.layer / table.name / f"area={self.area}"

    def path(self, table: Table, key: str = WHOLE) -> Path:
        """File of one partition."""
        return self.folder(table) / f"{key}.parquet"

    def keys(self, table: Table) -> list[str]:
        """Keys that have been made, in order."""
        return sorted(p.stem for p in self.folder(table).glob("*.parquet"))

    def write(
        self, table: Table, frame: pl.DataFrame, key: str = WHOLE, *, made_from: str = ""
    ) -> Path:
        """Check `frame` against `table` and replace partition `key` with it.

        The bytes depend on the rows and on `made_from` alone: no time, no host, no thread count.

        Raises
        ------
        TableError
            Where the frame breaks the table's schema; nothing is written.
        """
        return self.write_unchecked(table, table.conform(frame), key, made_from=made_from)

    def write_unchecked(
        self, table: Table, frame: pl.DataFrame, key: str = WHOLE, *, made_from: str = ""
    ) -> Path:
        """Replace partition `key` with rows already checked, or without a fixed schema."""
        path = self.path(table, key)
        with replaced_whole(path) as new:
            frame.write_parquet(
                new,
                compression="zstd",
                row_group_size=1 << 20,
                metadata={_MADE_FROM: made_from},
            )
        return path

    def write_each(
        self, table: Table, rows: Mapping[str, pl.DataFrame], made_from: Mapping[str, str]
    ) -> list[Path]:
        """Replace partitions, by key, with rows already checked; several are written at once.

        One that fails, or a kill, leaves some replaced and some not, each of them whole.
        """

        def write(key: str) -> Path:
            return self.write_unchecked(table, rows[key], key, made_from=made_from.get(key, ""))

        with ThreadPoolExecutor(WRITERS) as writers:
            return list(writers.map(write, rows))

    def read(self, table: Table, keys: Iterable[str] | None = None) -> pl.DataFrame:
        """Read partitions in key order; all there are if `keys` is None.

        Raises
        ------
        MissingPartitionError
            Where one of `keys` has not been made; the message names the first and what makes it.
        """
        wanted = self.keys(table) if keys is None else list(keys)
        paths = [self.path(table, key) for key in wanted]
        for key, path in zip(wanted, paths, strict=True):
            if not path.is_file():
                raise MissingPartitionError(
                    f"Partition '{key}' of {table.full_name} for area '{self.area}' has not been made "
                    f"({path} is absent). Materialise {self.area}/{table.layer}/{table.name} for it first."
                )
        if not paths:
            return table.empty()
        return pl.read_parquet(paths, hive_partitioning=False, glob=False)

    def made_from(self, table: Table) -> Mapping[str, str]:
        """Fingerprint of what each partition was made from, by key."""
        return {p.stem: _made_from(*at) for p, at in self._as_they_are(table).items()}

    def contents(self, table: Table) -> Mapping[str, str]:
        """Digest of each partition's rows, by key; the same for the same rows."""
        return {p.stem: _content(*at) for p, at in self._as_they_are(table).items()}

    def stamps(self, table: Table) -> tuple[tuple[Path, Stamp], ...]:
        """Each file of a table and what tells it from another that takes its place, in order of key."""
        return tuple(self._as_they_are(table).values())

    def _as_they_are(self, table: Table) -> dict[Path, tuple[Path, Stamp]]:
        """Files of a table, each with what tells it from another that takes its place."""
        return {
            path: (path, stamp_of(path)) for path in sorted(self.folder(table).glob("*.parquet"))
        }

    def drop(self, table: Table, keys: Iterable[str]) -> None:
        """Remove partitions whose rows are gone from the source."""
        for key in keys:
            self.path(table, key).unlink(missing_ok=True)


# A process asks for the same digests before and after each of its steps: a file is read once.
@lru_cache(maxsize=_FILES_KEPT)
def _made_from(path: Path, stamp: Stamp) -> str:
    metadata = pq.read_metadata(path).metadata or {}
    return bytes(metadata.get(_MADE_FROM.encode(), b"")).decode()


@lru_cache(maxsize=_FILES_KEPT)
def _content(path: Path, stamp: Stamp) -> str:
    # The data pages without the footer, which holds `made_from`: the same rows made from another
    # file must not look like new rows to what is built on them.
    content = path.read_bytes()
    footer_length = int.from_bytes(content[-8:-4], "little") + 8
    digest = hashlib.sha256(str(pq.read_schema(path).remove_metadata()).encode())
    digest.update(memoryview(content)[:-footer_length])
    return digest.hexdigest()[:16]
