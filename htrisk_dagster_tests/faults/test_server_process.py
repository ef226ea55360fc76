"""What dies with a server that is killed, and how long one is waited for."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from htrisk_dagster.errors import HtriskError
from htrisk_dagster.faults.server_process import Server, answers, wait_until


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


def test_waiting_ends_with_the_log(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("no such port")
    with pytest.raises(HtriskError, match=r"Not within 0 s: it answers\. no such port"):
        wait_until(lambda: answers("http://127.0.0.1:9/"), "it answers", tmp_path / "log", 0.1)
