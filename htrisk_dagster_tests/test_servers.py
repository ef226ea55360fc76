"""`htrisk ui`: all servers answer, on loopback only, and end together."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from htrisk_dagster.cli import app
from htrisk_dagster_tests.reverse_proxy import (
    MISSING,
    require_login_before_the_servers,
    running_proxy,
)
from typer.testing import CliRunner

HTRISK = Path(sys.executable).parent / "htrisk"
PORT_OPTIONS = ("--port", "--mlflow-port", "--dashboard-port")
_LISTEN = "0A"


def free_ports(n: int) -> list[int]:
    sockets = [socket.socket() for _ in range(n)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def wait_for(what: str, seconds: float, is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, f"{what}: not within {seconds} s"
        time.sleep(0.3)


def status(url: str) -> int | None:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


def processes_of(group: int) -> dict[int, str]:
    """Live processes of a session, by id, with their command lines."""
    found = {}
    for folder in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
            if folder.name.isdigit() and int(fields[3]) == group and fields[0] != "Z":
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                found[int(folder.name)] = command
    return found


def listening(pids: set[int]) -> set[tuple[str, int]]:
    """Address in hexadecimal and port of every TCP socket that processes listen on."""
    inodes = set()
    for pid in pids:
        with suppress(OSError):
            inodes |= {str(f.readlink()) for f in Path(f"/proc/{pid}/fd").iterdir()}
    found = set()
    for table in ("tcp", "tcp6"):
        path = Path("/proc/net") / table
        for line in path.read_text().splitlines()[1:] if path.exists() else []:
            fields = line.split()
            if fields[3] == _LISTEN and f"socket:[{fields[9]}]" in inodes:
                address, port = fields[1].split(":")
                found.add((address, int(port, 16)))
    return found


@pytest.fixture
def ui(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], dict[str, int]]]:
    """The command in a session of its own, with its ports by option."""
    ports = dict(zip(PORT_OPTIONS, free_ports(len(PORT_OPTIONS)), strict=True))
    options = [str(part) for pair in ports.items() for part in pair]
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("HTRISK_", "DAGSTER_"))},
        "HOME": str(tmp_path),
        "HTRISK_HOME": str(tmp_path / "workspaces"),
        "HTRISK_PRESET": "tiny",
    }
    with (tmp_path / "ui.log").open("wb") as log:
        process = subprocess.Popen(
            [str(HTRISK), "ui", *options],
            env=environment, cwd=tmp_path, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    yield process, ports
    for pid in processes_of(process.pid):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait(timeout=30)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux's /proc")
def test_all_servers_answer_on_loopback_and_end_together(
    ui: tuple[subprocess.Popen[bytes], dict[str, int]], tmp_path: Path
) -> None:
    process, ports = ui
    dagster, mlflow, dashboard = ports.values()

    def answer() -> bool:
        assert process.poll() is None, (tmp_path / "ui.log").read_text()
        return (
            status(f"http://127.0.0.1:{dagster}/server_info") == 200
            and status(f"http://127.0.0.1:{mlflow}/health") == 200
            and status(f"http://127.0.0.1:{dashboard}/") == 200
        )

    wait_for("all servers answer", 90, answer)
    said = (tmp_path / "ui.log").read_text()
    assert all(f"http://127.0.0.1:{port}\n" in said for port in ports.values())

    running = processes_of(process.pid)
    heard = listening(set(running))
    assert set(ports.values()) <= {port for _, port in heard}
    # 127.0.0.1 in the kernel's byte order; an address of another form would be open to others.
    assert {address for address, _ in heard} == {"0100007F"}
    assert any("daemon" in command for command in running.values())

    if not MISSING:
        behind = {"dagster": dagster, "mlflow": mlflow, "dashboard": dashboard}
        own = dict(zip(behind, free_ports(len(behind)), strict=True))
        with running_proxy(tmp_path / "proxy", own, behind) as proxy:
            require_login_before_the_servers(proxy)

    process.terminate()
    process.wait(timeout=60)
    wait_for("every child ends", 30, lambda: not processes_of(process.pid))


@pytest.mark.parametrize("option", PORT_OPTIONS)
def test_a_taken_port_is_told_and_nothing_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", "")
    ports = dict(zip(PORT_OPTIONS, map(str, free_ports(len(PORT_OPTIONS))), strict=True))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(ports[option])))
        taken.listen()
        arguments = [part for pair in ports.items() for part in pair]
        result = CliRunner().invoke(app, ["ui", *arguments])

    assert result.exit_code == 1
    assert result.stderr.startswith(f"htrisk: Port {ports[option]} of 127.0.0.1 is taken (")
    assert f"give another with {option}." in result.stderr
    assert result.stdout == ""
