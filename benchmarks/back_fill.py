"""Risk of many days in one run of Dagster, against one run a day.

Sixty days for the comparison, since a run a day takes an hour for three years (`back_fill_years` has one run
of these); the bytes of every partition must be the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path

from benchmarks.graph_runs import copy_of, runner_of, settings, trained
from benchmarks.sides import Answer, Row, Side, Target

# Seven months of the city's history come before its first models.
PRESET, SINCE, FIRST, LAST = "demo", date(2021, 11, 1), date(2022, 6, 1), date(2024, 12, 31)
N_DAYS = 60
DAYS = [FIRST + timedelta(days=i) for i in range(N_DAYS)]
ASSETS = ("features/cell_day", "predictions/model_forecasts", "predictions/cell_day_risk")
ALONE = [(asset,) for asset in ASSETS]


def home_of(folder: Path) -> Path:
    """Home of the workspace whose days are made."""
    return trained(folder, PRESET, FIRST, LAST, SINCE)


def _prepare(folder: Path) -> None:
    home_of(folder)


def runs_of(
    name: str, groups: list[list[date]], together: Sequence[tuple[str, ...]]
) -> Callable[[Path], Callable[[], object]]:
    """Runs of each group of days, one after the other for the assets that are made `together`."""

    def load(folder: Path) -> Callable[[], object]:
        home = copy_of(home_of(folder), name)
        given = settings(home, PRESET, history_start=SINCE)

        def work() -> object:
            from htrisk_dagster.defs.plan import Step

            with runner_of(given) as (runner, workspace):
                for days in groups:
                    keys = tuple(str(day) for day in days)
                    for assets in together:
                        runner.materialise(Step(assets[0], assets, keys))
                return workspace

        return work

    return load


def _answer(workspace: object) -> Answer:
    import numpy as np
    from htrisk_dagster.schemas import predictions

    store = workspace.tables("nyc")  # type: ignore[attr-defined]
    contents = store.contents(predictions.CELL_DAY_RISK)
    return {"digests": np.array([contents[str(day)] for day in DAYS])}


ROW = Row(
    work=f"back-fill of {N_DAYS} days: features, forecasts, risk",
    prepare=_prepare,
    ours=Side("one run", runs_of("range", [DAYS], ALONE), _answer),
    usual=Side("one run a day", runs_of("days", [[day] for day in DAYS], ALONE), _answer),
    target=Target(ratio=10),
    repeats=1,
    note="Checks included on both sides.",
)
