"""What a killed process leaves beside its files: how such names are told, and sweeping them away.

Belongs here: the names of what is being written, and their removal once the writer is gone. Does not:
writing (`partitions`, `model_files`), runs that died with their process (`defs/recovery`).

Everything is written beside its place under a name that starts with a dot and ends in
`<host>.<process>.tmp`. A killed writer leaves it behind; nobody reads it, and the next start removes it.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

BESIDE, ASIDE = ".tmp", ".old"
# DuckDB writes a log beside a database, under its name and `.wal`.
_NAME = re.compile(
    r"\.(?P<of>.+)\.(?P<host>[^.]+)\.(?P<process>\d+)(\.\w+)?(?P<kind>\.tmp|\.old)(\.wal)?"
)
# Of another machine on the same disk nobody here can say whether it lives: no file takes a day to write.
_LONGEST_S = 86_400.0


def writer() -> str:
    """Host and number of this process, as names of what is being written end."""
    return f"{_host()}.{os.getpid()}"


def beside(path: Path, kind: str = BESIDE) -> Path:
    """Where this process writes what will lie at `path`, or moves what lay there (`ASIDE`)."""
    return path.with_name(f".{path.name}.{writer()}{kind}")


def sweep(folder: Path, *, skip: Iterable[str] = (), below: bool = True) -> list[Path]:
    """Remove what writers that are gone have left in `folder`; return the paths.

    A folder that was moved aside and whose place is empty is put back: it was whole.

    Parameters
    ----------
    skip : iterable of str
        Names of folders that are not entered.
    below : bool
        Whether folders below are swept too.
    """
    removed = []
    for path, found in _beside_names(folder, frozenset(skip), below):
        if not _is_left(path, found):
            continue
        place = path.with_name(found["of"])
        if found["kind"] == ASIDE and not place.exists():
            path.rename(place)
        elif path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        removed.append(path)
    return removed


def _beside_names(
    folder: Path, skip: frozenset[str], below: bool
) -> Iterator[tuple[Path, re.Match[str]]]:
    for at, folders, files in os.walk(folder):
        found = [(name, _NAME.fullmatch(name)) for name in (*files, *folders) if name[0] == "."]
        yield from ((Path(at) / name, match) for name, match in found if match)
        folders[:] = [n for n in folders if below and n not in skip and n[0] != "."]


def _is_left(path: Path, found: re.Match[str]) -> bool:
    if found["host"] == _host():
        # A process that starts has written nothing yet: a file of its own number is another's.
        return int(found["process"]) == os.getpid() or not _is_running(int(found["process"]))
    try:
        return time.time() - path.lstat().st_mtime > _LONGEST_S
    except FileNotFoundError:
        return False


def _host() -> str:
    return socket.gethostname().partition(".")[0] or "host"


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
