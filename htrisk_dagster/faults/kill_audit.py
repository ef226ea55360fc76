"""What must be so after a kill, looked at from outside.

Belongs here: every file whole, nothing told as made that is not, nothing held by the dead. Does not:
killing (`killed_process`), putting in order (`defs/recovery`).

Databases of others are asked in SQL and not through the code that is on trial.
"""

from __future__ import annotations

import hashlib
import io
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import dagster as dg
import duckdb
import numpy as np
import polars as pl

from htrisk_dagster.defs.daily_reports import report_path
from htrisk_dagster.defs.dead_runs import left_undone
from htrisk_dagster.defs.featured import features_table
from htrisk_dagster.defs.forecast import map_path
from htrisk_dagster.defs.published import snapshots_folder
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.publishing.snapshot import LINK
from htrisk_dagster.schemas import ALL_TABLES, raw
from htrisk_dagster.schemas.predictions import FEATURE_IMPORTANCE, MODEL_FORECASTS
from htrisk_dagster.warehouse.catalog import FILE_NAME as CATALOG
from htrisk_dagster.warehouse.partitions import WHOLE

# Of one run, not of what was made.
_OF_A_RUN = ("dagster_run_id", "mlflow_run_id", "mlflow_experiment_id", "registered_version")
_BESIDE = (".tmp", ".old", ".tmp.wal")


