"""How often the count lay inside the interval that was given for it.

Belongs here: empirical coverage of intervals, overall and by group. Does not: how intervals are
made (`models`), intervals of a metric (`bootstrap`).

Counts are whole numbers, so a 95% interval holds the count with probability 0.95 *or more*; for a
cell that expects 0.001 incidents [0, 0] covers 99.9%. Coverage above the nominal level is
therefore no fault by itself, coverage below it is, and only groups with higher expectations tell
models apart.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from htrisk_dagster.evaluation.pairs import ratio


def _inside(counts: ArrayLike, lower: ArrayLike, upper: ArrayLike) -> NDArray[np.bool_]:
    observed, low, high = (np.asarray(a, dtype=np.float64) for a in (counts, lower, upper))
    if not observed.shape == low.shape == high.shape:
        raise ValueError(
            f"Counts {observed.shape}, lower ends {low.shape} and upper ends {high.shape} "
            "differ in shape."
        )
    if (low > high).any():
        at = tuple(int(i) for i in np.argwhere(low > high)[0])
        raise ValueError(f"Interval {at} ends at {high[at]}, below its start {low[at]}.")
    return np.asarray((low <= observed) & (observed <= high))


def interval_coverage(counts: ArrayLike, *, lower: ArrayLike, upper: ArrayLike) -> float:
    """Share of cell-days whose count lies in [lower, upper], ends included.

    Parameters
    ----------
    counts, lower, upper : arrays of one shape
        Reported incidents and the two ends of the interval.

    Returns
    -------
    float
        0 to 1; NaN without cell-days.

    Raises
    ------
    ValueError
        Where shapes differ or an interval ends below its start.
    """
    inside = _inside(counts, lower, upper)
    return ratio(int(inside.sum()), inside.size)


def coverage_by_group(
    counts: ArrayLike, *, lower: ArrayLike, upper: ArrayLike, group: ArrayLike
) -> pl.DataFrame:
    """Coverage within each group of cell-days, such as a borough or a risk decile.

    Parameters
    ----------
    counts, lower, upper : arrays of shape (D, C)
        As in `interval_coverage`.
    group : array that broadcasts to (D, C)
        Label of each cell-day: (C,) for boroughs, (D, C) for deciles of `calibration.risk_groups`.

    Returns
    -------
    DataFrame
        `group`, `cell_days_count`, `inside_count`, `coverage` and `above_share`, the share of
        cell-days with more incidents than the upper end; sorted by group.
    """
    inside = _inside(counts, lower, upper)
    above = np.asarray(counts, dtype=np.float64) > np.asarray(upper, dtype=np.float64)
    labels = np.broadcast_to(np.asarray(group), inside.shape)
    frame = pl.DataFrame(
        {"group": labels.ravel(), "inside": inside.ravel(), "above": above.ravel()}
    )
    return (
        frame.group_by("group")
        .agg(
            pl.len().cast(pl.Int64).alias("cell_days_count"),
            pl.col("inside").sum().cast(pl.Int64).alias("inside_count"),
            pl.col("inside").mean().alias("coverage"),
            pl.col("above").mean().alias("above_share"),
        )
        .sort("group")
    )
