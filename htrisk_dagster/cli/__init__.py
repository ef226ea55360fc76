"""The `htrisk` command: one module for each group of commands, imported here so that it is known.

Belongs in the modules: arguments, progress on the terminal, exit codes. Does not: work; each
command is a few calls into `defs` or the science, imported when it is asked for.
"""

from __future__ import annotations

from htrisk_dagster.cli import (
    about,
    areas,
    backups,
    bench,
    cluster,
    dashboard,
    evaluation,
    failures,
    faults,
    maps,
    notebooks,
    release,
    series,
    servers,
    sources,
)
from htrisk_dagster.cli.application import app

__all__ = [
    "about",
    "app",
    "areas",
    "backups",
    "bench",
    "cluster",
    "dashboard",
    "evaluation",
    "failures",
    "faults",
    "maps",
    "notebooks",
    "release",
    "series",
    "servers",
    "sources",
]
