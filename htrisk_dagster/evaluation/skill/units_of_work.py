"""Units of work: pure functions whose result lands whole in a folder, with what it was made from.

Belongs here: the fingerprint of a unit, which units are missing or stale, the processes that make
them, and how far they are. Does not: what a unit computes (`cities`, `felonies` and the modules
beside them), how results are judged and printed (`targets`, `tables`).

A result is JSON beside which nothing is written half: a killed run leaves what was done, and a
second call makes the rest. Seconds are kept in a file of their own, so that the same code and
inputs give the same bytes. Processes are spawned, never forked: a fork copies the locks of
threads that do not exist in the child.
"""

from __future__ import annotations

import hashlib
import json
import math
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, cast

import numpy as np

from htrisk_dagster.errors import MissingPartitionError
from htrisk_dagster.warehouse.partitions import (
    files_fingerprint,
    fingerprint_of,
    write_bytes_whole,
)

COST = "cpu_seconds"
Value = str | int | float | bool
Say = Callable[[str], None]

_PACKAGE = Path(__file__).parents[2]
# Everything a result can hang on; orchestration and publishing cannot change a figure.
_SCIENCE = (
    "errors.py", "schemas", "study_areas", "sources", "warehouse", "grid", "features", "models",
    "hotspots", "evaluation",
)  # fmt: skip
# These judge and print results that exist already.
_AFTERWARDS = ("targets.py", "markdown.py", "tables.py", "benchmark_tables.py", "suite.py")
_LIBRARIES = (
    "numpy", "scipy", "polars", "scikit-learn", "lightgbm", "xgboost-cpu", "torch", "imbalanced-learn",
    "statsforecast",
)  # fmt: skip
# One thread a process: sums come in one order, and as many processes as cores are no slower.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")


@dataclass(frozen=True)
class Unit:
    """One piece of the suite that can be made alone.

    Parameters
    ----------
    part : str
        Part of the suite, and the sub-folder of the result.
    name : str
        Name of the result's file.
    function : str
        `module:function`; it takes `arguments` by name and returns what JSON holds.
        What it gives under `cpu_seconds`, by model, is kept with the unit's own seconds.
    arguments : dict
    files : tuple of Path
        Files it reads: their bytes are in its fingerprint.
    """

    part: str
    name: str
    function: str
    arguments: Mapping[str, Value] = field(default_factory=dict)
    files: tuple[Path, ...] = ()

    def result_path(self, folder: Path) -> Path:
        """File of the result in the suite's folder."""
        return folder / self.part / f"{self.name}.json"

    def seconds_path(self, folder: Path) -> Path:
        """File of what it cost in the suite's folder."""
        return folder / self.part / f"{self.name}.seconds.json"

    def fingerprint(self) -> str:
        """Of the science's source text, the libraries, the arguments and the files' bytes."""
        # A folder may move: of the arguments that name files, the files' bytes count.
        given = {k: v for k, v in self.arguments.items() if k != "data"}
        return fingerprint_of(
            code_fingerprint(), self.function, sorted(given.items()), files_fingerprint(self.files)
        )


@cache
def code_fingerprint() -> str:
    """Of all source text that can change a result, and of the versions of the libraries."""
    digest = hashlib.sha256()
    here = Path(__file__).parent
    for part in _SCIENCE:
        path = _PACKAGE / part
        files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
        for file in files:
            is_afterwards = file.parent == here and file.name in _AFTERWARDS
            if file.suffix in (".py", ".toml") and not is_afterwards:
                digest.update(file.relative_to(_PACKAGE).as_posix().encode())
                digest.update(file.read_bytes())
    return fingerprint_of(digest.hexdigest(), [(name, _version(name)) for name in _LIBRARIES])


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "absent"


