"""Dagster's webserver and daemon, MLflow's server and the dashboard, on loopback, ended together.

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
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from htrisk_dagster.defs.dagster_home import EVENTS_AT_ONCE
from htrisk_dagster.defs.mlflow_tracking import ENVIRONMENT, MlflowTracking
from htrisk_dagster.errors import HtriskError
from htrisk_dagster.settings import PREFIX, Settings, without_password

_ROOT = Path(__file__).parents[2]
_BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Ports:
    """Ports of loopback, one a server."""

    dagster: int
    mlflow: int
    dashboard: int


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
        **EVENTS_AT_ONCE,
        **given,
        # Everybody on the machine can read command lines, and a database's address holds its password.
        "MLFLOW_BACKEND_STORE_URI": settings.tracking_uri,
        "DAGSTER_HOME": str(settings.dagster_home),
        "PATH": f"{_BIN}{os.pathsep}{os.environ.get('PATH', '')}",
    }


def commands(
    settings: Settings, ports: Ports, *, with_drafts: bool = False
) -> dict[str, list[str]]:
    """Command line of each process, by name; `with_drafts` for the dashboard."""
    mlflow = _mlflow_address(settings, ports)
    found = {
        "dagster": [
            str(_BIN / "dagster"), "dev", "-w", str(_ROOT / "workspace.yaml"),
            "-h", "127.0.0.1", "-p", str(ports.dagster),
        ],
        "dashboard": [
            str(_BIN / "htrisk"), "dashboard", "--area", settings.area, "--port", str(ports.dashboard),
            "--dagster", _address(ports.dagster), "--mlflow", mlflow,
            *(["--drafts"] if with_drafts else []),
        ],
    }  # fmt: skip
    if not settings.tracking_uri.startswith("http"):
        found["mlflow"] = [
            str(_BIN / "mlflow"), "server", "--host", "127.0.0.1", "--port", str(ports.mlflow),
            "--workers", "1", "--default-artifact-root", (settings.mlflow_store / "artifacts").as_uri(),
        ]  # fmt: skip
    return found


def _address(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def _mlflow_address(settings: Settings, ports: Ports) -> str:
    uri = settings.tracking_uri
    return without_password(uri) if uri.startswith("http") else _address(ports.mlflow)


def serve(
    settings: Settings, ports: Ports, say: Callable[[str], None], *, with_drafts: bool = False
) -> None:
    """Start the processes and wait; when one ends, or on Ctrl-C, end them all.

    Raises
    ------
    HtriskError
        Where a port is taken, or a process ends by itself; the message names it.
    """
    starting = commands(settings, ports, with_drafts=with_drafts)
    require_free(ports.dagster, "--port")
    require_free(ports.dashboard, "--dashboard-port")
    if "mlflow" in starting:
        require_free(ports.mlflow, "--mlflow-port")
    MlflowTracking(settings.tracking_uri, settings.mlflow_store).prepare()
    running = {
        name: subprocess.Popen(command, cwd=_ROOT, env=environment(settings))
        for name, command in starting.items()
    }
    say(f"Dagster:   {_address(ports.dagster)}")
    say(f"MLflow:    {_mlflow_address(settings, ports)}")
    say(f"Dashboard: {_address(ports.dashboard)}")
    say("Ctrl-C ends them all.")

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


def require_free(port: int, option: str) -> None:
    """Raise an `HtriskError` that names `option` where a port of loopback is taken."""
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
