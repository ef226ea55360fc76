"""Gi* of every day of three years, against esda called once a day."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.city_inputs import daily_panel, simulate
from benchmarks.sides import Answer, Row, Side, Target, equal_within


def _ours(folder: Path) -> Callable[[], object]:
    import scipy.special  # noqa: F401  imports are not timed on either side
    from htrisk_dagster.grid.neighbours import queen_contiguity
    from htrisk_dagster.hotspots.getis_ord import gi_star, with_self

    panel, grid = daily_panel(folder)
    weights = with_self(queen_contiguity(grid))

    def work() -> object:
        found = gi_star(panel, weights)
        # Made when asked for; esda makes its own always, and controls no false discoveries.
        assert found.p_value.shape == found.z.shape
        return found.z

    return work


def _esda(folder: Path) -> Callable[[], object]:
    import numpy as np
    from esda.getisord import G_Local
    from htrisk_dagster.grid.neighbours import queen_contiguity
    from libpysal.weights import WSP

    panel, grid = daily_panel(folder)
    w = WSP(queen_contiguity(grid).astype(float)).to_W()

    def work() -> object:
        return np.stack(
            [
                G_Local(day.astype(float), w, transform="B", star=True, permutations=0).Zs
                for day in panel
            ]
        )

    return work


def _answer(z: object) -> Answer:
    return {"z": z}  # type: ignore[dict-item]


ROW = Row(
    work="Gi* and its p-values for 1,096 days",
    prepare=simulate,
    ours=Side("gi_star, all days at once", _ours, _answer),
    usual=Side("esda per day (transform B)", _esda, _answer),
    same=equal_within(1e-9),
    target=Target(ratio=500),
    repeats=1,
    note="esda's default transform R gives a third of the z; see hotspots/getis_ord.py.",
)
