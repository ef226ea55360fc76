"""A disk that is full and a folder that is read-only, tried on a small disk of this process alone.

Belongs here: starting `mounted_disk` in a mount namespace of its own, and what to say where the system
allows none. Does not: what is tried there (`mounted_disk`).

https://man7.org/linux/man-pages/man1/unshare.1.html
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from htrisk_dagster.faults.ending import SKIPPED, Ending

_FAULT = "disk full; folder read-only"


def namespace_command() -> list[str] | None:
    """Command that gives a process mounts of its own; None where the system allows none."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return None
    # Root of the machine needs no user namespace, and containers often forbid those.
    for options in (["-m"], ["-Urm"]):
        command = [unshare, *options]
        mounting = [*command, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
        if subprocess.run(mounting, capture_output=True, check=False).returncode == 0:
            return command
    return None


def endings(folder: Path) -> Iterable[Ending]:
    """Try both in `folder`."""
    command = namespace_command()
    if command is None:
        reason = "This system gives no mount namespace (unshare -m, unshare -Urm)."
        return [Ending(_FAULT, "nothing", reason, SKIPPED)]
    done = subprocess.run(
        [*command, sys.executable, "-m", "htrisk_dagster.faults.mounted_disk", str(folder)],
        capture_output=True,
        text=True,
        env={**os.environ, "DAGSTER_HOME": ""},
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"mounted_disk ended with code {done.returncode}: {done.stderr[-2000:]}")
    return [Ending(**found) for found in json.loads(done.stdout.splitlines()[-1])]
