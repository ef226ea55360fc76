"""A run in a process of its own that is killed at a moment given beforehand.

Belongs here: the process that has everything imported, and the children that it forks. Does not: which
moment (`kill`), the count of changes that one may die by (`stored_changes`), what must be so afterwards
(`kill_audit`).

A child has a session of its own, and the whole group is killed with it, dbt included. It dies by the
clock, from outside, or by its own hand right before its n-th change of a file, which falls between two
writes far more often than a clock does. Nothing in the template has computed yet when it forks:
libraries that have started threads do not survive that.
"""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType

import dagster as dg

from htrisk_dagster.defs.plan import Plan, Step
from htrisk_dagster.defs.runs import local_runner
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.faults.kill_record import BY_CHANGE, BY_CLOCK
from htrisk_dagster.faults.stored_changes import StoredChanges
from htrisk_dagster.settings import Settings

LEFT_ALONE = "left alone"
_HEAVY = (
    "torch", "lightgbm", "xgboost", "sklearn.linear_model", "scipy.optimize", "scipy.stats", "mlflow",
    "mlflow.pyfunc", "mlflow.store.tracking.sqlalchemy_store", "hdbscan", "geopandas", "dagster_dbt",
    "duckdb", "polars", "pyarrow.parquet", "sklearn.cluster", "sklearn.neighbors", "numpy.lib.npyio",
)  # fmt: skip
_LONGEST_S = 900.0
Work = Callable[[Settings, dg.Definitions], None]
"""What a child does by itself: a function of a module, or a `partial` of one."""


@dataclass(frozen=True)
class Aim:
    """When a step is killed.

    Parameters
    ----------
    by : str
        `BY_CLOCK`, after `at` seconds; `BY_CHANGE`, before the change number `at`; `LEFT_ALONE`.
    at : float
    """

    by: str = LEFT_ALONE
    at: float = 0.0


def last_of(step: Step) -> str:
    """The asset that a step ends with, which stays when a killed step is begun again for less."""
    return step.assets[-1]


@dataclass(frozen=True)
class StepDone:
    """A step that came to its end.

    Parameters
    ----------
    step : Step
    seconds : float
        From its start to its end.
    changes : int
        Changes of what is stored, Dagster's own history left out.
    """

    step: Step
    seconds: float
    changes: int


@dataclass
class Lived:
    """What one process came to.

    Parameters
    ----------
    status : int
        Of `waitpid`: 9 where it was killed, 0 where it came to its end.
    steps : list of StepDone
        Steps that were done.
    begun : Step, optional
        The step that it was at when it ended.
    begun_ns : int
        When that step began, as files are dated.
    """

    status: int = 0
    steps: list[StepDone] = field(default_factory=list)
    begun: Step | None = None
    begun_ns: int = 0

    @property
    def was_killed(self) -> bool:
        """Whether it was killed."""
        return self.status == signal.SIGKILL


class Template:
    """A process with everything imported, of which runs are forked.

    Parameters
    ----------
    settings : Settings
        Of the workspace; its study area is there.
    days : (date, date)
        First and last day that are mapped.
    log : Path
        File that takes what children print.
    """

    def __init__(self, settings: Settings, days: tuple[date, date], log: Path) -> None:
        context = get_context("spawn")
        self._connection, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, settings, days, log))
        self._process.start()
        other.close()

    def __enter__(self) -> Template:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()
        self._process.join(timeout=30)
        self._process.kill()

    def run(self, aims: Mapping[str, Aim], steps: Sequence[Step] | None = None) -> Lived:
        """Run steps in a child, and kill it where a step is aimed at.

        Parameters
        ----------
        aims : mapping of str to Aim
            By the last asset of the step (`last_of`).
        steps : sequence of Step, optional
            What to run; all that is out of date if not given.
        """
        self._connection.send(("one", dict(aims), steps))
        lived, group, kill_at = Lived(), 0, float("inf")
        until = time.monotonic() + _LONGEST_S
        while True:
            now = time.monotonic()
            if not self._connection.poll(max(min(kill_at, until) - now, 0)):
                os.killpg(group, signal.SIGKILL)
                kill_at = float("inf")
                continue
            message, *values = self._connection.recv()
            if message == "child":
                group = values[0]
            elif message == "step":
                lived.begun, lived.begun_ns = values
                aim = aims.get(last_of(lived.begun), Aim())
                kill_at = time.monotonic() + aim.at if aim.by == BY_CLOCK else float("inf")
            elif message == "done":
                lived.steps.append(values[0])
                lived.begun, kill_at = None, float("inf")
            elif message == "ended":
                lived.status = values[0]
                return lived

    def run_together(self, works: Sequence[Work]) -> list[int]:
        """Do all of `works` at the same time, each in a child of its own; return how each ended.

        What the child number i prints lies beside the log, its number before the suffix.
        """
        self._connection.send(("together", works, None))
        ended: list[int] = self._connection.recv()
        return ended


def _serve(connection: Connection, settings: Settings, days: tuple[date, date], log: Path) -> None:
    """Import, build the definitions, then fork a child for each request."""
    from importlib import import_module

    from htrisk_dagster.definitions import build_definitions

    for name in _HEAVY:
        import_module(name)
    import torch

    torch.set_num_threads(1)
    definitions = build_definitions(settings, [settings.area])
    definitions.resolve_implicit_global_asset_job_def()
    while True:
        try:
            kind, given, steps = connection.recv()
        except EOFError:
            return
        if kind == "together":
            connection.send(_together(given, settings, definitions, log))
            continue
        child = os.fork()
        if child == 0:
            with _ended_by_exit(log):
                _run(connection, settings, definitions, days, given, steps)
        _, status = os.waitpid(child, 0)
        # What a child has started dies with it.
        _kill_group(child)
        connection.send(("ended", status))


def _together(
    works: Sequence[Work], settings: Settings, definitions: dg.Definitions, log: Path
) -> list[int]:
    children = []
    for number, work in enumerate(works):
        child = os.fork()
        if child == 0:
            with _ended_by_exit(log.with_suffix(f".{number}{log.suffix}")):
                work(settings, definitions)
        children.append(child)
    return [os.waitpid(child, 0)[1] for child in children]


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


@contextmanager
def _ended_by_exit(log: Path) -> Iterator[None]:
    """Make this process, a fork, a session of its own whose end is the end of the block."""
    os.setsid()
    code = 1
    try:
        with log.open("a") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        yield
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _run(
    connection: Connection,
    settings: Settings,
    definitions: dg.Definitions,
    days: tuple[date, date],
    aims: Mapping[str, Aim],
    steps: Sequence[Step] | None,
) -> None:
    connection.send(("child", os.getpid()))
    workspace = Workspace(settings)
    area = workspace.area(settings.area)
    changes = StoredChanges(settings)
    with local_runner(definitions, workspace, area, print) as runner:
        for step in steps or Plan(workspace, area, *days, runner.refused).steps():
            aim = aims.get(last_of(step), Aim())
            connection.send(("step", step, time.time_ns()))
            changes.begin(int(aim.at) if aim.by == BY_CHANGE else 0)
            began = time.monotonic()
            runner.materialise(step)
            connection.send(("done", StepDone(step, time.monotonic() - began, changes.seen)))
