"""Months out of counts by week: each week goes to its months by its days.

Belongs here: the split and what it does to the noise. Does not: counts from rows (`aggregation`).

A week that lies in two months is shared out in proportion to its days in each, as if its incidents
were spread evenly over it. Neighbouring months then share part of their noise, and a month's figure
has a little less of it than a count would: see `split_floor_factor`. A month is known when the last
week that touches it has ended, up to six days after the month itself.
"""

from __future__ import annotations

import numpy as np

from htrisk_dagster.models.series.panel import Array, SeriesPanel, next_starts

LEAST_OF_NEIGHBOURS = 0.6
"""An edge week with a smaller share of its neighbours' count is taken to be cut off."""
_NEIGHBOURS = 4


def whole_weeks(weeks: SeriesPanel) -> SeriesPanel:
    """The panel without a first or last week that is cut off, judged by its total.

    Publishers count by week within the days of their file, so that its first and last week may hold
    one day only; nothing but the count tells.
    """
    totals = weeks.counts.sum(axis=1)
    first, stop = 0, weeks.n_periods
    if stop > 2 * _NEIGHBOURS:
        if totals[0] < LEAST_OF_NEIGHBOURS * np.median(totals[1 : 1 + _NEIGHBOURS]):
            first = 1
        if totals[-1] < LEAST_OF_NEIGHBOURS * np.median(totals[-1 - _NEIGHBOURS : -1]):
            stop -= 1
    return weeks.until(stop).since(first)


def month_weights(weeks: SeriesPanel) -> tuple[Array, np.ndarray]:
    """Share of each week in each month that the weeks cover whole, (M, W), and the months' first days."""
    days = weeks.starts[:, None] + np.arange(7)
    months = days.astype("datetime64[M]")
    # The first month is whole only where it begins with the weeks; the last where it ends with them.
    first = (days[0, 0] - 1).astype("datetime64[M]") + 1
    last = (days[-1, -1] + 1).astype("datetime64[M]") - 1
    n = int((last - first).astype(np.int64)) + 1
    if n < 1:
        raise ValueError(
            f"{weeks.n_periods} weeks from {weeks.starts[0]} cover no month whole; give more."
        )
    starts = next_starts(first.astype("datetime64[D]"), n, "month")
    number = (months - first).astype(np.int64)
    weights = np.zeros((n, weeks.n_periods))
    week = np.broadcast_to(np.arange(weeks.n_periods)[:, None], number.shape)
    inside = (number >= 0) & (number < n)
    np.add.at(weights, (number[inside], week[inside]), 1.0 / 7.0)
    return weights, starts


def months_of_weeks(weeks: SeriesPanel) -> SeriesPanel:
    """Counts by month of the months that the weeks cover whole.

    Raises
    ------
    ValueError
        Where they cover none, or the panel is not one of weeks.
    """
    if weeks.frequency != "week":
        raise ValueError(f"A panel of weeks is split, this one is by {weeks.frequency}.")
    weights, starts = month_weights(weeks)
    return SeriesPanel(weeks.areas, starts, weights @ weeks.counts, "month")


def split_floor_factor(weeks: SeriesPanel) -> float:
    """Standard deviation of a split month's Poisson noise over that of a counted month, about 0.96.

    Independent weeks of one rate: the variance is the sum of squared shares, where a count's
    would be their sum.
    """
    weights, _ = month_weights(weeks)
    return float(np.sqrt((np.square(weights).sum(axis=1) / weights.sum(axis=1)).mean()))


def months_ahead(weeks: SeriesPanel, expected: Array, first_month: np.datetime64, n: int) -> Array:
    """Months out of known weeks and the weeks forecast after them, shape (n, S).

    Parameters
    ----------
    weeks : SeriesPanel
        Weeks that were known.
    expected : float64, shape (H, S)
        Expected counts of the weeks after them.
    first_month : datetime64
        First day of the first month.
    n : int
        Months.

    Raises
    ------
    ValueError
        Where the weeks end before the months do.
    """
    whole = SeriesPanel(
        weeks.areas,
        next_starts(weeks.starts[0], weeks.n_periods + len(expected), "week"),
        np.vstack([weeks.counts, expected]),
        "week",
    )
    months = months_of_weeks(whole)
    first = months.index_of(first_month)
    if first + n > months.n_periods:
        raise ValueError(
            f"{len(expected)} weeks ahead do not cover {n} months from {first_month}; forecast more."
        )
    return months.counts[first : first + n]
