"""What a killed server must have kept, and what dies with it."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from htrisk_dagster.errors import HtriskError
from htrisk_dagster.faults.killed_servers import (
    Server,
    answers,
    broken,
    lost,
    wait_until,
)


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    # A zombie answers too.
    return (Path("/proc") / str(process) / "cmdline").read_bytes() != b""


def with_child(tmp_path: Path) -> tuple[Server, int]:
    told = tmp_path / "child"
    script = f"sleep 60 & echo $! > {told}; wait"
    server = Server(["sh", "-c", script], dict(os.environ), tmp_path / "log")
    wait_until(lambda: told.is_file() and told.read_text().strip() != "", "it starts", tmp_path, 20)
    return server, int(told.read_text())


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="needs Linux's /proc")
def test_a_server_dies_alone_or_with_what_it_has_started(tmp_path: Path) -> None:
    for alone in (True, False):
        folder = tmp_path / str(alone)
        folder.mkdir()
        server, child = with_child(folder)
        server.kill(alone=alone)
        time.sleep(0.1)
        assert is_running(child) is alone
        server.kill()
        time.sleep(0.1)
        assert not is_running(child)


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


def test_waiting_ends_with_the_log(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("no such port")
    with pytest.raises(HtriskError, match=r"Not within 0 s: it answers\. no such port"):
        wait_until(lambda: answers("http://127.0.0.1:9/"), "it answers", tmp_path / "log", 0.1)
