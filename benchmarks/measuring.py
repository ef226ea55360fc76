"""Both sides of a row run in turn, their figures and whether their answers agree.

Belongs here: the order of runs and the medians. Does not: a single run (`one_run`), the table
(`report`). Runs alternate, so that whatever else the machine does falls on both sides alike.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.rows import row_named
from benchmarks.sides import Answer, Row, equal_within

FIGURES = ("wall_seconds", "cpu_seconds", "peak_gb")
_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Measured:
    """Medians of both sides of one row.

    Parameters
    ----------
    name, work, note : str
        Of the row.
    ours, usual : dict
        `wall_seconds`, `cpu_seconds`, `peak_gb`; usual is None where a row has no other side.
    ratio : float, optional
        CPU seconds of the usual way over ours; the median of the runs' pairs.
    disagreement : str, optional
        Why the answers are not the same; None where they are.
    reached : bool
        Whether the target of the row is reached.
    """

    name: str
    work: str
    note: str
    ours_title: str
    usual_title: str | None
    ours: dict[str, float]
    usual: dict[str, float] | None
    ratio: float | None
    wanted: str
    disagreement: str | None
    reached: bool


def measure(name: str, folder: Path, say: Callable[[str], None]) -> Measured:
    """Prepare the inputs of a row, run its sides in turn and compare what they found."""
    row = row_named(name)
    inputs = folder / "inputs"
    inputs.mkdir(parents=True, exist_ok=True)
    say(f"{name}: preparing inputs")
    row.prepare(inputs)
    sides = ("ours",) if row.usual is None else ("ours", "usual")
    runs: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
    for number in range(row.repeats):
        for side in sides:
            out = folder / "runs" / f"{name}-{side}-{number}.json"
            out.parent.mkdir(exist_ok=True)
            subprocess.run(
                [sys.executable, "-m", "benchmarks.one_run", name, side, str(inputs), str(out)],
                cwd=_ROOT,
                check=True,
            )
            figures = json.loads(out.read_text())
            runs[side].append(figures)
            say(
                f"{name}: {side} {number + 1} of {row.repeats}, {figures['cpu_seconds']:.2f} CPU s, "
                f"{figures['wall_seconds']:.2f} s, {figures['peak_gb']:.2f} GB"
            )
    return _summary(name, row, runs, folder / "runs")


def _summary(
    name: str, row: Row, runs: dict[str, list[dict[str, float]]], folder: Path
) -> Measured:
    medians = {
        side: {figure: statistics.median(run[figure] for run in of_side) for figure in FIGURES}
        for side, of_side in runs.items()
    }
    ratio = disagreement = None
    if row.usual is not None:
        pairs = zip(runs["ours"], runs["usual"], strict=True)
        ratio = statistics.median(
            usual["cpu_seconds"] / ours["cpu_seconds"] for ours, usual in pairs
        )
        ours, usual = (_answer(folder / f"{name}-{side}-0.npz") for side in ("ours", "usual"))
        disagreement = (row.same or equal_within(0))(ours, usual)
    return Measured(
        name,
        row.work,
        row.note,
        row.ours.title,
        None if row.usual is None else row.usual.title,
        medians["ours"],
        medians.get("usual"),
        ratio,
        _wanted(row),
        disagreement,
        disagreement is None and _reached(row, medians["ours"], ratio),
    )


def as_json(measured: Measured) -> str:
    """One row as JSON, for the report."""
    return json.dumps(asdict(measured), indent=2)


def _answer(path: Path) -> Answer:
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def _wanted(row: Row) -> str:
    target = row.target
    parts = [
        f"≥ {target.ratio:g}x" if target.ratio else "",
        f"≤ {target.seconds:g} s" if target.seconds else "",
        f"≤ {target.cpu_seconds:g} CPU s" if target.cpu_seconds else "",
        f"≤ {target.peak_gb:g} GB" if target.peak_gb else "",
    ]
    return ", ".join(part for part in parts if part) or "measured"


def _reached(row: Row, ours: dict[str, float], ratio: float | None) -> bool:
    target = row.target
    return all(
        (
            target.ratio is None or (ratio is not None and ratio >= target.ratio),
            target.seconds is None or ours["wall_seconds"] <= target.seconds,
            target.cpu_seconds is None or ours["cpu_seconds"] <= target.cpu_seconds,
            target.peak_gb is None or ours["peak_gb"] <= target.peak_gb,
        )
    )
