"""What is tried on a small disk, run by `full_disks` in a mount namespace of its own.

Belongs here: filling the disk, making it read-only, and a step of the graph meanwhile. Does not: the
namespace. Run as a module with the folder as its argument; it prints the endings as one line of JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from htrisk_dagster.definitions import build_definitions
from htrisk_dagster.defs.dagster_home import prepare_dagster_home
from htrisk_dagster.defs.plan import Step
from htrisk_dagster.defs.runs import Runner, local_runner
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.errors import StorageError, sentence_for_user
from htrisk_dagster.faults.ending import CAUGHT_UP, Ending, is_sentence, judged
from htrisk_dagster.faults.odd_days import hours_of, read_hours
from htrisk_dagster.schemas import raw
from htrisk_dagster.schemas.table import Column, Table
from htrisk_dagster.settings import load_settings
from htrisk_dagster.warehouse.partitions import Partitions

_DISK_BYTES = 24 << 20
_NUMBERS = Table(
    "faults", "numbers", "A number", "Numbers", (Column("n", pl.Float64, "A number."),)
)
_STEP = Step("Read reports", ("raw/complaints",), ("2024-03-01", "2024-04-01"))
Trouble = Callable[[Path], AbstractContextManager[None]]
Contents = dict[str, bytes]


def main(folder: Path) -> list[Ending]:
    """Try a partition, then a step of the graph, on a disk that is full, then on one that is read-only."""
    disk = folder / "disk"
    disk.mkdir()
    _system("mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES}", "tmpfs", str(disk))
    read_hours(hours_of(date(2024, 3, 1), date(2024, 4, 30)), folder / "published")
    with _runner(folder / "published", folder / "undisturbed") as (runner, store):
        runner.materialise(_STEP)
        wanted = _contents(store)
    found = []
    for name, trouble in (("disk full", _full), ("folder read-only", _read_only)):
        found.append(_partition(folder / "elsewhere", disk, trouble, f"{name}, a partition"))
        with _runner(folder / "published", disk / name.replace(" ", "-")) as (runner, store):
            fault = f"{name}, a step of the graph"
            found.append(_step(runner, store, disk, trouble, wanted, fault))
    return found


@contextmanager
def _full(disk: Path) -> Iterator[None]:
    """Fill the disk up to the last page."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(1 << 16)):
                pass
        except OSError:
            pass
    try:
        yield
    finally:
        ballast.unlink()


@contextmanager
def _read_only(disk: Path) -> Iterator[None]:
    _system("mount", "-o", "remount,ro", str(disk))
    try:
        yield
    finally:
        _system("mount", "-o", "remount,rw", str(disk))


def _partition(elsewhere: Path, disk: Path, trouble: Trouble, fault: str) -> Ending:
    """Replace a partition in trouble, and again when it is over."""
    old, new = (pl.DataFrame({"n": np.random.default_rng(s).random(200_000)}) for s in (1, 2))
    store, undisturbed = Partitions(disk / "store", "a"), Partitions(elsewhere, "a")
    before = store.write(_NUMBERS, old).read_bytes()
    wanted = undisturbed.write(_NUMBERS, new).read_bytes()
    said, wrong = "", []
    with trouble(disk):
        try:
            store.write(_NUMBERS, new)
        except StorageError as error:
            said = str(error)
        if store.path(_NUMBERS).read_bytes() != before:
            wrong.append("the partition that was there is no longer whole")
        left = [p.name for p in store.folder(_NUMBERS).iterdir() if p != store.path(_NUMBERS)]
        if left:
            wrong.append(f"left over: {left}")
    if not said or not is_sentence(said):
        wrong.append(f"no sentence: {said!r}")
    if store.write(_NUMBERS, new).read_bytes() != wanted:
        wrong.append("other bytes when it was over")
    return judged(fault, "a partition is replaced", said, wrong, CAUGHT_UP)


def _step(
    runner: Runner, store: Partitions, disk: Path, trouble: Trouble, wanted: Contents, fault: str
) -> Ending:
    """Read two months of reports in trouble, and again when it is over."""
    wrong = []
    with trouble(disk):
        said = _said(lambda: runner.materialise(_STEP))
        if made := store.keys(raw.COMPLAINTS):
            wrong.append(f"made in spite of it: {made}")
    if not is_sentence(said):
        wrong.append(f"no sentence: {said!r}")
    if again := _said(lambda: runner.materialise(_STEP)):
        wrong.append(f"when it was over: {again!r}")
    elif _contents(store) != wanted:
        wrong.append("other bytes when it was over")
    return judged(fault, "two months of reports are read in Dagster", said, wrong, CAUGHT_UP)


def _said(act: Callable[[], None]) -> str:
    """What a person at a terminal is told of an act that fails; empty where it does not."""
    try:
        act()
    except Exception as error:
        said = sentence_for_user(error)
        if said is None:
            raise
        return said
    return ""


@contextmanager
def _runner(published: Path, home: Path) -> Iterator[tuple[Runner, Partitions]]:
    settings = load_settings(origin="files", data_dir=published, home=home)
    prepare_dagster_home(settings.dagster_home)
    workspace = Workspace(settings)
    with local_runner(build_definitions(settings, ["nyc"]), workspace.area("nyc")) as runner:
        yield runner, workspace.tables("nyc")


def _contents(store: Partitions) -> Contents:
    return {k: store.path(raw.COMPLAINTS, k).read_bytes() for k in store.keys(raw.COMPLAINTS)}


def _system(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


if __name__ == "__main__":
    made = [asdict(ending) for ending in main(Path(sys.argv[1]))]
    sys.stdout.write(f"\n{json.dumps(made)}\n")
