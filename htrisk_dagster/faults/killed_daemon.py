"""Kills of Dagster's daemon with runs in its queue.

Belongs here: what is asked for, the kills, what the daemon must have done once nobody kills it. Does not:
kills of runs by themselves (`kill`), starting and ending a server (`server_process`).

The daemon is killed alone, so that the runs that it has started go on, or with its whole group, as when
the machine goes down.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import dagster as dg
import numpy as np
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from htrisk_dagster.definitions import build_definitions
from htrisk_dagster.defs.partitions import days_of
from htrisk_dagster.defs.recovery import recover
from htrisk_dagster.defs.servers import environment
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.errors import HtriskError
from htrisk_dagster.faults.kill_audit import KillAudit
from htrisk_dagster.faults.kill_record import BY_CLOCK, DAEMON, Kill
from htrisk_dagster.faults.killed_city import END, START
from htrisk_dagster.faults.server_process import ROOT, Server, end_group, wait_until
from htrisk_dagster.settings import Settings

ALONE, WITH_ITS_RUNS = "alone", "with its runs"
_LONGEST_CATCH_UP_S = 900.0
_QUEUED: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("features/cell_day", tuple(days_of(START, END))),
    ("models/ewma", (f"{START:%Y-%m}-01",)),
    ("models/kde", (f"{START:%Y-%m}-01",)),
    ("predictions/precinct_day_risk", tuple(days_of(START, END))),
)
"""What is asked for while the daemon is killed: ranges, and two trainings for one slot of a pool."""


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
            _LONGEST_CATCH_UP_S,
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
    command = [str(daemon), "run", "-w", str(ROOT / "workspace.yaml")]
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
