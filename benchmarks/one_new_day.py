"""One new day, from the stored reports to the map, in a process of Dagster that goes on.

The models of the month are there, as on any morning but the first of a month. The day before is made
first and not timed: it imports what every later day finds imported.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from benchmarks.graph_runs import copy_of, ready, runner_of, settings
from benchmarks.sides import Answer, Row, Side, Target

PRESET, LAST = "demo", date(2024, 12, 10)
NEXT = LAST + timedelta(days=2)


def _prepare(folder: Path) -> None:
    ready(folder, PRESET, LAST)


def _ours(folder: Path) -> Callable[[], object]:
    home = copy_of(ready(folder, PRESET, LAST), "day")
    given = settings(home, PRESET)
    kept = ExitStack()
    runner, workspace = kept.enter_context(runner_of(given))
    _to_map(runner, workspace, NEXT - timedelta(days=1))

    def work() -> object:
        with kept:
            _to_map(runner, workspace, NEXT)
            from htrisk_dagster.defs.forecast import map_path

            return map_path(workspace, workspace.area(given.area), str(NEXT))

    return work


def _to_map(runner: Any, workspace: Any, day: date) -> None:
    """Every step that is out of date, up to the map of the day."""
    from htrisk_dagster.defs.plan import Plan

    for step in Plan(workspace, runner.area, day, day, runner.refused, print).steps():
        runner.materialise(step)
        if "publishing/risk_map" in step.assets:
            return


def _answer(path: object) -> Answer:
    import numpy as np

    return {"map": np.frombuffer(Path(str(path)).read_bytes(), dtype=np.uint8)}


ROW = Row(
    work="one new day, raw to map, in process",
    prepare=_prepare,
    ours=Side("htrisk run of a day", _ours, _answer),
    target=Target(seconds=3),
    note="Features, forecasts of all models, risk and map, with Dagster's run records and all checks. The "
    "day's reports are stored, the process has made a day before.",
)
