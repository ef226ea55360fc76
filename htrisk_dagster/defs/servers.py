"""Dagster's webserver and daemon and MLflow's server, on loopback, ended together.

Belongs here: the processes of `htrisk ui`. Does not: what they show.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pydantic import SecretStr

from htrisk_dagster.defs.mlflow_tracking import ENVIRONMENT, MlflowTracking
from htrisk_dagster.errors import HtriskError
from htrisk_dagster.settings import PREFIX, Settings, without_password

_ROOT = Path(__file__).parents[2]
_BIN = Path(sys.executable).parent


def environment(settings: Settings) -> dict[str, str]:
    """Environment that gives a Dagster process the settings of this one."""
    # Secrets come with our own environment or `.env`, where they were read; dumped, they are stars.
    secrets = {n for n, v in dict(settings).items() if isinstance(v, SecretStr)}
    given = {
        f"{PREFIX}{name.upper()}": str(value)
        for name, value in settings.model_dump(
            mode="json", exclude_none=True, exclude=secrets
        ).items()
    }
    return {
        **os.environ,
        **ENVIRONMENT,
        **given,
        "DAGSTER_HOME": str(settings.dagster_home),
        "PATH": f"{_BIN}{os.pathsep}{os.environ.get('PATH', '')}",
    }


def commands(settings: Settings, port: int, mlflow_port: int) -> dict[str, list[str]]:
    """Command line of each process, by name."""
    found = {
        "dagster": [
            str(_BIN / "dagster"), "dev", "-w", str(_ROOT / "workspace.yaml"),
            "-h", "127.0.0.1", "-p", str(port),
        ],
    }  # fmt: skip
    if not settings.tracking_uri.startswith("http"):
        found["mlflow"] = [
            str(_BIN / "mlflow"), "server", "--host", "127.0.0.1", "--port", str(mlflow_port),
            "--workers", "1", "--backend-store-uri", settings.tracking_uri,
            "--default-artifact-root", (settings.mlflow_store / "artifacts").as_uri(),
        ]  # fmt: skip
    return found


def serve(settings: Settings, port: int, mlflow_port: int, say: Callable[[str], None]) -> None:
    """Start the processes and wait; when one ends, or on Ctrl-C, end them all.

    Raises
    ------
    HtriskError
        Where a port is taken, or a process ends by itself; the message names it.
    """
    starting = commands(settings, port, mlflow_port)
    _require_free(port, "--port")
    if "mlflow" in starting:
        _require_free(mlflow_port, "--mlflow-port")
    MlflowTracking(settings.tracking_uri, settings.mlflow_store).prepare()
    running = {
        name: subprocess.Popen(command, cwd=_ROOT, env=environment(settings))
        for name, command in starting.items()
    }
    say(f"Dagster: http://127.0.0.1:{port}")
    own = f"http://127.0.0.1:{mlflow_port}"
    mlflow = own if "mlflow" in running else without_password(settings.tracking_uri)
    say(f"MLflow:  {mlflow}")
    say("Ctrl-C ends both.")

    # A terminated `htrisk ui` must not leave servers behind.
    def end(signum: int, frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)
    try:
        while all(process.poll() is None for process in running.values()):
            time.sleep(0.5)
        ended = next(name for name, process in running.items() if process.poll() is not None)
        raise HtriskError(
            f"{ended} ended with code {running[ended].returncode}. Its own lines above say why."
        )
    finally:
        for process in running.values():
            process.terminate()
        for process in running.values():
            process.wait(timeout=30)


def _require_free(port: int, option: str) -> None:
    # `dagster dev` stays up without its webserver where the port is taken: ask before.
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise HtriskError(
                f"Port {port} of 127.0.0.1 is taken ({error.strerror}). End what uses it, or give "
                f"another with {option}."
            ) from error


def ui_command(settings: Settings) -> str:
    """Command of the Makefile that shows the workspace of some settings."""
    named = {
        "ORIGIN": settings.origin if settings.origin != "synthetic" else None,
        "DATA": settings.data_dir,
        "TARGET": settings.target,
    }
    return " ".join(["make ui", *(f"{name}={value}" for name, value in named.items() if value)])
