"""Partitions that do not count, though their files may be there.

Belongs here: what blocking checks refused when they last saw it, and what killed runs left undone, by
asset. Does not: the checks (`*_checks.py`), which runs are dead (`dead_runs.py`), what is then to be
made again (`plan.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import dagster as dg
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecord,
)
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecordStatus as Status,
)

from htrisk_dagster.defs.dead_runs import left_undone
from htrisk_dagster.defs.partitions import DAYS_SEEN, days_of
from htrisk_dagster.warehouse.partitions import WHOLE

# Runs of one check that are looked back on: years of daily ones.
_HISTORY = 2000


class Refusals:
    """What of each asset was refused or left undone, by Dagster's records.

    A plan asks this of every asset between two runs. What needs one look at all records is kept until
    `forget`, which whoever lets something run calls.

    Parameters
    ----------
    definitions : dagster.Definitions
    instance : DagsterInstance
    """

    def __init__(self, definitions: dg.Definitions, instance: dg.DagsterInstance) -> None:
        self._definitions = definitions
        self._instance = instance
        self._seen: tuple[Mapping[dg.AssetKey, frozenset[str]], frozenset[dg.AssetCheckKey]] | None
        self._seen = None

    def forget(self) -> None:
        """Look anew at the next question."""
        self._seen = None

    def of(self, asset: dg.AssetKey) -> frozenset[str]:
        """Partitions of an asset that do not count; the one key `all` where it has none."""
        if self._seen is None:
            self._seen = (left_undone(self._instance), _ever_failed(self._instance))
        undone, failed = self._seen
        graph = self._definitions.resolve_asset_graph()
        found: set[str] = set(undone.get(asset, ()))
        for key in graph.get_check_keys_for_assets({asset}) & failed:
            if graph.get_check_spec(key).blocking:
                found |= self._open_days(key)
        return frozenset(found)

    def _open_days(self, key: dg.AssetCheckKey) -> set[str]:
        """Days that a check has seen fail, and not hold since."""
        ended = {Status.FAILED, Status.SUCCEEDED}
        records = [
            record
            for status in ended
            for record in self._instance.event_log_storage.get_asset_check_execution_history(
                key, limit=_HISTORY, status={status}
            )
        ]
        open_days: set[str] = set()
        for record in sorted(records, key=lambda r: r.id):
            seen = _days_seen(record)
            open_days = open_days | seen if record.status is Status.FAILED else open_days - seen
        return open_days


def _ever_failed(instance: dg.DagsterInstance) -> frozenset[dg.AssetCheckKey]:
    """Checks that have failed at any time, few as they are: one question instead of one a check."""
    # A third of a second that loading the definitions does not need.
    from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
    from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
    from dagster._core.storage.sqlalchemy_compat import db_select

    storage = instance.event_log_storage
    assert isinstance(storage, SqlEventLogStorage)
    table = AssetCheckExecutionsTable.c
    query = (
        db_select([table.asset_key, table.check_name])
        .where(table.execution_status == Status.FAILED.value)
        .distinct()
    )
    with storage.index_connection() as connection:
        rows = connection.execute(query).fetchall()
    keys = ((dg.AssetKey.from_db_string(str(asset)), str(name)) for asset, name in rows)
    return frozenset(dg.AssetCheckKey(key, name) for key, name in keys if key is not None)


def _days_seen(record: AssetCheckExecutionRecord) -> set[str]:
    event = record.event.dagster_event if record.event else None
    if event is None:
        return set()
    days = event.asset_check_evaluation_data.metadata.get(DAYS_SEEN)
    if days is None:
        return {WHOLE}
    first, last = map(date.fromisoformat, str(days.value).split(" to "))
    return set(days_of(first, last))
