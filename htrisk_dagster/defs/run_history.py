"""Dagster's own SQLite run history, written with fewer transactions.

Belongs here: how events are written to the files of Dagster's SQLite storage. Does not: the tables of these
files, which are Dagster's (an instance of Dagster's own class reads and goes on with them), and what is
done with events (`recovery`, `refusals`).

Dagster makes an engine of SQLAlchemy for each statement, which compiles each anew, and three transactions
for each partition of a back-fill: 14 ms an event. Here an engine is kept for each file, and the events of
one asset are one transaction per file, as `dagster-postgres` does.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import yaml
from dagster import DagsterEventType, DagsterInstance
from dagster._core.events.log import EventLogEntry
from dagster._core.instance.ref import InstanceRef
from dagster._core.storage.event_log.sqlite.sqlite_event_log import (
    INDEX_SHARD_NAME,
    SqliteEventLogStorage,
)
from dagster._core.storage.sql import create_engine
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.pool import NullPool

# A web server asks for the files of many runs; a run writes to its own and the index.
KEPT_ENGINES = 16

# Events of assets that come by the partition. Those of checks change rows that are there, one by one.
TOGETHER = {DagsterEventType.ASSET_MATERIALIZATION, DagsterEventType.ASSET_MATERIALIZATION_PLANNED}


class BatchedEventLog(SqliteEventLogStorage):
    """Dagster's SQLite event log with kept engines, and batches of what happens to assets."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, Engine] = OrderedDict()
        self._one_at_a_time = Lock()
        super().__init__(base_dir, inst_data)

    def run_connection(self, run_id: str | None = None) -> AbstractContextManager[Connection]:
        """Open a transaction on the file of one run."""
        return self._transaction(str(run_id))

    def index_connection(self) -> AbstractContextManager[Connection]:
        """Open a transaction on the file that all runs share."""
        return self._transaction(INDEX_SHARD_NAME)

    @contextmanager
    def _transaction(self, shard: str) -> Iterator[Connection]:
        if shard not in self._engines:
            # Dagster's own makes the file and brings its tables up to date.
            with super().run_connection(shard):
                pass
        with self._one_at_a_time:
            engine = self._engines.pop(shard, None) or create_engine(
                self.conn_string_for_shard(shard),
                poolclass=NullPool,  # what is kept holds no file open
                connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS},
            )
            self._engines[shard] = engine
            if len(self._engines) > KEPT_ENGINES:
                self._engines.popitem(last=False)
            with engine.begin() as connection:
                yield connection

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events of one run, those of its assets in one transaction for each file."""
        together = [event for event in events if _type_of(event) in TOGETHER]
        super().store_event_batch([event for event in events if _type_of(event) not in TOGETHER])
        if not together:
            return
        statements = [self.prepare_insert_event(event) for event in together]
        with self.run_connection(together[0].run_id) as connection:
            for statement in statements:
                connection.execute(statement)
        with self.index_transaction() as connection:
            ids = [connection.execute(each).lastrowid for each in statements]
            self._store_asset_event_tags(connection, together, ids)
            last = {event.get_dagster_event().asset_key: i for i, event in enumerate(together)}
            for i in last.values():
                self._store_asset_event(connection, together[i], ids[i])

    def wipe(self) -> None:
        """Delete all runs, and forget the engines of their files."""
        self._engines.clear()
        super().wipe()


class BatchedHistory(DagsterSqliteStorage):
    """Dagster's SQLite storage of runs, events and schedules, with the event log of this module."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(base_dir, inst_data)
        self._event_log_storage = BatchedEventLog(str(Path(base_dir, "history", "runs")))

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> BatchedHistory:
        """Make the storage that a configuration names."""
        return cls(config_value["base_dir"], inst_data)


class LocalInstance(DagsterInstance):
    """Dagster's instance of one workspace: its defaults, with the history of this module.

    A class of instance, and not `storage: custom:`, because that must name a folder: a workspace that was
    moved or copied would go on writing into the history of the first.
    """

    @classmethod
    def config_schema(cls) -> dict[str, Any]:
        """Say that `dagster.yaml` has no setting more than Dagster's own."""
        return {}

    @staticmethod
    def config_defaults(base_dir: str) -> dict[str, ConfigurableClassData | None]:
        """Give Dagster's defaults for a folder, but for the history."""
        history = ConfigurableClassData(
            __name__, BatchedHistory.__name__, yaml.dump({"base_dir": base_dir})
        )
        return {**InstanceRef.config_defaults(base_dir), "storage": history}


def _type_of(event: EventLogEntry) -> DagsterEventType:
    return event.get_dagster_event().event_type
