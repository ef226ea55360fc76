"""Trend of Gi* by cell for emerging hot spots, against a trend test called once a cell.

The usual call is Kendall's test of each cell's series, here scipy's `kendalltau`; classes are cheap
beside it on either side and are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.city_inputs import daily_panel, simulate
from benchmarks.sides import Answer, Row, Side, Target, equal_within


def _weekly_z(folder: Path):
    from htrisk_dagster.grid.neighbours import queen_contiguity
    from htrisk_dagster.hotspots.getis_ord import gi_star, with_self

    panel, grid = daily_panel(folder)
    weeks = len(panel) // 7
    weekly = panel[: 7 * weeks].reshape(weeks, 7, -1).sum(axis=1)
    return gi_star(weekly, with_self(queen_contiguity(grid))).z


def _ours(folder: Path) -> Callable[[], object]:
    from htrisk_dagster.hotspots.mann_kendall import mann_kendall

    z = _weekly_z(folder)
    return lambda: mann_kendall(z).s


def _scipy(folder: Path) -> Callable[[], object]:
    import numpy as np
    from scipy.stats import kendalltau

    z = _weekly_z(folder)
    weeks = np.arange(len(z))

    def work() -> object:
        # S from tau-b: concordant less discordant pairs, with ties of z in the denominator.
        found = np.empty(z.shape[1])
        pairs = len(z) * (len(z) - 1) / 2
        for cell, series in enumerate(z.T):
            _, ties = np.unique(series, return_counts=True)
            tied = (ties * (ties - 1) / 2).sum()
            tau = kendalltau(weeks, series).statistic
            found[cell] = np.rint(tau * np.sqrt(pairs * (pairs - tied)))
        return found

    return work


def _answer(s: object) -> Answer:
    import numpy as np

    return {"s": np.asarray(s, dtype=np.float64)}


ROW = Row(
    work="Mann-Kendall of 156 weeks, 2,800 cells (emerging hot spots)",
    prepare=simulate,
    ours=Side("mann_kendall, all cells at once", _ours, _answer),
    usual=Side("scipy's kendalltau per cell", _scipy, _answer),
    same=equal_within(0),
    target=Target(ratio=1),
)
