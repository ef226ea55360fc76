"""Risk of all days that a city has after its first models, in one run of Dagster.

The demonstration's city has 38 months; seven of them come before the first models. What the target says
of 1,096 days is asked of these 945 in proportion.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from benchmarks.back_fill import ASSETS, FIRST, LAST, home_of, runs_of
from benchmarks.sides import Answer, Row, Side, Target

DAYS = [FIRST + timedelta(days=i) for i in range((LAST - FIRST).days + 1)]


def _prepare(folder: Path) -> None:
    home_of(folder)


def _answer(workspace: object) -> Answer:
    import numpy as np
    from htrisk_dagster.schemas import predictions

    keys = workspace.tables("nyc").keys(predictions.CELL_DAY_RISK)  # type: ignore[attr-defined]
    return {"days": np.array([str(day) in set(keys) for day in DAYS])}


ROW = Row(
    work=f"back-fill of {len(DAYS)} days in one run: features, forecasts, risk",
    prepare=_prepare,
    ours=Side("one run", runs_of("years", [DAYS], [ASSETS]), _answer),
    target=Target(seconds=round(120 * len(DAYS) / 1096)),
    repeats=1,
    note="With all checks; 3,616 cells, all models of June 2022.",
)
