"""Loading all definitions, as every process of Dagster does, in a fresh interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.sides import Answer, Row, Side, Target

_STATEMENT = (
    "import sys; from htrisk_dagster.definitions import defs; defs(); "
    "print(int(bool({'torch', 'mlflow'} & set(sys.modules))))"
)


def _ours(folder: Path) -> Callable[[], object]:
    def work() -> object:
        command = [sys.executable, "-c", _STATEMENT]
        # Compiled once, as an installed package is, whatever is asked of this process.
        kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        return subprocess.run(command, check=True, capture_output=True, text=True, env=kept).stdout

    return work


def _answer(printed: object) -> Answer:
    import numpy as np

    heavy = int(str(printed).strip().splitlines()[-1])
    if heavy:
        raise SystemExit("Loading the definitions imports torch or mlflow.")
    return {"heavy_imports": np.array([heavy])}


ROW = Row(
    work="definitions load, no torch, no mlflow",
    prepare=lambda folder: None,
    ours=Side("build_definitions in a new process", _ours, _answer),
    target=Target(cpu_seconds=3),
    repeats=5,
)
