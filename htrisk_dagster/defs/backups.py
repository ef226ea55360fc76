"""Backup and restore of a workspace: warehouse, restricted store, Dagster's and MLflow's state.

Belongs here: what a restored Dagster and MLflow have to be told, and the order of a restore. Does not:
the archive (`warehouse/workspace_archive`).
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import dagster as dg
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from htrisk_dagster.defs.dagster_home import prepare_dagster_home
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.errors import SettingError
from htrisk_dagster.warehouse.leftovers import beside
from htrisk_dagster.warehouse.workspace_archive import Archived, archive_workspace, unpack_workspace

# Where MLflow writes down the address of a file; rows of other stores are left alone.
_ADDRESSES = (
    "update experiments set artifact_location = replace(artifact_location, ?, ?)",
    "update runs set artifact_uri = replace(artifact_uri, ?, ?)",
    "update model_versions set source = replace(source, ?, ?)",
    "update model_versions set storage_location = replace(storage_location, ?, ?)",
    "update logged_models set artifact_location = replace(artifact_location, ?, ?)",
)


def back_up(workspace: Workspace, to: Path) -> Archived:
    """Write the workspace into one archive; runs, servers and schedules may go on.

    Parameters
    ----------
    to : Path
        Archive, or a folder in which it is called after the origin of the data.

    Raises
    ------
    SettingError
        Where the archive would lie within what it holds.
    SourceError
        Where there is no workspace.
    """
    source = workspace.settings.workspace
    path = to / f"{workspace.settings.origin}.tar" if to.is_dir() or not to.suffix else to
    if path.absolute().is_relative_to(source):
        raise SettingError(f"{path} lies within the workspace {source}. Back up to another folder.")
    return archive_workspace(source, path)


def restore(workspace: Workspace, archive: Path, *, replace: bool) -> tuple[int, int]:
    """Put an archive in the place of the workspace; return files restored and runs closed.

    The archive is unpacked and checked beside; what was there steps aside to
    `<workspace>.before-restore`, and is removed by hand. Dagster and MLflow must not run meanwhile.

    Raises
    ------
    SettingError
        Where there is a workspace already and `replace` is false, or the archive is of another origin.
    SourceError
        Where the archive is not whole; the workspace stays as it was.
    """
    target = workspace.settings.workspace
    if target.exists() and not replace:
        raise SettingError(
            f"There is a workspace at {target}. Give --replace to move it aside, or another --home."
        )
    new = beside(target)
    manifest = unpack_workspace(archive, new)
    origin = Path(manifest["workspace"]).name
    if origin != workspace.settings.origin:
        shutil.rmtree(new)
        raise SettingError(
            f"{archive} holds a workspace of origin {origin}, and this one is of "
            f"{workspace.settings.origin}: an invented city and a real one never meet. "
            f"Give --origin {origin}."
        )
    aside = target.with_name(f"{target.name}.before-restore")
    if target.exists():
        shutil.rmtree(aside, ignore_errors=True)
        target.rename(aside)
    new.rename(target)
    workspace.restricted(workspace.settings.area)  # closes the folder to others
    _move_addresses(workspace, manifest["workspace"])
    workspace.build_catalog()
    prepare_dagster_home(workspace.settings.dagster_home)
    return len(manifest["files"]), _close_runs(workspace)


def _move_addresses(workspace: Workspace, before: str) -> None:
    """Let MLflow find its files where they are now."""
    store = workspace.settings.mlflow_store
    database = store / "mlflow.db"
    if not database.is_file():
        return
    old, new = (Path(before) / "mlflow").as_uri(), store.absolute().as_uri()
    with closing(sqlite3.connect(database)) as connection, connection:
        known = {name for (name,) in connection.execute("select name from sqlite_master")}
        for statement in _ADDRESSES:
            if statement.split()[1] in known:
                connection.execute(statement, (old, new))


def _close_runs(workspace: Workspace) -> int:
    """Mark runs as failed that were under way when the backup was made, and free their slots."""
    home = workspace.settings.dagster_home
    with dg.DagsterInstance.from_config(str(home)) as instance:
        unfinished = dg.RunsFilter(statuses=list(NOT_FINISHED_STATUSES))
        runs = instance.get_runs(unfinished)
        for run in runs:
            instance.report_run_failed(run, "Under way when the backup was made.")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    return len(runs)
