"""What runs have not made: partitions that failed, with the sentence of the error, and files that are gone.

Belongs here: reading Dagster's history for it, and the words of an error. Does not: making them
(`runs.py`), what is out of date though it was made (`plan.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
from dagster import DagsterEvent, DagsterEventType
from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph
from dagster_shared.error import SerializableErrorInfo

from htrisk_dagster import errors
from htrisk_dagster.defs.partitions import unbroken_runs

_ENDED_BADLY = (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
_OF_A_RUN = {DagsterEventType.STEP_FAILURE, DagsterEventType.ASSET_CHECK_EVALUATION}
# Sentences for the user, by the name of their class: that is what Dagster keeps of an error.
_SENTENCES = frozenset(
    name for name, found in vars(errors).items()
    if isinstance(found, type) and issubclass(found, errors.HtriskError)
)  # fmt: skip
GONE = "It was made, and its file is gone."


@dataclass(frozen=True)
class Unmade:
    """Assets that one run should have made, and did not.

    Parameters
    ----------
    assets : tuple of AssetKey
        In the order in which they are made; the first is the one that failed.
    keys : tuple of str
        Partitions, consecutive; empty for assets without time.
    sentence : str
        Why.
    """

    assets: tuple[dg.AssetKey, ...]
    keys: tuple[str, ...]
    sentence: str

    def __str__(self) -> str:
        return f"{self.title}: {self.sentence}"

    @property
    def title(self) -> str:
        """Which assets and partitions these are."""
        others = len(self.assets) - 1
        after = f" and {others} after it" if others else ""
        first_last = dict.fromkeys((*self.keys[:1], *self.keys[-1:]))
        days = f", {' to '.join(first_last)}" if self.keys else ""
        return f"{self.assets[0].to_user_string()}{after}{days}"


def unmade(
    definitions: dg.Definitions, instance: dg.DagsterInstance, warehouse: Path
) -> list[Unmade]:
    """All that has failed and was not made since, or was made and is gone, in the order to make it.

    Parameters
    ----------
    definitions : dagster.Definitions
    instance : DagsterInstance
        Whose history is read.
    warehouse : Path
        Folder of the Parquet partitions.
    """
    graph = definitions.resolve_asset_graph()
    found: dict[tuple[str, str], dict[str, list[dg.AssetKey]]] = {}
    for key in graph.toposorted_asset_keys:
        if not graph.get(key).is_materializable:
            continue
        for partition, run_id in _failed(graph, instance, key).items():
            found.setdefault((run_id, ""), {}).setdefault(partition, []).append(key)
        for partition in _gone(graph, instance, key, warehouse):
            found.setdefault(("", key.to_user_string()), {}).setdefault(partition, []).append(key)
    order = {key: i for i, key in enumerate(graph.toposorted_asset_keys)}
    listed = [
        Unmade(assets, keys, reason_of_run(instance, run_id) if run_id else GONE)
        for (run_id, _), by_partition in found.items()
        for assets, keys in _ranges(by_partition)
    ]
    return sorted(listed, key=lambda each: (order[each.assets[0]], each.keys))


def _ranges(
    by_partition: dict[str, list[dg.AssetKey]],
) -> Iterator[tuple[tuple[dg.AssetKey, ...], tuple[str, ...]]]:
    """Partitions of which the same assets are to be made, in stretches without a gap."""
    whole = tuple(by_partition.pop("", ()))
    grouped: dict[tuple[dg.AssetKey, ...], list[str]] = {}
    for partition, of_partition in sorted(by_partition.items()):
        grouped.setdefault(tuple(of_partition), []).append(partition)
    for assets, keys in grouped.items():
        for stretch in unbroken_runs(keys):
            # What has no time is made with the partitions of its run, after what it is made from.
            yield (*assets, *whole), stretch
            whole = ()
    if whole:
        yield whole, ()


def _failed(
    graph: BaseAssetGraph[Any], instance: dg.DagsterInstance, key: dg.AssetKey
) -> dict[str, str]:
    """Run by partition, or by the empty text, that was to make an asset and ended without it."""
    if graph.get(key).is_partitioned:
        storage = instance.event_log_storage
        tried = (
            storage.get_latest_asset_partition_materialization_attempts_without_materializations(
                key
            )
        )
        runs = {partition: run_id for partition, (run_id, _) in tried.items()}
    else:
        records = instance.get_asset_records([key])
        entry = records[0].asset_entry if records else None
        planned = entry.last_run_id if entry else None  # the last that was to make it
        made = entry.last_materialization if entry else None
        runs = {"": planned} if planned and (made is None or made.run_id != planned) else {}
    return {p: run_id for p, run_id in runs.items() if _ended_badly(instance, run_id)}


def _ended_badly(instance: dg.DagsterInstance, run_id: str) -> bool:
    run = instance.get_run_by_id(run_id)
    return run is not None and run.status in _ENDED_BADLY


def _gone(
    graph: BaseAssetGraph[Any], instance: dg.DagsterInstance, key: dg.AssetKey, warehouse: Path
) -> list[str]:
    """Partitions that Dagster knows as made and whose file is not there."""
    if len(key.path) != 3 or not graph.get(key).is_partitioned:
        return []
    area, layer, name = key.path
    folder = warehouse / layer / name / f"area={area}"
    if not folder.is_dir():
        return []
    present = {path.stem for path in folder.glob("*.parquet")}
    return sorted(set(instance.get_materialized_partitions(key)) - present)


def reason_of_run(instance: dg.DagsterInstance, run_id: str) -> str:
    """Why a run failed, read back from its history."""
    entries = instance.all_logs(run_id, of_type=_OF_A_RUN)
    events = [e.dagster_event for e in entries if e.dagster_event is not None]
    return reason_of(events) or f"Run {run_id} in the Dagster UI says why."


def reason_of(events: Sequence[DagsterEvent]) -> str:
    """The blocking checks that failed, or else the error of each failed step; empty without any."""
    evaluations = [
        event.asset_check_evaluation_data
        for event in events
        if event.event_type is DagsterEventType.ASSET_CHECK_EVALUATION
    ]
    checks = [e for e in evaluations if not e.passed and e.blocking]
    if checks:
        return " ".join(
            f"Check {c.check_name} of {c.asset_key.to_user_string()}: {c.description}"
            for c in checks
        )
    failed = [event.step_failure_data.error for event in events if event.is_step_failure]
    return " ".join(sentence_of(error) for error in failed if error is not None)


def sentence_of(error: SerializableErrorInfo) -> str:
    """Sentence of an error: that written for the user, that on a full disk, or the innermost words."""
    chain = list(_chain(error))
    ours = next((e for e in chain if e.cls_name in _SENTENCES), None)
    words = _words(ours or chain[-1])
    fault = None if ours else errors.storage_fault(" ".join(e.message for e in chain))
    return f"The workspace cannot be used: {fault}." if fault else words


def _chain(error: SerializableErrorInfo) -> Iterator[SerializableErrorInfo]:
    found: SerializableErrorInfo | None = error
    while found is not None:
        yield found
        found = found.cause


def _words(error: SerializableErrorInfo) -> str:
    # "package.module.TableError: sentence" → the sentence
    return error.message.strip().partition("Error: ")[2] or error.message.strip()
