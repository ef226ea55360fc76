"""The dashboard served by gunicorn, on loopback unless told otherwise.

Belongs here: the server process. Does not: the app.

https://docs.gunicorn.org/en/stable/custom.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gunicorn.app.base import BaseApplication

# One process holds the snapshot once; threads share it. A page is some milliseconds of its time.
_WORKERS = 1
_THREADS = 8


class DashboardServer(BaseApplication):
    """Gunicorn with an application made in the worker.

    Parameters
    ----------
    make : callable
        Makes the WSGI application.
    bind : str
        Host and port.
    """

    def __init__(self, make: Callable[[], Any], bind: str) -> None:
        self._make, self._bind = make, bind
        super().__init__()

    def load_config(self) -> None:
        """Set gunicorn's own settings; no file and no variable is read."""
        settings = {
            "bind": self._bind,
            "workers": _WORKERS,
            "threads": _THREADS,
            "worker_class": "gthread",
            "timeout": 60,
            "graceful_timeout": 5,
            "accesslog": None,
            "loglevel": "warning",
            "proc_name": "htrisk-dashboard",
        }
        for key, value in settings.items():
            self.cfg.set(key, value)

    def load(self) -> Any:
        """Make the application, in the worker: threads and open files do not survive a fork."""
        return self._make()


def serve(make: Callable[[], Any], host: str, port: int) -> None:
    """Serve until the process is ended."""
    DashboardServer(make, f"{host}:{port}").run()