class KillAudit:
    """Looks at one workspace again and again; a file is read once for each time it is replaced.

    Parameters
    ----------
    workspace : Workspace
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._area = workspace.area(workspace.settings.area)
        self._tables = {t.full_name: t for t in (*ALL_TABLES, features_table(self._area))}
        self._whole: set[tuple[str, int, int, int]] = set()

    def after_kill(self) -> list[str]:
        """What is wrong with a workspace as it was left, a sentence each."""
        return [*self._torn(), *self._said_and_not_there()]

    def after_start(self) -> list[str]:
        """What is still wrong once the next start has put things in order, a sentence each."""
        found = [f"{path} is left half-written." for path in self._beside()]
        found += [*self._held(), *self._mlflow_runs(), *self._locked()]
        return [*found, *self._unsealed()]

    def beside(self) -> int:
        """How many files and folders are half-written now."""
        return sum(1 for _ in self._beside())

    def contents(self) -> dict[str, str]:
        """Digest of each artefact by path: its bytes, without ids of runs and paths of this machine."""
        root = self.workspace.settings.workspace
        return {str(path.relative_to(root)): _content(path) for path in self._artefacts()}

    def written_since(self, ns: int) -> int:
        """How many artefacts were written at that moment or later, in ns since 1970."""
        return sum(path.lstat().st_mtime_ns >= ns for path in self._artefacts())

    def _artefacts(self) -> Iterator[Path]:
        settings = self.workspace.settings
        for folder in (settings.warehouse, settings.restricted, settings.published):
            for path in sorted(folder.rglob("*")):
                hidden = any(p[0] == "." for p in path.relative_to(folder).parts)
                if (path.is_symlink() or path.is_file()) and not hidden:
                    yield path

    def _beside(self) -> Iterator[Path]:
        settings = self.workspace.settings
        for path in settings.workspace.rglob(".*"):
            if path.name.endswith(_BESIDE):
                yield path

    def _torn(self) -> Iterator[str]:
        for path in self._artefacts():
            at = path.lstat()
            stamp = (str(path), at.st_ino, at.st_size, at.st_mtime_ns)
            if stamp in self._whole:
                continue
            try:
                _read_whole(path)
            except Exception as error:  # whatever a reader falls over
                yield f"{path} is torn: {type(error).__name__}: {str(error)[:200]}"
            else:
                self._whole.add(stamp)

    def _said_and_not_there(self) -> Iterator[str]:
        """Partitions that Dagster shows as materialised and that are not there."""
        events = self.workspace.settings.dagster_home / "history" / "runs" / "index.db"
        made = (
            "select distinct asset_key, partition from event_logs "
            "where dagster_event_type = 'ASSET_MATERIALIZATION'"
        )
        for key, partition in _ask(events, made):
            _, layer, thing = json.loads(key)
            if not self._is_there(layer, thing, partition):
                yield f"{layer}/{thing} {partition or ''} is said to be made and is absent."

    def _is_there(self, layer: str, thing: str, partition: str | None) -> bool:
        day = partition or WHOLE
        if layer == "models" and thing != FEATURE_IMPORTANCE.name:
            try:
                return bool(self.workspace.models(self._area).card(day, thing))
            except json.JSONDecodeError:
                return False  # torn, which is told by itself
        if thing == "released_map":
            return True  # the log of releases says what is out, and mostly that is nothing
        if layer == "publishing":
            pages = {
                "risk_map": map_path(self.workspace, self._area, day),
                "daily_report": report_path(self.workspace, self._area, day),
                "snapshot": snapshots_folder(self.workspace, self._area.name) / LINK,
            }
            return pages[thing].is_file()
        table = self._tables[f"{layer}.{thing}"]
        is_restricted = table in raw.RESTRICTED_TABLES
        area = self._area.name
        store = self.workspace.restricted(area) if is_restricted else self.workspace.tables(area)
        return store.path(table, day).is_file() if partition else bool(store.keys(table))

    def _unsealed(self) -> Iterator[str]:
        """Forecasts that are not those of their seal, and that no run is going to make again."""
        store = self.workspace.tables(self._area.name)
        key = dg.AssetKey([self._area.name, MODEL_FORECASTS.layer, MODEL_FORECASTS.name])
        with self._instance() as instance:
            undone = left_undone(instance).get(key, frozenset())
        seals = self.workspace.settings.warehouse / "seals" / self._area.name
        for day in sorted(set(store.keys(MODEL_FORECASTS)) - undone):
            seal = seals / f"{day}.txt"
            digest = hashlib.sha256(store.path(MODEL_FORECASTS, day).read_bytes()).hexdigest()
            if not seal.is_file() or seal.read_text().strip() != digest:
                yield f"The forecasts of {day} are not as sealed."

    def _held(self) -> Iterator[str]:
        """Runs of the dead that are shown as under way, and slots of pools that they keep."""
        home = self.workspace.settings.dagster_home
        ended = "('SUCCESS', 'FAILURE', 'CANCELED')"
        open_runs = _ask(
            home / "history" / "runs.db",
            f"select run_id from runs where status not in {ended}",
        )
        yield from (f"Run {run} is shown as under way." for (run,) in open_runs)
        slots = "select concurrency_key, run_id from concurrency_slots where run_id is not null"
        claimed = _ask(home / "history" / "runs" / "index.db", slots)
        yield from (f"Run {run} keeps a slot of pool {pool}." for pool, run in claimed)

    def _mlflow_runs(self) -> Iterator[str]:
        path = self.workspace.settings.mlflow_store / "mlflow.db"
        running = _ask(path, "select run_uuid from runs where status = 'RUNNING'")
        yield from (f"Run {run} of MLflow is shown as RUNNING." for (run,) in running)

    def _locked(self) -> Iterator[str]:
        """Databases that cannot be written to, and a catalog that cannot be opened."""
        root = self.workspace.settings.workspace
        for path in (root / "dagster/history/runs.db", root / "mlflow/mlflow.db"):
            if path.is_file():
                try:
                    with closing(sqlite3.connect(path, timeout=1)) as connection:
                        connection.execute("begin immediate")
                        connection.rollback()
                except sqlite3.Error as error:
                    yield f"{path} cannot be written to: {error}."
        catalog = self.workspace.settings.warehouse / CATALOG
        if catalog.is_file():
            try:
                duckdb.connect(str(catalog)).close()
            except duckdb.Error as error:
                yield f"{catalog} cannot be opened: {error}."

    def _instance(self) -> dg.DagsterInstance:
        return dg.DagsterInstance.from_config(str(self.workspace.settings.dagster_home))


def _ask(path: Path, query: str) -> list[tuple[str, ...]]:
    if not path.is_file():
        return []
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)) as connection:
        names = {name for (name,) in connection.execute("select name from sqlite_master")}
        table = query.split(" from ")[1].split()[0]
        return connection.execute(query).fetchall() if table in names else []


def _read_whole(path: Path) -> None:
    """Read all of a file as its kind is read; raise where it is not whole."""
    content = path.read_bytes()
    if not content:
        raise ValueError("it is empty")
    match path.suffix:
        case ".parquet":
            pl.read_parquet(io.BytesIO(content))
        case ".json":
            json.loads(content)
        case ".npz":
            with np.load(io.BytesIO(content), allow_pickle=False) as stored:
                for name in stored.files:
                    stored[name]
        case ".html":
            if not content.rstrip().endswith(b"</html>"):
                raise ValueError("it does not end with </html>")
        case ".duckdb":
            with duckdb.connect(str(path.resolve()), read_only=True) as connection:
                connection.execute("select count(*) from duckdb_tables()").fetchall()
        case ".txt" | ".md" | ".ubj":
            content[-1]
        case other:
            raise ValueError(f"nobody knows how a file {other} is read")


def _content(path: Path) -> str:
    if path.is_symlink():
        return str(path.readlink())
    if path.name == "card.json":
        card = json.loads(path.read_text())
        kept = {k: v for k, v in card.items() if k not in _OF_A_RUN}
        return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()
    if path.suffix == ".duckdb":
        return _database_content(path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _database_content(path: Path) -> str:
    """Digest of every table's rows in order, and of every view's text."""
    digest = hashlib.sha256()
    with duckdb.connect(str(path), read_only=True) as connection:
        views = (
            "select schema_name, view_name, sql from duckdb_views() where not internal order by all"
        )
        digest.update(repr(connection.execute(views).fetchall()).encode())
        tables = "select schema_name, table_name from duckdb_tables() order by all"
        for schema, table in connection.execute(tables).fetchall():
            rows = connection.execute(f'select * from {schema}."{table}"').fetchall()
            digest.update(repr((schema, table, rows)).encode())
    return digest.hexdigest()
