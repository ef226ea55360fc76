"""Names that hold for as long as the process that took them lives.

Belongs here: taking a name, and asking whether its process is still there. Does not: what the names are
of (`defs/dead_runs`, `defs/mlflow_runs`).

A name is an empty file under a lock of the kernel (`flock`), which ends with the process however
that ends. A number of a process would not do: numbers come again.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from htrisk_dagster.warehouse.leftovers import beside, sweep


@contextmanager
def living(folder: Path, name: str) -> Iterator[None]:
    """Hold `name` while the block runs; several processes may hold the same one.

    After an error the name stays, as after a kill: what it is of has not ended well.
    """
    path = folder / name
    folder.mkdir(parents=True, exist_ok=True)
    # Locked before it has its name, so that nobody ever sees it free.
    new = beside(path)
    with new.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        try:
            os.link(new, path)
        except FileExistsError:
            with path.open() as shared:
                fcntl.flock(shared, fcntl.LOCK_SH)
                new.unlink()
                yield
            return
        new.unlink()
        yield
        path.unlink(missing_ok=True)


def is_living(folder: Path, name: str) -> bool | None:
    """Whether a process that took `name` is still there; None where nobody here has taken it."""
    try:
        with (folder / name).open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    except BlockingIOError:
        return True
    return False


def dead_names(folder: Path) -> list[str]:
    """Names whose processes are gone, in order; names that were never finished are swept away."""
    sweep(folder, below=False)
    names = sorted(p.name for p in folder.glob("[!.]*"))
    return [name for name in names if is_living(folder, name) is False]


def forget(folder: Path, names: Iterable[str]) -> None:
    """Remove names."""
    for name in names:
        (folder / name).unlink(missing_ok=True)