def read_result(unit: Unit, folder: Path) -> dict[str, Any]:
    """Result of a unit as it lies in the folder, whatever it was made from.

    Raises
    ------
    MissingPartitionError
        Where it has not been made.
    """
    path = unit.result_path(folder)
    if not path.is_file():
        raise MissingPartitionError(
            f"Unit '{unit.name}' of part '{unit.part}' has no result in {folder}. "
            "Run the suite again; it makes what is missing."
        )
    return cast("dict[str, Any]", json.loads(path.read_bytes())["result"])


def read_seconds(unit: Unit, folder: Path) -> dict[str, float]:
    """CPU seconds of the unit as `cpu_seconds`, and of each model in it by name, where kept."""
    path = unit.seconds_path(folder)
    if not path.is_file():
        return {COST: math.nan}
    return cast("dict[str, float]", json.loads(path.read_bytes()))


def stale_units(units: Iterable[Unit], folder: Path) -> list[Unit]:
    """Units without a result, or with one that was made from other code or inputs."""
    return [unit for unit in units if _made_from(unit.result_path(folder)) != unit.fingerprint()]


def _made_from(path: Path) -> str | None:
    try:
        return str(json.loads(path.read_bytes())["made_from"])
    except (FileNotFoundError, ValueError, KeyError):
        return None


def make_unit(unit: Unit, folder: Path) -> float:
    """Compute a unit and write its result; return the CPU seconds it took."""
    made_from = unit.fingerprint()
    began = time.process_time()
    module, name = unit.function.split(":")
    result = dict(getattr(import_module(module), name)(**unit.arguments))
    seconds = time.process_time() - began
    cost = {COST: seconds, **result.pop(COST, {})}
    content = {"made_from": made_from, "part": unit.part, "unit": unit.name, "result": result}
    rounded = {name: round(value, 2) for name, value in cost.items()}
    write_bytes_whole(unit.seconds_path(folder), result_bytes(rounded))
    write_bytes_whole(unit.result_path(folder), result_bytes(content))
    return seconds


def make_units(units: Sequence[Unit], folder: Path, *, jobs: int, say: Say) -> int:
    """Make the units that are missing or stale, `jobs` at a time, each in a spawned process.

    Parameters
    ----------
    units : sequence of Unit
        In the order in which they are begun.
    folder : Path
        Where results lie.
    jobs : int
        Processes at a time.
    say : callable
        Told of each unit that is done, and how much is left.

    Returns
    -------
    int
        Units made.

    Raises
    ------
    Exception
        What a unit raised, once the others that had begun are done.
    """
    todo = stale_units(units, folder)
    say(f"{len(units) - len(todo)} of {len(units)} units are up to date; {len(todo)} to make.")
    began = time.monotonic()

    def report(done: int, unit: Unit, seconds: float) -> None:
        elapsed = time.monotonic() - began
        left = elapsed / done * (len(todo) - done)
        say(
            f"{elapsed:7.0f} s  {unit.part}/{unit.name} ({seconds:.0f} CPU s), {done} of "
            f"{len(todo)}, about {left / 60:.0f} min left"
        )

    with _one_thread_each(), _spawned(jobs) as pool:
        running = {pool.submit(make_unit, unit, folder): unit for unit in todo}
        try:
            for done, future in enumerate(as_completed(running), start=1):
                report(done, running[future], future.result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return len(todo)


def _spawned(jobs: int) -> ProcessPoolExecutor:
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(jobs, mp_context=spawn, initializer=_end_quietly)


def _end_quietly() -> None:
    """On Ctrl-C, which reaches all processes of a terminal, end without a traceback."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let the numerical libraries of the processes spawned inside use one thread."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def result_bytes(content: Mapping[str, Any]) -> bytes:
    """JSON with sorted keys; NumPy's numbers as plain ones, what is not finite as null."""
    return json.dumps(plain(content), sort_keys=True, indent=1, allow_nan=False).encode() + b"\n"


def plain(value: Any) -> Any:
    """Value as JSON holds it."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
