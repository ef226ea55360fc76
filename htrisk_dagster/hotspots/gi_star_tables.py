"""From weekly panels to the tables of Gi*, emerging hot spots and change.

Belongs here: which statistic fills which column, at which level. Does not: the statistics (their own
modules), reading and writing (`defs/concentrated.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.hotspots import permutation
from htrisk_dagster.hotspots.emerging import emerging_hot_spots
from htrisk_dagster.hotspots.getis_ord import gi_star
from htrisk_dagster.hotspots.period_comparison import pattern_similarity, rate_change
from htrisk_dagster.hotspots.weeks import WeekPanel
from htrisk_dagster.schemas import hotspots as tables

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FDR_LEVEL = 0.05


def gi_star_rows(panels: Mapping[str, WeekPanel], weights: csr_array) -> pl.DataFrame:
    """Rows of `CELL_WEEK_GI_STAR`, by series, week and cell.

    Parameters
    ----------
    panels : mapping of str to WeekPanel
        By name of the series.
    weights : scipy.sparse.csr_array, shape (C, C)
        As `getis_ord.with_self` makes them.
    """
    return tables.CELL_WEEK_GI_STAR.conform(
        pl.concat(_gi_star_rows(name, panel, weights) for name, panel in panels.items())
    )


def _gi_star_rows(name: str, panel: WeekPanel, weights: csr_array) -> pl.DataFrame:
    found = gi_star(panel.counts, weights)
    exact = permutation.exact_permutations(panel.counts, weights)
    n_weeks, n_cells = panel.counts.shape
    return (
        pl.DataFrame(
            {
                "week_on": pl.Series(panel.weeks, dtype=pl.Date).gather(
                    np.repeat(np.arange(n_weeks), n_cells)
                ),
                "cell_id": np.tile(np.arange(n_cells, dtype=np.int32), n_weeks),
                "incidents_count": panel.counts.ravel(),
                "gi_star_z": found.z.ravel(),
                "p_value_prob": found.p_value.ravel(),
                "fdr_p_value_prob": found.fdr_p_value.ravel(),
                "permutation_p_value_prob": exact.p_value.ravel(),
                "permutation_fdr_p_value_prob": exact.fdr_p_value.ravel(),
                "spot": _spots(exact, found.z).ravel(),
            }
        )
        .select(pl.lit(name).alias("series"), pl.all())
        .fill_nan(None)
    )


@dataclass(frozen=True, eq=False)
class WeeklyGiStar:
    """One series of `CELL_WEEK_GI_STAR` as arrays of shape (T, C).

    Parameters
    ----------
    weeks : list of date
        Monday of each week.
    z : float64
        NaN where it is missing.
    counts, hot, cold
        Incidents, and whether the cell is a hot or a cold spot of the week.
    """

    weeks: list[date]
    z: NDArray[np.float64]
    counts: NDArray[np.int32]
    hot: NDArray[np.bool_]
    cold: NDArray[np.bool_]

    @classmethod
    def of(cls, rows: pl.DataFrame) -> WeeklyGiStar:
        """Read the arrays off the rows of one series, which are stored in order."""
        weeks = rows["week_on"].unique().sort().to_list()
        z, counts, hot, cold = (
            rows.select(column).to_series().to_numpy().reshape(len(weeks), -1)
            for column in (
                pl.col("gi_star_z").fill_null(float("nan")),
                pl.col("incidents_count"),
                pl.col("spot") == "hot",
                pl.col("spot") == "cold",
            )
        )
        return cls(weeks, z, counts, hot, cold)


def _spots(test: permutation.PermutationTest, z: NDArray[np.float64]) -> NDArray[np.str_]:
    cold = np.where(test.cold(z, FDR_LEVEL), "cold", "neither")
    return np.where(test.hot(z, FDR_LEVEL), "hot", cold)


def emerging_rows(weekly_rows: pl.DataFrame, weights: csr_array) -> pl.DataFrame:
    """Rows of `EMERGING_HOT_SPOTS` from those of `CELL_WEEK_GI_STAR`.

    Parameters
    ----------
    weekly_rows : DataFrame
        `CELL_WEEK_GI_STAR`, in its order.
    weights : scipy.sparse.csr_array, shape (C, C)
        Those it was made with.
    """
    parts = [
        _emerging_rows(name, WeeklyGiStar.of(rows), weights)
        for (name,), rows in weekly_rows.group_by(["series"], maintain_order=True)
    ]
    return tables.EMERGING_HOT_SPOTS.conform(pl.concat(parts))


def _emerging_rows(name: object, weekly: WeeklyGiStar, weights: csr_array) -> pl.DataFrame:
    classes = emerging_hot_spots(weekly.z, weekly.hot, weekly.cold, level=FDR_LEVEL)
    total = weekly.counts.sum(axis=0, dtype=np.int64)[None, :]
    overall = gi_star(total, weights)
    exact = permutation.exact_permutations(total, weights)
    return (
        pl.DataFrame(
            {
                "cell_id": np.arange(total.shape[1], dtype=np.int32),
                "pattern": classes.pattern,
                "hot_weeks_count": classes.hot_periods,
                "cold_weeks_count": classes.cold_periods,
                "trend_z": classes.trend.z,
                "trend_p_value_prob": classes.trend.p_value,
                "incidents_count": total[0],
                "gi_star_z": overall.z[0],
                "fdr_p_value_prob": overall.fdr_p_value[0],
                "permutation_p_value_prob": exact.p_value[0],
                "permutation_fdr_p_value_prob": exact.fdr_p_value[0],
                "spot": _spots(exact, overall.z)[0],
            }
        )
        .select(
            pl.lit(name).alias("series"),
            pl.lit(weekly.weeks[0]).alias("first_week_on"),
            pl.lit(weekly.weeks[-1]).alias("last_week_on"),
            pl.all(),
        )
        .fill_nan(None)
    )


def change_rows(
    weekly_rows: pl.DataFrame, *, seed: int
) -> tuple[pl.DataFrame, dict[str, tuple[float, float]]]:
    """Rows of `PERIOD_CHANGE` from the counts of `CELL_WEEK_GI_STAR`, and S indices by series.

    The later half of the weeks is compared with the earlier half; of an odd number the first week
    is left out, so that both halves are as long.

    Returns
    -------
    DataFrame, dict
        The rows, and for each series Andresen's S over all cells and over active cells, where both
        halves have an incident.
    """
    parts, indices = [], {}
    for (name,), rows in weekly_rows.group_by(["series"], maintain_order=True):
        weekly = WeeklyGiStar.of(rows)
        half = len(weekly.weeks) // 2
        base = weekly.counts[-2 * half : -half].sum(axis=0, dtype=np.int64)
        recent = weekly.counts[-half:].sum(axis=0, dtype=np.int64)
        similar = pl.lit(None, pl.Boolean)
        if base.any() and recent.any():
            pattern = pattern_similarity(base, recent, seed=seed)
            indices[str(name)] = (pattern.s_index, pattern.active_s_index)
            similar = pl.lit(pl.Series(pattern.is_similar))
        parts.append(
            _change_rows(base, recent).with_columns(
                pl.lit(name).alias("series"),
                pl.lit(weekly.weeks[-2 * half]).alias("base_first_week_on"),
                pl.lit(weekly.weeks[-half]).alias("recent_first_week_on"),
                similar.alias("is_share_similar"),
            )
        )
    return tables.PERIOD_CHANGE.conform(pl.concat(parts)), indices


def _change_rows(base: NDArray[np.int64], recent: NDArray[np.int64]) -> pl.DataFrame:
    found = rate_change(base, recent)
    significant = found.fdr_p_value <= FDR_LEVEL
    return pl.DataFrame(
        {
            "cell_id": np.arange(base.size, dtype=np.int32),
            "base_incidents_count": base,
            "recent_incidents_count": recent,
            "rate_ratio": np.where(base > 0, found.ratio, np.nan),
            "p_value_prob": found.p_value,
            "fdr_p_value_prob": found.fdr_p_value,
            "change": np.where(
                significant, np.where(found.ratio > 1, "more", "fewer"), "no change"
            ),
        }
    ).fill_nan(None)
