"""Readers beside the runs: an analyst with DuckDB on the catalog, people at the dashboard.

Belongs here: what each does over and over, and what each was told when it went wrong. Does not: the
runs that go on meanwhile (`concurrency`). It imports nothing but DuckDB: an analyst has no more.
"""

from __future__ import annotations

import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import PIPE, Popen

_HELD_S = 0.3


@dataclass
class Heard:
    """What readers were told.

    Parameters
    ----------
    answers : int
        How often they got what they asked for.
    refused : list of str
        What they were told when they did not.
    """

    answers: int = 0
    refused: list[str] = field(default_factory=list)


@contextmanager
def analyst_at(catalog: Path) -> Iterator[Heard]:
    """Let an analyst ask the catalog again and again in a process of its own while the block runs.

    Every second time it is opened for writing, altered, and held.
    """
    heard = Heard()
    command = [sys.executable, "-m", "htrisk_dagster.faults.readers", str(catalog)]
    with Popen(command, stdin=PIPE, stdout=PIPE, text=True) as process:
        try:
            yield heard
        finally:
            said, _ = process.communicate("stop\n")
            lines = said.splitlines()
            heard.refused += [line for line in lines if line != "ok"]
            heard.answers += lines.count("ok")


@contextmanager
def people_at(addresses: Sequence[str], n: int) -> Iterator[Heard]:
    """Let `n` people read pages again and again while the block runs."""
    heard, stop, guard = Heard(), threading.Event(), threading.Lock()

    def read(number: int) -> None:
        turn = number
        while not stop.is_set():
            told = _page(addresses[turn % len(addresses)])
            turn += 1
            with guard:
                heard.answers += not told
                heard.refused += [told] if told else []
            stop.wait(0.2)

    people = [threading.Thread(target=read, args=(number,)) for number in range(n)]
    for person in people:
        person.start()
    try:
        yield heard
    finally:
        stop.set()
        for person in people:
            person.join()


def _page(address: str) -> str:
    try:
        with urllib.request.urlopen(address, timeout=120) as answer:
            answer.read()
    except (urllib.error.URLError, OSError) as error:
        return f"{address}: {error}"
    return ""


def _ask_until_told(catalog: str) -> None:
    stopped = threading.Event()

    def wait() -> None:
        sys.stdin.readline()
        stopped.set()

    threading.Thread(target=wait, daemon=True).start()
    turn = 0
    while True:
        turn += 1
        sys.stdout.write(f"{_asked(catalog, for_writing=turn % 2 == 0)}\n")
        if stopped.wait(0.1):
            return


def _asked(catalog: str, *, for_writing: bool) -> str:
    import duckdb

    try:
        with duckdb.connect(catalog, read_only=not for_writing) as connection:
            if for_writing:
                connection.execute("create or replace table main.mine as select 1 as one")
                time.sleep(_HELD_S)
            for table in ("predictions.cell_day_risk", "predictions.model_forecasts"):
                connection.execute(f"select count(*) from {table}").fetchall()
    except duckdb.Error as error:
        return str(error).replace("\n", " ")
    return "ok"


if __name__ == "__main__":
    _ask_until_told(sys.argv[1])
