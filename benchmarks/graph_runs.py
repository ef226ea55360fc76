"""Workspaces of the invented city for the rows that run the graph itself.

Belongs here: a workspace that has been run up to a day, once, and copies of it. Does not: what is
measured of it (`one_new_day`, `back_fill`, `cold_city`).
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from datetime import date
from pathlib import Path


def settings(home: Path, preset: str, history_start: date | None = None):
    """Settings of a workspace of the invented city."""
    from htrisk_dagster.settings import load_settings

    return load_settings(home=home, preset=preset, profile="quick", history_start=history_start)


@contextmanager
def runner_of(given):
    """Runner and workspace of settings, as `htrisk run` makes them."""
    from htrisk_dagster.definitions import build_definitions
    from htrisk_dagster.defs.runs import local_runner
    from htrisk_dagster.defs.workspace import Workspace

    workspace = Workspace(given)
    area = workspace.area(given.area)
    with local_runner(build_definitions(given), workspace, area) as runner:
        yield runner, workspace


def ready(folder: Path, preset: str, last: date) -> Path:
    """Home of a workspace whose models are trained and whose maps reach `last`; made once."""
    home = folder / f"workspace-{preset}"
    if not (home / "ready").exists():
        with runner_of(settings(home, preset)) as (runner, workspace):
            runner.run_range(workspace, last, last, lambda step: print(step.title, flush=True))
        (home / "ready").touch()
    return home


def trained(folder: Path, preset: str, first: date, last: date, since: date) -> Path:
    """Home of a workspace with the reports to `last`, and models of `first` that saw days from `since`.

    No day of `first` to `last` is scored. Made once.
    """
    from htrisk_dagster.defs.plan import Plan

    home = folder / f"workspace-{preset}-{first}"
    if not (home / "ready").exists():
        with runner_of(settings(home, preset, since)) as (runner, workspace):
            for step in Plan(workspace, runner.area, first, last, runner.refused, print).steps():
                if "publishing/risk_map" in step.assets:
                    break
                print(step.title, flush=True)
                runner.materialise(step)
        (home / "ready").touch()
    return home


def copy_of(home: Path, name: str) -> Path:
    """A fresh copy that a run may change."""
    copy = home.with_name(f"{home.name}-{name}")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(home, copy, symlinks=True)
    return copy
