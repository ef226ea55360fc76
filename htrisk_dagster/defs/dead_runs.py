"""Runs whose process is gone: told from those that go on, closed, and what they leave to be done again.

Belongs here: `under way` marks of runs, closing dead runs, freeing their slots. Does not: files that
they left (`warehouse/leftovers`), MLflow's runs (`mlflow_runs.py`), when this is done (`recovery.py`).

Dagster marks a killed run as failed only where the server that started it lives on. A run of
`htrisk run`, or one whose server was killed with it, stays STARTED for ever and keeps its slot of a
pool, so that no run of the pool ever starts again.
https://docs.dagster.io/deployment/execution/run-monitoring
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
from dagster._core.launcher import DefaultRunLauncher
from dagster._core.storage.dagster_run import FINISHED_STATUSES, DagsterRun, RunRecord

from htrisk_dagster.defs.partitions import days_of, months_of
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.warehouse.living import dead_names, forget, is_living, living
from htrisk_dagster.warehouse.partitions import WHOLE

_WITH_PROCESS = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
# A run tells that it has started some milliseconds before its process takes its name.
PATIENCE_S = 120.0
_NEWEST = 200
_LEFT = "htrisk/left_undone"
_NOTHING, _ALL = "nothing", "all"
_STARTS, _ENDS = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


@contextmanager
def under_way(dagster_home: Path, run_id: str) -> Iterator[None]:
    """Show that the process of a run lives, as long as it does."""
    with living(_names(dagster_home), run_id):
        yield


def workspace_of_runs(workspace: Workspace) -> dg.ResourceDefinition:
    """The workspace as a resource; a run that holds it is seen to be under way."""

    @dg.resource
    def given(context: dg.InitResourceContext) -> Iterator[Workspace]:
        if context.run is None:
            yield workspace
            return
        with under_way(workspace.settings.dagster_home, context.run.run_id):
            yield workspace

    return given


def close_dead_runs(
    instance: dg.DagsterInstance, dagster_home: Path, *, patience_s: float = PATIENCE_S
) -> list[str]:
    """Mark runs as failed whose process is gone, and free every slot that no run holds.

    Returns
    -------
    list of str
        Ids of the runs that were closed.
    """
    names = _names(dagster_home)
    dead = dead_names(names)
    # A run that another launcher has placed may live on a machine whose names nobody here sees.
    if not isinstance(instance.run_launcher, DefaultRunLauncher):
        patience_s = float("inf")
    closed = []
    for record in instance.get_run_records(dg.RunsFilter(statuses=_WITH_PROCESS)):
        run = record.dagster_run
        if _is_dead(record, is_living(names, run.run_id), patience_s):
            instance.report_run_failed(
                run, "Its process is gone. What it was to make is made again."
            )
            closed.append(run.run_id)
    _free_slots(instance)
    forget(names, dead)
    return closed


def left_undone(instance: dg.DagsterInstance) -> dict[dg.AssetKey, frozenset[str]]:
    """Partitions that a run which died was to make, and no run has made whole since.

    A file may lie at its place already: its run died before the checks, or before the rest of the
    step. Without partitions, it is the one key `all`.
    """
    ended = _ended_from_first_dead(instance)
    open_keys: dict[dg.AssetKey, set[str]] = {}
    for run in reversed(ended):
        made = run.status is dg.DagsterRunStatus.SUCCESS
        if not made and not _has_died(instance, run):
            continue
        keys = _partitions(run)
        for asset in _planned(instance, run):
            before = open_keys.setdefault(asset, set())
            open_keys[asset] = before - keys if made else before | keys
    found = {asset: frozenset(keys) for asset, keys in open_keys.items() if keys}
    if ended and not found:
        _settle(instance)
    return found


def _names(dagster_home: Path) -> Path:
    return dagster_home / "under_way"


def _is_dead(record: RunRecord, lives: bool | None, patience_s: float) -> bool:
    if lives is None:
        return time.time() - record.update_timestamp.timestamp() > patience_s
    return not lives


def _free_slots(instance: dg.DagsterInstance) -> None:
    storage = instance.event_log_storage
    for pool in storage.get_concurrency_keys():
        held = storage.get_concurrency_info(pool)
        of_runs = {s.run_id for s in held.claimed_slots} | {s.run_id for s in held.pending_steps}
        for run_id in of_runs:
            run = instance.get_run_by_id(run_id)
            if run is None or run.is_finished:
                storage.free_concurrency_slots_for_run(run_id)


def _ended_from_first_dead(instance: dg.DagsterInstance) -> list[DagsterRun]:
    """Ended runs since the oldest that died and is not settled, newest first; empty if there is none."""
    failed = instance.get_run_records(
        dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]),
        limit=_NEWEST,
    )
    dead = [r for r in failed if _has_died(instance, r.dagster_run)]
    if not dead:
        return []
    first = dead[-1]
    # The filter leaves out the moment itself.
    since = first.create_timestamp - timedelta(seconds=1)
    ended = dg.RunsFilter(statuses=list(FINISHED_STATUSES), created_after=since)
    records = instance.get_run_records(ended)
    return [r.dagster_run for r in records if r.storage_id >= first.storage_id]


def _has_died(instance: dg.DagsterInstance, run: DagsterRun) -> bool:
    """Whether a run that failed was cut off: it had begun, and no step of it said that it failed."""
    told = run.tags.get(_LEFT)
    if told is None:
        stats = instance.get_run_stats(run.run_id)
        has_begun = stats.start_time is not None
        told = _ALL if has_begun and stats.steps_failed == 0 else _NOTHING
        instance.add_run_tags(run.run_id, {_LEFT: told})
    return told == _ALL


def _settle(instance: dg.DagsterInstance) -> None:
    for run in instance.get_runs(dg.RunsFilter(tags={_LEFT: _ALL})):
        instance.add_run_tags(run.run_id, {_LEFT: _NOTHING})


def _planned(instance: dg.DagsterInstance, run: DagsterRun) -> Iterable[dg.AssetKey]:
    if run.asset_selection:
        return run.asset_selection
    planned = dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED
    events = (e.dagster_event for e in instance.all_logs(run.run_id, of_type=planned))
    return {e.asset_key for e in events if e is not None and e.asset_key is not None}


def _partitions(run: DagsterRun) -> set[str]:
    key = run.tags.get("dagster/partition")
    if key is not None:
        return {key}
    if _STARTS not in run.tags:
        return {WHOLE}
    first, last = (date.fromisoformat(run.tags[tag]) for tag in (_STARTS, _ENDS))
    # A range of months holds days that are no keys; nobody asks for them.
    return {*days_of(first, last), *months_of(first, last)}
