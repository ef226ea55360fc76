"""Hot and cold cells of single weeks, where they tell of no small count.

Belongs here: what of `hotspots.cell_week_gi_star` may leave. Does not: Gi* and its tests (`hotspots/`).

Gi* compares a cell and its neighbours with the whole area, so that "hot" says that about that many were
reported there in that week: with a rare offence three can be enough. A spot leaves where the cell and its
neighbours have k incidents or more, or none at all, and no count goes with it. What is hidden looks like
a cell that is neither; how many are hidden is told by week.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from htrisk_dagster.hotspots.gi_star_tables import WeeklyGiStar
from htrisk_dagster.schemas.published import HOT_SPOT_WEEKS, WEEK_SPOTS
from htrisk_dagster.victim_population.published_tables import K

if TYPE_CHECKING:
    from scipy.sparse import csr_array


def publish_week_spots(
    weekly: pl.DataFrame, weights: csr_array
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Spots that may leave, and how many each week has and hides.

    Parameters
    ----------
    weekly : DataFrame
        `schemas.hotspots.CELL_WEEK_GI_STAR`, in its order.
    weights : scipy.sparse.csr_array, shape (C, C)
        The cell and its neighbours, those that Gi* was made with.

    Returns
    -------
    spots, weeks : DataFrame
        `schemas.published.WEEK_SPOTS` and `HOT_SPOT_WEEKS`; every week of each series is in the second.
    """
    parts = [
        _of_series(name, WeeklyGiStar.of(rows), weights)
        for (name,), rows in weekly.group_by(["series"], maintain_order=True)
    ]
    spots = [WEEK_SPOTS.empty(), *(spots for spots, _ in parts)]
    weeks = [HOT_SPOT_WEEKS.empty(), *(weeks for _, weeks in parts)]
    return (
        WEEK_SPOTS.conform(pl.concat(spots, how="vertical_relaxed")),
        HOT_SPOT_WEEKS.conform(pl.concat(weeks, how="vertical_relaxed")),
    )


def _of_series(
    name: object, weekly: WeeklyGiStar, weights: csr_array
) -> tuple[pl.DataFrame, pl.DataFrame]:
    around = (weights @ weekly.counts.T.astype(np.int64)).T
    may_leave = (around == 0) | (around >= K)
    shown_hot, shown_cold = weekly.hot & may_leave, weekly.cold & may_leave
    week, cell = np.nonzero(shown_hot | shown_cold)
    weeks = pl.Series("week_on", weekly.weeks, dtype=pl.Date)
    spots = pl.DataFrame(
        {
            "week_on": weeks.gather(week),
            "cell_id": cell,
            "spot": np.where(shown_hot[week, cell], "hot", "cold"),
        }
    )
    by_week = pl.DataFrame(
        {
            "week_on": weeks,
            "hot_cells_count": shown_hot.sum(axis=1),
            "cold_cells_count": shown_cold.sum(axis=1),
            "hidden_cells_count": ((weekly.hot | weekly.cold) & ~may_leave).sum(axis=1),
        }
    )
    series = pl.lit(name).alias("series")
    return spots.select(series, pl.all()), by_week.select(series, pl.all())
