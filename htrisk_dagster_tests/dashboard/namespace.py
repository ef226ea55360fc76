"""One visit of a browser where only loopback exists, for all workers of a session."""

from __future__ import annotations

import fcntl
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest


def visited(
    factory: pytest.TempPathFactory,
    worker_id: str,
    script: str,
    prepare: Callable[[], tuple[str, Mapping[str, str] | None]],
) -> dict[str, Any]:
    """What `script` wrote down of its visit; workers of pytest-xdist share it, as they share the city.

    Parameters
    ----------
    script : str
        Its file; it takes an argument and the path of its report.
    prepare : callable
        Gives the argument and the environment (this process's for None); called before the one visit.
    """
    if shutil.which("unshare") is None:
        pytest.skip("needs unshare of util-linux")
    if subprocess.run(["unshare", "-rn", "true"], check=False).returncode:
        pytest.skip("this machine lets nobody make a network namespace")
    base = factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent
    path = shared / f"{Path(script).stem}_report.json"
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            given, environment = prepare()
            done = subprocess.run(
                ["unshare", "-rn", sys.executable, script, given, str(path)],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr[-3_000:]
    found: dict[str, Any] = json.loads(path.read_text())
    return found
