"""A backup beside a writer holds whole files, and all that its databases tell of."""

from __future__ import annotations

import io
import os
import sqlite3
import stat
import tarfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from htrisk_dagster.errors import SourceError, StorageError
from htrisk_dagster.warehouse.partitions import write_bytes_whole
from htrisk_dagster.warehouse.workspace_archive import (
    MANIFEST,
    archive_workspace,
    unpack_workspace,
)

SIZE = 50_000


def small_workspace(folder: Path) -> Path:
    workspace = folder / "files"
    write_bytes_whole(workspace / "warehouse/raw/t/area=nyc/0.parquet", b"0" * SIZE)
    write_bytes_whole(workspace / "warehouse/warehouse.duckdb", b"views")
    write_bytes_whole(workspace / "dbt/nyc/external/x.parquet", b"scratch")
    (workspace / "warehouse/raw/t/area=nyc/.1.parquet.9.tmp").write_bytes(b"half")
    (workspace / "dagster").mkdir()
    with closing(sqlite3.connect(workspace / "dagster/runs.db")) as database:
        database.execute("pragma journal_mode = wal")
        database.execute("create table done (partition integer)")
    return workspace


@contextmanager
def writer_beside(workspace: Path) -> Iterator[threading.Event]:
    """Write partitions one after another, each recorded once it is there, until told to stop."""
    stop = threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(workspace / "dagster/runs.db", timeout=30)) as database:
            number = 0
            while not stop.is_set():
                number += 1
                content = str(number % 10).encode() * SIZE
                for name in (str(number % 40), "newest"):
                    write_bytes_whole(
                        workspace / f"warehouse/raw/t/area=nyc/{name}.parquet", content
                    )
                database.execute("insert into done values (?)", (number,))
                database.commit()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join()


def test_beside_a_writer_every_file_is_whole_and_every_record_has_its_file(tmp_path: Path):
    workspace = small_workspace(tmp_path)
    with writer_beside(workspace):
        for attempt in range(5):
            archive_workspace(workspace, tmp_path / f"{attempt}.tar")

    recorded = 0
    for attempt in range(5):
        restored = tmp_path / f"restored-{attempt}"
        unpack_workspace(tmp_path / f"{attempt}.tar", restored)
        partitions = {p.stem: p.read_bytes() for p in restored.glob("warehouse/raw/t/*/*.parquet")}
        for name, content in partitions.items():
            assert len(content) == SIZE, name
            assert len(set(content)) == 1, f"{name} is of two versions"
        with closing(sqlite3.connect(restored / "dagster/runs.db")) as database:
            assert database.execute("pragma integrity_check").fetchone() == ("ok",)
            done = [n for (n,) in database.execute("select partition from done order by rowid")]
        assert done == list(range(1, len(done) + 1))
        assert {str(n % 40) for n in done} <= set(partitions)
        recorded += len(done)
    assert recorded > 0, "the writer was at work"


def test_what_is_scratch_or_half_written_stays_out_and_only_the_owner_reads(tmp_path: Path):
    workspace = small_workspace(tmp_path)
    made = archive_workspace(workspace, tmp_path / "a.tar")

    with tarfile.open(made.path) as archive:
        names = archive.getnames()
    assert sorted(names) == ["dagster/runs.db", MANIFEST, "warehouse/raw/t/area=nyc/0.parquet"]
    assert (made.files, made.unsettled) == (2, ())
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o600
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def rewritten(archive: Path, to: Path, change: str) -> Path:
    """The archive with one member altered, missing, added, or leading elsewhere."""
    with tarfile.open(archive) as source, tarfile.open(to, "w") as target:
        for member in source.getmembers():
            content = source.extractfile(member).read()  # type: ignore[union-attr]
            if member.name.endswith(".parquet"):
                if change == "missing":
                    continue
                if change == "altered":
                    content = b"1" + content[1:]
            target.addfile(member, io.BytesIO(content))
        extra = {"added": "warehouse/more.parquet", "outside": "../outside.txt",
                 "absolute": "/tmp/outside.txt"}.get(change)  # fmt: skip
        if extra:
            info = tarfile.TarInfo(extra)
            info.size = 3
            target.addfile(info, io.BytesIO(b"bad"))
        if change == "link":
            info = tarfile.TarInfo("warehouse/link")
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            target.addfile(info)
    return to


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("altered", "'warehouse/raw/t/area=nyc/0.parquet' is altered"),
        ("missing", "'warehouse/raw/t/area=nyc/0.parquet' is missing"),
        ("added", "'warehouse/more.parquet' is not in the manifest"),
        ("outside", "outside"),
        ("absolute", "not in the manifest"),
        ("link", "link"),
    ],
)
def test_an_archive_that_is_not_what_was_written_is_refused_whole(tmp_path, change, said):
    good = archive_workspace(small_workspace(tmp_path), tmp_path / "a.tar").path
    bad = rewritten(good, tmp_path / "b.tar", change)

    with pytest.raises(SourceError, match=f"no whole backup of a workspace: .*{said}"):
        unpack_workspace(bad, tmp_path / "new/place")

    assert not (tmp_path / "new/place").exists()
    assert not (tmp_path / "new/outside.txt").exists()


def test_a_cut_archive_and_no_archive_are_refused(tmp_path: Path):
    good = archive_workspace(small_workspace(tmp_path), tmp_path / "a.tar").path
    cut = tmp_path / "cut.tar"
    cut.write_bytes(good.read_bytes()[:30_000])
    for path in (cut, tmp_path / "none.tar"):
        with pytest.raises(SourceError, match="Nothing was restored"):
            unpack_workspace(path, tmp_path / "new")
    with pytest.raises(SourceError, match="There is no workspace"):
        archive_workspace(tmp_path / "nowhere", tmp_path / "x.tar")


def test_a_failure_leaves_the_backup_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    workspace = small_workspace(tmp_path)
    before = archive_workspace(workspace, tmp_path / "a.tar").path.read_bytes()

    def full(*given: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("htrisk_dagster.warehouse.workspace_archive._add", full)
    with pytest.raises(StorageError, match="no space is left on its disk"):
        archive_workspace(workspace, tmp_path / "a.tar")
    assert (tmp_path / "a.tar").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []
