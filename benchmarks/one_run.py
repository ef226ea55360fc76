"""One run of one side, in a process of its own: `python -m benchmarks.one_run ROW SIDE FOLDER OUT`.

Belongs here: the clock, the peak of memory and the answer of a single run. Does not: which runs
there are (`measuring`). A process a run, so that no side finds the other's memory or imports.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.rows import row_named
from benchmarks.sides import OwnFigures


def main(name: str, which: str, folder: Path, out: Path) -> None:
    """Load, then time the work, then write its figures and its answer."""
    row = row_named(name)
    side = row.ours if which == "ours" else row.usual
    if side is None:
        raise SystemExit(f"The row {name} has no side {which}.")
    work = side.load(folder)
    forget_peak()
    before = seconds_of()
    result = work()
    wall, cpu = (late - early for late, early in zip(seconds_of(), before, strict=True))
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    peak = max(peak_kb(), children) / 1024**2
    figures = {"wall_seconds": wall, "cpu_seconds": cpu, "peak_gb": peak}
    if isinstance(result, OwnFigures):
        figures = {name: getattr(result, name) for name in figures}
        result = result.result
    np.savez(out.with_suffix(".npz"), **dict(side.answer(result)))
    out.write_text(json.dumps(figures))


def seconds_of() -> tuple[float, float]:
    """Clock, and CPU of this process and its finished children so far."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return time.perf_counter(), sum(each.ru_utime + each.ru_stime for each in usages)


def forget_peak() -> None:
    """Start the high-water mark anew: what loading took is not the work's (man 5 proc)."""
    Path("/proc/self/clear_refs").write_text("5")


def peak_kb() -> int:
    """High-water mark of memory in kB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), Path(sys.argv[4]))
