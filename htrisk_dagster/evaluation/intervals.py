"""How often the count lay inside the interval that was given for it.

Belongs here: empirical coverage of intervals, overall and by group. Does not: how intervals are
made (`models`), intervals of a metric (`bootstrap`).

Counts are whole numbers, so a 95% interval holds the count with probability 0.95 *or more*; for a
cell that expects 0.001 incidents [0, 0] covers 99.9%. Coverage above the nominal level is
therefore no fault by itself, coverage below it is, and only groups with higher expectations tell
models apart.

The *randomised* coverage has no such slack: of each count's step [F(y - 1), F(y)] of the
distribution function it takes the share that lies between the two tails, which is the chance that
a randomised 95% interval holds the count. Where the distribution is right its mean is 0.95
exactly, for however rare a count, so 94% to 96% can be asked of it. It is the expectation over the
randomisation, not a draw (see `predictive_distribution`).
"""

from __future__ import annotations

import math

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from htrisk_dagster.evaluation.calibration import risk_groups
from htrisk_dagster.evaluation.pairs import checked_pair, ratio
from htrisk_dagster.evaluation.predictive_distribution import pit_bounds, pit_mass


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


def inside_mass(
    counts: ArrayLike, expected: ArrayLike, *, size: ArrayLike = math.inf, level: float = 0.95
) -> NDArray[np.float64]:
    """Chance that the randomised central interval holds each count, shape (D, C).

    Parameters
    ----------
    counts, expected : arrays of shape (D, C)
    size : float or array that broadcasts to (D, C)
        Size r of the negative binomial around the mean; inf is the Poisson.
    level : float
        Nominal coverage, in (0, 1).

    Raises
    ------
    ValueError
        Where the level is outside (0, 1) or the pair is unfit (`pairs.checked_pair`).
    """
    if not 0 < level < 1:
        raise ValueError(f"The level of an interval lies between 0 and 1, not at {level}.")
    lower, upper = pit_bounds(*checked_pair(counts, expected), size)
    tail = (1 - level) / 2
    return pit_mass(lower, upper, 1 - tail) - pit_mass(lower, upper, tail)


def randomised_coverage(
    counts: ArrayLike, expected: ArrayLike, *, size: ArrayLike = math.inf, level: float = 0.95
) -> float:
    """Mean of `inside_mass`: `level` where the distribution is right. NaN without cell-days."""
    inside = inside_mass(counts, expected, size=size, level=level)
    return ratio(float(inside.sum()), inside.size)


def randomised_coverage_by_group(
    counts: ArrayLike,
    expected: ArrayLike,
    *,
    group: ArrayLike,
    size: ArrayLike = math.inf,
    level: float = 0.95,
) -> pl.DataFrame:
    """Randomised coverage within each group of cell-days, such as a borough.

    Parameters
    ----------
    group : array that broadcasts to (D, C)
        Label of each cell-day.
    counts, expected, size, level
        As in `inside_mass`.

    Returns
    -------
    DataFrame
        `group`, `cell_days_count`, `incidents_count`, `coverage`; sorted by group.
    """
    inside = inside_mass(counts, expected, size=size, level=level)
    labels = np.broadcast_to(np.asarray(group), inside.shape)
    frame = pl.DataFrame(
        {
            "group": labels.ravel(),
            "incidents": np.asarray(counts, dtype=np.float64).ravel(),
            "inside": inside.ravel(),
        }
    )
    return (
        frame.group_by("group")
        .agg(
            pl.len().cast(pl.Int64).alias("cell_days_count"),
            pl.col("incidents").sum().round().cast(pl.Int64).alias("incidents_count"),
            pl.col("inside").mean().alias("coverage"),
        )
        .sort("group")
    )


def randomised_coverage_by_risk(
    counts: ArrayLike,
    expected: ArrayLike,
    *,
    size: ArrayLike = math.inf,
    level: float = 0.95,
    n_groups: int = 10,
) -> pl.DataFrame:
    """Randomised coverage by risk decile of the forecast, 1 lowest; see `risk_groups`."""
    group = risk_groups(expected, n_groups=n_groups)
    return randomised_coverage_by_group(counts, expected, group=group, size=size, level=level)
