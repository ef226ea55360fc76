"""Kills of MLflow's server while runs are logged to it.

Belongs here: the kills, the process that logs, and what the server must have kept: what it has said yes to
must be there when it is back. Does not: starting and ending a server (`server_process`).
"""

from __future__ import annotations

import os
import socket
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, redirect_stdout
from io import StringIO
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np

from htrisk_dagster.defs.mlflow_tracking import MlflowTracking
from htrisk_dagster.defs.servers import Ports, commands, environment
from htrisk_dagster.faults.kill_record import BY_CLOCK, MLFLOW, Kill
from htrisk_dagster.faults.killed_city import KillCity
from htrisk_dagster.faults.server_process import Server, answers, wait_until


def kill_mlflow(
    folder: Path, n: int, rng: np.random.Generator, say: Callable[[str], None]
) -> list[Kill]:
    """Kill MLflow's server `n` times while a process logs runs to it, and start it again."""
    settings = KillCity(folder).settings
    store = settings.mlflow_store
    MlflowTracking(settings.tracking_uri, store).prepare()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = commands(settings, Ports(0, port, 0))["mlflow"]
    log, said = folder / "mlflow.log", folder / "acknowledged.txt"
    context = get_context("spawn")
    stop = context.Event()
    address = f"http://127.0.0.1:{port}"
    client = context.Process(target=_log_until, args=(address, store, said, stop))
    kills = []
    server = Server(command, environment(settings), log)
    client.start()
    try:
        for index in range(n):
            wait_until(lambda: answers(f"{address}/health"), "MLflow answers", log)
            after = float(rng.uniform(0, 4))
            time.sleep(after)
            server.kill()
            wrong = broken(store / "mlflow.db")
            server = Server(command, environment(settings), log)
            kills.append(Kill(MLFLOW, "logging", BY_CLOCK, after, 0, 0, wrong))
            say(f"{MLFLOW} {index + 1}, {after:.1f} s: {'; '.join(wrong) or 'whole'}")
        wait_until(lambda: answers(f"{address}/health"), "MLflow answers", log)
        stop.set()
        client.join(timeout=120)
    finally:
        client.kill()
        server.kill()
    MlflowTracking(settings.tracking_uri, store).close_dead_runs()
    kills[-1].wrong.extend(lost(store / "mlflow.db", said))
    return kills


def _log_until(address: str, store: Path, said: Path, stop: Event) -> None:
    """Log one small run after another; write down each that was acknowledged."""
    os.environ |= {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "5"}
    tracking, number = MlflowTracking(address, store), 0
    while not stop.is_set():
        number += 1
        try:
            with redirect_stdout(StringIO()):
                tracking.log_values("kill", f"run {number}", {"number": number}, {}, "none")
        except Exception:  # the server is away: that is what is tried
            time.sleep(0.2)
            continue
        with said.open("a") as file:
            file.write(f"run {number}\n")


def broken(database: Path) -> list[str]:
    """What SQLite says of its own file, where it is not whole."""
    try:
        with closing(sqlite3.connect(database, timeout=30)) as connection:
            (found,) = connection.execute("pragma integrity_check").fetchone()
    except sqlite3.DatabaseError as error:
        found = str(error)
    return [] if found == "ok" else [f"{database} is broken: {found}."]


def lost(database: Path, said: Path) -> list[str]:
    """Runs that were acknowledged and are not there whole, and runs that stay open."""
    whole = (
        "select name from runs join metrics using (run_uuid) "
        "where status = 'FINISHED' and key = 'number'"
    )
    with closing(sqlite3.connect(database, timeout=30)) as connection:
        there = {name for (name,) in connection.execute(whole)}
        running = [
            r for (r,) in connection.execute("select name from runs where status = 'RUNNING'")
        ]
    acknowledged = said.read_text().splitlines() if said.is_file() else []
    lost = [name for name in acknowledged if name not in there]
    found = [f"'{name}' was acknowledged and is lost." for name in lost]
    found += [f"'{name}' is shown as RUNNING." for name in running]
    return found if acknowledged else [*found, "Nothing was ever acknowledged."]
