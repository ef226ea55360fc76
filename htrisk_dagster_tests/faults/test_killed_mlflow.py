"""What a killed MLflow server must have kept."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from htrisk_dagster.faults.killed_mlflow import broken, lost


def store(path: Path, *runs: tuple[str, str]) -> Path:
    with closing(sqlite3.connect(path)) as made, made:
        made.execute("create table runs (run_uuid, name, status)")
        made.execute("create table metrics (run_uuid, key, value)")
        for number, (name, status) in enumerate(runs):
            made.execute("insert into runs values (?, ?, ?)", (number, name, status))
            made.execute("insert into metrics values (?, 'number', 1.0)", (number,))
    return path


def test_what_was_acknowledged_and_is_gone_is_named(tmp_path: Path) -> None:
    said = tmp_path / "said.txt"
    said.write_text("run 1\nrun 2\n")
    whole = store(
        tmp_path / "a.db", ("run 1", "FINISHED"), ("run 2", "FINISHED"), ("run 3", "KILLED")
    )
    holed = store(tmp_path / "b.db", ("run 1", "FINISHED"), ("run 2", "RUNNING"))

    assert lost(whole, said) == []
    assert lost(holed, said) == [
        "'run 2' was acknowledged and is lost.",
        "'run 2' is shown as RUNNING.",
    ]
    assert lost(whole, tmp_path / "nothing") == ["Nothing was ever acknowledged."]


def test_a_broken_database_is_named(tmp_path: Path) -> None:
    path = store(tmp_path / "a.db", *(("run", "FINISHED") for _ in range(2000)))
    assert broken(path) == []

    content = bytearray(path.read_bytes())
    content[8192:12288] = b"\xff" * 4096
    path.write_bytes(content)
    (wrong,) = broken(path)
    assert wrong.startswith(f"{path} is broken: ")
