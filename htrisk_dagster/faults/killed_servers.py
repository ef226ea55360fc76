"""Kills of servers: Dagster's daemon with runs in its queue, and MLflow's server with runs being logged.

Belongs here: starting a server as `htrisk ui` does, killing it, what it must have kept. Does not: kills
of runs by themselves (`kill`).

The daemon is killed alone, so that the runs that it has started go on, or with its whole group, as when
the machine goes down. What an MLflow server has said yes to must be there when it is back.
"""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import closing, redirect_stdout
from io import StringIO
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path

import dagster as dg
import numpy as np
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from htrisk_dagster.definitions import build_definitions
from htrisk_dagster.defs.mlflow_tracking import MlflowTracking
from htrisk_dagster.defs.partitions import days_of
from htrisk_dagster.defs.recovery import recover
from htrisk_dagster.defs.servers import Ports, commands, environment
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.errors import HtriskError
from htrisk_dagster.faults.kill_audit import KillAudit
from htrisk_dagster.faults.kill_record import BY_CLOCK, DAEMON, MLFLOW, Kill
from htrisk_dagster.faults.killed_city import END, START, KillCity
from htrisk_dagster.settings import Settings

ALONE, WITH_ITS_RUNS = "alone", "with its runs"
# Seconds; a daemon that starts imports everything twice.
_LONGEST_START, _LONGEST_CATCH_UP = 300.0, 900.0
_ROOT = Path(__file__).parents[2]
_QUEUED: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("features/cell_day", tuple(days_of(START, END))),
    ("models/ewma", (f"{START:%Y-%m}-01",)),
    ("models/kde", (f"{START:%Y-%m}-01",)),
    ("predictions/precinct_day_risk", tuple(days_of(START, END))),
)
"""What is asked for while the daemon is killed: ranges, and two trainings for one slot of a pool."""


class Server:
    """A process in a group of its own.

    Parameters
    ----------
    command : list of str
    env : mapping
        Its whole environment.
    log : Path
        What it prints is added here.
    """

    def __init__(self, command: list[str], env: Mapping[str, str], log: Path) -> None:
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                command, cwd=_ROOT, env=dict(env), stdout=file, stderr=file, start_new_session=True
            )

    def kill(self, *, alone: bool = False) -> None:
        """Kill it, and unless `alone` all that it has started."""
        if alone:
            self._process.kill()
        else:
            end_group(self._process.pid)
        self._process.wait()

    @property
    def group(self) -> int:
        """Its group, which outlives it where it is killed alone."""
        return self._process.pid


def end_group(group: int) -> None:
    """Kill all processes of a group; it may have none any more."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def kill_daemon(
    workspace: Workspace, n: int, rng: np.random.Generator, log: Path, say: Callable[[str], None]
) -> list[Kill]:
    """Kill the daemon `n` times while it works through back-fills, then let it finish them.

    The workspace has been made whole before; what is asked for gives it the same bytes again.
    """
    settings, audit = workspace.settings, KillAudit(workspace)
    wanted, kills = audit.contents(), []
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        for index in range(n):
            if not _open_backfills(instance):
                _ask_for(settings, instance)
            alone = bool(rng.random() < 0.5)
            server = _daemon(settings, log)
            try:
                wait_until(lambda: _is_at_work(instance), "the daemon starts a run", log)
                after = float(rng.uniform(0, 20))
                began = time.time_ns()
                time.sleep(after)
                server.kill(alone=alone)
                if alone:
                    # Runs that go on must be let alone by the next start.
                    recover(workspace, instance)
                    time.sleep(float(rng.uniform(0, 10)))
            finally:
                end_group(server.group)
            half_written = audit.beside()
            wrong = audit.after_kill()
            recover(workspace, instance, patience_s=0.0)
            wrong += [w for w in audit.after_start() if not _is_queued(instance, w)]
            replaced = audit.written_since(began)
            how = ALONE if alone else WITH_ITS_RUNS
            kills.append(Kill(DAEMON, how, BY_CLOCK, after, half_written, replaced, wrong))
            say(f"{DAEMON} {index + 1}, {how}, {after:.1f} s: {'; '.join(wrong) or 'whole'}")
        kills[-1].wrong.extend(_caught_up(workspace, instance, wanted, log))
    return kills


def _caught_up(
    workspace: Workspace, instance: dg.DagsterInstance, wanted: Mapping[str, str], log: Path
) -> list[str]:
    """What is wrong once a daemon that nobody kills has done all that was asked for."""
    server = _daemon(workspace.settings, log)
    try:
        wait_until(
            lambda: not _open_backfills(instance) and not _open_runs(instance),
            "the daemon catches up",
            log,
            _LONGEST_CATCH_UP,
        )
    except HtriskError as error:
        return [str(error)]
    finally:
        server.kill()
    recover(workspace, instance, patience_s=0.0)
    audit = KillAudit(workspace)
    found = audit.contents()
    differing = [n for n in wanted.keys() | found.keys() if wanted.get(n) != found.get(n)]
    return [
        *(f"{name} is not as it was before the daemon was killed." for name in sorted(differing)),
        *audit.after_kill(),
        *audit.after_start(),
    ]


def _daemon(settings: Settings, log: Path) -> Server:
    daemon = Path(sys.executable).parent / "dagster-daemon"
    command = [str(daemon), "run", "-w", str(_ROOT / "workspace.yaml")]
    return Server(command, environment(settings), log)


def _ask_for(settings: Settings, instance: dg.DagsterInstance) -> None:
    graph = build_definitions(settings, [settings.area]).resolve_asset_graph()
    for name, keys in _QUEUED:
        instance.add_backfill(
            PartitionBackfill.from_asset_partitions(
                backfill_id=os.urandom(4).hex(),
                asset_graph=graph,
                partition_names=keys,
                asset_selection=[dg.AssetKey([settings.area, *name.split("/")])],
                backfill_timestamp=time.time(),
                tags={},
                dynamic_partitions_store=instance,
                all_partitions=False,
                title=None,
                description=None,
                run_config=None,
            )
        )


def _open_backfills(instance: dg.DagsterInstance) -> bool:
    return bool(instance.get_backfills(status=BulkActionStatus.REQUESTED))


def _open_runs(instance: dg.DagsterInstance) -> bool:
    return bool(instance.get_runs(dg.RunsFilter(statuses=list(NOT_FINISHED_STATUSES)), limit=1))


def _is_at_work(instance: dg.DagsterInstance) -> bool:
    started = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]
    return bool(instance.get_runs(dg.RunsFilter(statuses=started), limit=1))


def _is_queued(instance: dg.DagsterInstance, sentence: str) -> bool:
    """Whether a sentence is of a run that waits for the next daemon, as it should."""
    waiting = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING]
    runs = instance.get_runs(dg.RunsFilter(statuses=waiting))
    return any(run.run_id in sentence for run in runs)


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


def answers(address: str) -> bool:
    """Whether a server says yes to a request."""
    try:
        with urllib.request.urlopen(address, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


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


def wait_until(
    is_so: Callable[[], bool], what: str, log: Path, longest_s: float = _LONGEST_START
) -> None:
    """Wait until something is so.

    Raises
    ------
    HtriskError
        Where it never is; the message holds the end of the log.
    """
    until = time.monotonic() + longest_s
    while not is_so():
        if time.monotonic() > until:
            told = log.read_text(errors="replace")[-1500:]
            raise HtriskError(f"Not within {longest_s:.0f} s: {what}. {told}")
        time.sleep(0.2)
