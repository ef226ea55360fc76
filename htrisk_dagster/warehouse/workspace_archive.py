"""A workspace as one archive, made while runs go on, and back: whole to the byte, or refused.

Belongs here: the snapshot, the archive with its manifest, unpacking and checking it. Does not: what a
restored Dagster or MLflow has to be told (`defs/backups`).

How it is consistent beside a writer:

1. Databases come first, each by SQLite's own online backup, the main ones before those of single
   runs: https://www.sqlite.org/backup.html. A run records a partition after it was written, so that
   whatever the databases tell of is there when files are looked at next.
2. All other files are frozen by hard links within milliseconds. A writer here never changes a file, it puts
   another in its place, and a link keeps the old one. That is done again until nothing has changed in
   between, so that tables that are written one after another are of one moment.
3. The archive ends with a manifest of digests. It holds the restricted store, so that only its owner
   can read it.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sqlite3
import tarfile
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from htrisk_dagster.errors import SourceError
from htrisk_dagster.warehouse.catalog import FILE_NAME as CATALOG
from htrisk_dagster.warehouse.leftovers import beside, sweep
from htrisk_dagster.warehouse.partitions import replaced_whole

FORMAT = "htrisk-workspace-1"
MANIFEST = "manifest.json"
# The catalog holds the paths of this machine and is made again; dbt's folder is scratch.
LEFT_OUT = frozenset({"dbt", CATALOG})
_DATABASES = (".db", ".sqlite")
_BESIDE_DATABASES = ("-wal", "-shm", "-journal")
_PASSES = 20
_Listing = dict[str, tuple[int, int, int]]


@dataclass(frozen=True)
class Archived:
    """What an archive holds.

    Parameters
    ----------
    path : Path
        The archive.
    files : int
        Files in it.
    unsettled : tuple of str
        Files that went on changing while they were frozen: logs and lists that are added to.
    """

    path: Path
    files: int
    unsettled: tuple[str, ...]


def archive_workspace(workspace: Path, to: Path) -> Archived:
    """Write the workspace into the archive `to`, which is replaced as a whole.

    Raises
    ------
    SourceError
        Where there is no workspace.
    """
    if not workspace.is_dir():
        raise SourceError(f"There is no workspace {workspace} to back up. Run `htrisk run` first.")
    to.parent.mkdir(parents=True, exist_ok=True)
    sweep(to.parent, below=False)
    stage = beside(to.absolute().with_name(f"{to.name}.stage"))
    stage.mkdir(mode=0o700)
    try:
        _copy_databases(workspace, stage)
        unsettled = _freeze(workspace, stage)
        names = sorted(p.relative_to(stage).as_posix() for p in stage.rglob("*") if p.is_file())
        with replaced_whole(to) as new:
            new.touch(mode=0o600)
            _write(stage, names, workspace, new)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    return Archived(to, len(names), unsettled)


def _copy_databases(workspace: Path, stage: Path) -> None:
    databases = [
        p for p in workspace.rglob("*") if p.suffix in _DATABASES and _is_kept(workspace, p)
    ]
    # Dagster keeps a database a run below `history/runs`, and one index over them beside.
    databases.sort(key=lambda p: (p.parent.name == "runs" and p.stem != "index", str(p)))
    for path in databases:
        copy = stage / path.relative_to(workspace)
        copy.parent.mkdir(parents=True, exist_ok=True)
        with (
            closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=60)) as source,
            closing(sqlite3.connect(copy)) as target,
        ):
            source.backup(target)


def _is_kept(workspace: Path, path: Path) -> bool:
    parts = path.relative_to(workspace).parts
    is_partial = any(part.startswith(".") and part.endswith((".tmp", ".old")) for part in parts)
    return not (is_partial or path.is_symlink() or parts[0] in LEFT_OUT or parts[-1] in LEFT_OUT)


def _listing(workspace: Path) -> _Listing:
    """Every file that is kept, databases left out: inode, size and time of change."""
    found: _Listing = {}
    for path in workspace.rglob("*"):
        try:
            is_other = path.is_file() and not path.name.endswith((*_DATABASES, *_BESIDE_DATABASES))
            if is_other and _is_kept(workspace, path):
                stat = path.stat()
                name = path.relative_to(workspace).as_posix()
                found[name] = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        except FileNotFoundError:  # replaced between the look and the question
            continue
    return found


def _freeze(workspace: Path, stage: Path) -> tuple[str, ...]:
    """Link every file into `stage` until a pass has seen nothing change; name what never settled."""
    linked: _Listing = {}
    changed: set[str] = set()
    for attempt in range(_PASSES):
        wanted = _listing(workspace)
        changed = {n for n in linked.keys() | wanted.keys() if linked.get(n) != wanted.get(n)}
        if not changed:
            break
        time.sleep(min(0.01 * attempt, 0.2))
        for name in changed:
            _link(workspace / name, stage / name)
        linked = wanted
    return tuple(sorted(changed))


def _link(path: Path, copy: Path) -> None:
    copy.unlink(missing_ok=True)
    copy.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path, copy)
    except FileNotFoundError:
        return
    except OSError:  # another disk
        shutil.copy2(path, copy)


def _write(stage: Path, names: list[str], workspace: Path, to: Path) -> None:
    digests: dict[str, str] = {}
    # Parquet, models and pages are packed already.
    with tarfile.open(to, "w") as archive:
        for name in names:
            # Read once: a log that grows meanwhile is what it was at this moment.
            content = (stage / name).read_bytes()
            digests[name] = hashlib.sha256(content).hexdigest()
            _add(archive, name, content, (stage / name).stat().st_mtime)
        manifest = {"format": FORMAT, "workspace": str(workspace.absolute()), "files": digests}
        _add(archive, MANIFEST, json.dumps(manifest, indent=1).encode(), time.time())


def _add(archive: tarfile.TarFile, name: str, content: bytes, changed_at: float) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = len(content), 0o600, int(changed_at)
    archive.addfile(member, io.BytesIO(content))


def unpack_workspace(archive: Path, into: Path) -> dict[str, Any]:
    """Unpack an archive into the new folder `into` and check each file; return the manifest.

    Raises
    ------
    SourceError
        Where it is no such archive, a member leads out of the folder, or a file is missing, altered
        or one too many. Nothing is left behind then.
    """
    into.mkdir(parents=True, mode=0o700)
    try:
        with tarfile.open(archive, "r:") as stored:
            # Refuses absolute names, `..`, links out of the folder and devices (PEP 706).
            stored.extractall(into, filter="data")
        manifest: dict[str, Any] = json.loads((into / MANIFEST).read_text())
        if manifest.get("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        _require_whole(into, manifest["files"])
    except (OSError, ValueError, KeyError, tarfile.TarError) as error:
        shutil.rmtree(into)
        reason = str(error).splitlines()[0]
        raise SourceError(
            f"{archive} is no whole backup of a workspace: {reason}. Nothing was restored; take another."
        ) from error
    (into / MANIFEST).unlink()
    return manifest


def _require_whole(folder: Path, digests: dict[str, str]) -> None:
    found = {name: digest for name, digest in _digests(folder) if name != MANIFEST}
    for name in sorted(found.keys() | digests.keys()):
        if found.get(name) != digests.get(name):
            what = "missing" if name not in found else "altered"
            raise ValueError(f"'{name}' is {what if name in digests else 'not in the manifest'}")


def _digests(folder: Path) -> Iterator[tuple[str, str]]:
    for path in folder.rglob("*"):
        if path.is_file() or path.is_symlink():
            with path.open("rb") as handle:
                digest = hashlib.file_digest(handle, "sha256").hexdigest()
            yield path.relative_to(folder).as_posix(), digest
