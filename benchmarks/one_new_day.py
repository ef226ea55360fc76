"""One new day, from the publishers' files to the map, in process by Dagster.

The models of the month are there, as on any morning but the first of a month.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

from benchmarks.graph_runs import copy_of, ready, runner_of, settings
from benchmarks.sides import Answer, Row, Side, Target

PRESET, LAST, NEXT = "demo", date(2024, 12, 10), date(2024, 12, 11)


def _prepare(folder: Path) -> None:
    ready(folder, PRESET, LAST)


def _ours(folder: Path) -> Callable[[], object]:
    home = copy_of(ready(folder, PRESET, LAST), "day")
    given = settings(home, PRESET)

    def work() -> object:
        with runner_of(given) as (runner, workspace):
            from htrisk_dagster.defs.forecast import map_path

            runner.run_range(workspace, NEXT, NEXT, lambda step: None)
            return map_path(workspace, workspace.area(given.area), str(NEXT))

    return work


def _answer(path: object) -> Answer:
    import numpy as np

    return {"map": np.frombuffer(Path(str(path)).read_bytes(), dtype=np.uint8)}


ROW = Row(
    work="one new day, raw to map, in process",
    prepare=_prepare,
    ours=Side("htrisk run of a day", _ours, _answer),
    target=Target(seconds=3),
    note="Definitions, Dagster's run records, dbt, checks, the comparison and the drift of the day included.",
)
