"""What is said of a disk that takes no more, and that other errors stay what they are."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

import polars as pl
import pytest
import typer
from htrisk_dagster.cli.application import sentences
from htrisk_dagster.errors import SettingError, StorageError, storage_fault, storage_faults_told
from htrisk_dagster.schemas.table import Column, Table
from htrisk_dagster.warehouse.partitions import Partitions, write_text_whole

NUMBERS = Table("faults", "numbers", "A number", "Numbers", (Column("n", pl.Int64, "A number."),))


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "no space is left"),
        (errno.EDQUOT, "quota"),
        (errno.EFBIG, "larger than this user may write"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "has no right to"),
        (errno.EIO, "reports an error"),
    ],
)
def test_what_the_system_says_of_a_disk_becomes_a_sentence(number: int, said: str):
    with pytest.raises(StorageError) as told, storage_faults_told(Path("/data/a.parquet")):
        raise OSError(number, os.strerror(number))
    assert str(told.value).startswith("/data/a.parquet cannot be written: ")
    assert said in str(told.value)
    assert str(told.value).endswith("What was there before is whole.")
    assert "Errno" not in str(told.value)


def test_a_real_full_device_is_told():
    """Linux's device that is always full."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs /dev/full")
    with pytest.raises(StorageError, match="no space is left"), storage_faults_told(full):
        full.write_bytes(b"a")


def test_sqlites_own_words_are_known():
    with sqlite3.connect(":memory:") as database:
        database.execute("pragma max_page_count = 2")
        database.execute("create table a (b)")
        with pytest.raises(sqlite3.OperationalError) as full:
            database.executemany("insert into a values (?)", [("x" * 3000,)] * 9)
    assert storage_fault(str(full.value)) == storage_fault(os.strerror(errno.ENOSPC))


def test_other_errors_stay_what_they_are():
    assert storage_fault("No such file or directory") is None
    with pytest.raises(KeyError), storage_faults_told(Path("a")):
        raise KeyError("b")
    with (
        pytest.raises(SettingError, match=r"^No space left on device$"),
        storage_faults_told(Path("a")),
    ):
        raise SettingError(os.strerror(errno.ENOSPC))


def test_a_partition_that_cannot_be_replaced_stays_and_leaves_nothing_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    store = Partitions(tmp_path, "a")
    before = store.write(NUMBERS, pl.DataFrame({"n": [1]})).read_bytes()

    def full(frame: pl.DataFrame, path: Path, **_: object) -> None:
        path.write_bytes(before[:9])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(pl.DataFrame, "write_parquet", full)
        with pytest.raises(StorageError, match=r"all\.parquet cannot be written: no space"):
            store.write(NUMBERS, pl.DataFrame({"n": [2]}))

    assert [p.name for p in store.folder(NUMBERS).iterdir()] == ["all.parquet"]
    assert store.path(NUMBERS).read_bytes() == before


def test_text_is_replaced_whole_or_not_at_all(tmp_path: Path):
    path = write_text_whole(tmp_path / "a.txt", "old")
    with pytest.raises(UnicodeEncodeError):
        write_text_whole(path, "new \ud800")
    assert (path.read_text(), [p.name for p in tmp_path.iterdir()]) == ("old", ["a.txt"])


def test_the_command_says_a_fault_of_the_disk_in_one_line(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(typer.Exit) as ended, sentences():
        raise sqlite3.OperationalError("attempt to write a readonly database\n[SQL: insert]")
    assert ended.value.exit_code == 1
    said = capsys.readouterr().err
    assert said.startswith("htrisk: The workspace cannot be used: its file system is read-only.")
    assert said.count("\n") == 1
    with pytest.raises(typer.Exit), sentences():
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/data/a.csv")
    said = capsys.readouterr().err
    assert said.startswith("htrisk: /data/a.csv cannot be used: this user has no right to.")
    with pytest.raises(ZeroDivisionError), sentences():
        raise ZeroDivisionError
