"""Changes of what is stored, counted as Python makes them; before one of them a process may kill itself.

Belongs here: what counts as a change, and the hook that hears of it. Does not: the process
(`killed_process`).
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from htrisk_dagster.settings import Settings
from htrisk_dagster.warehouse.leftovers import BESIDE

# What Python tells of before it happens: https://docs.python.org/3/library/audit_events.html
_CHANGES = frozenset({"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink",
                      "os.chmod", "shutil.rmtree"})  # fmt: skip


class StoredChanges:
    """Counts changes of what is stored, and kills this process right before the one asked for.

    Parameters
    ----------
    settings : Settings
        Of the workspace whose changes count.
    """

    def __init__(self, settings: Settings) -> None:
        self.seen = 0
        self._fatal = 0
        # Everything that is stored is written beside; MLflow and dbt write into their own folders.
        self._others = (str(settings.mlflow_store), str(settings.workspace / "dbt"))
        sys.addaudithook(self._hear)

    def begin(self, fatal: int) -> None:
        """Count from 0 again; this process dies before change number `fatal`, and lives where that is 0."""
        self.seen, self._fatal = 0, fatal

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in _CHANGES and not (event == "open" and _writes(arguments)):
            return
        path = str(arguments[0])
        if BESIDE in path or path.startswith(self._others):
            self.seen += 1
            if self.seen == self._fatal:
                os.killpg(0, signal.SIGKILL)


def _writes(arguments: tuple[Any, ...]) -> bool:
    # Files are synced after they were opened for reading: that is where half of one is on disk.
    path, _, flags = arguments
    is_beside = isinstance(path, str | Path) and str(path).endswith(BESIDE)
    return is_beside or (isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR)))
