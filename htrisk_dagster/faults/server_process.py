"""A server in a process of its own: started as `htrisk ui` does, waited for, killed.

Belongs here: that. Does not: which servers are killed when, and what they must have kept
(`killed_daemon`, `killed_mlflow`).
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

from htrisk_dagster.errors import HtriskError

ROOT = Path(__file__).parents[2]
_LONGEST_START_S = 300.0  # a daemon that starts imports everything twice


class Server:
    """A process in a group of its own.

    Parameters
    ----------
    command : list of str
    env : mapping
        Its whole environment.
    log : Path
        What it prints is added here.
    """

    def __init__(self, command: list[str], env: Mapping[str, str], log: Path) -> None:
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=dict(env), stdout=file, stderr=file, start_new_session=True
            )

    def kill(self, *, alone: bool = False) -> None:
        """Kill it, and unless `alone` all that it has started."""
        if alone:
            self._process.kill()
        else:
            end_group(self._process.pid)
        self._process.wait()

    @property
    def group(self) -> int:
        """Its group, which outlives it where it is killed alone."""
        return self._process.pid


def end_group(group: int) -> None:
    """Kill all processes of a group; it may have none any more."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def answers(address: str) -> bool:
    """Whether a server says yes to a request."""
    try:
        with urllib.request.urlopen(address, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def wait_until(
    is_so: Callable[[], bool], what: str, log: Path, longest_s: float = _LONGEST_START_S
) -> None:
    """Wait until something is so.

    Raises
    ------
    HtriskError
        Where it never is; the message holds the end of the log.
    """
    until = time.monotonic() + longest_s
    while not is_so():
        if time.monotonic() > until:
            told = log.read_text(errors="replace")[-1500:]
            raise HtriskError(f"Not within {longest_s:.0f} s: {what}. {told}")
        time.sleep(0.2)
