"""A cold city: from 1.66 million rows of files to features, models and maps, nothing there before.

The time in the LSTM's training is taken off, as the target says.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from benchmarks.city_inputs import PRESET
from benchmarks.graph_runs import runner_of, settings
from benchmarks.sides import Answer, Row, Side, Target

FIRST, LAST = date(2024, 12, 1), date(2024, 12, 31)


def _ours(folder: Path) -> Callable[[], object]:
    home = folder / "cold"
    shutil.rmtree(home, ignore_errors=True)
    given = settings(home, PRESET)

    def work() -> object:
        began: dict[str, float] = {}

        def noted(step: object) -> None:
            began[step.title] = time.perf_counter()  # type: ignore[attr-defined]
            print(f"{time.perf_counter() - start:8.1f} s  {step.title}", flush=True)  # type: ignore[attr-defined]

        start = time.perf_counter()
        with runner_of(given) as (runner, workspace):
            runner.run_range(workspace, FIRST, LAST, noted)
        titles = list(began)
        ends = [*(began[title] for title in titles[1:]), time.perf_counter()]
        return dict(
            zip(titles, [e - b for e, b in zip(ends, began.values(), strict=True)], strict=True)
        )

    return work


def _answer(seconds: object) -> Answer:
    import numpy as np

    assert isinstance(seconds, dict)
    return {"step": np.array(list(seconds)), "seconds": np.array(list(seconds.values()))}


ROW = Row(
    work="cold city: 1.66 M rows → features → all models → maps of a month",
    prepare=lambda folder: None,
    ours=Side("htrisk run", _ours, _answer),
    target=Target(seconds=60, peak_gb=3),
    repeats=1,
    note="The city's files are written within; the LSTM's training is part of the figure.",
)
