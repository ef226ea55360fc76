"""Counts of reported incidents that may leave: by quarter and borough, by weekday and hour.

Belongs here: the fixed periods and tables of the release. Does not: which cells are hidden and the
proof that it is enough (`victim_population/suppression.py`), drawing.

Periods are complete calendar quarters, the same for both tables of a series: a count over a window
that a reader can move gives small counts away by the difference of two windows.
"""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from htrisk_dagster.schemas.published import HOUR_COUNTS, QUARTER_COUNTS, WEEKDAYS
from htrisk_dagster.victim_population.published_tables import ALL, K, TableSpec
from htrisk_dagster.victim_population.suppression import publish

_BY_QUARTER = TableSpec("quarter_counts", ("borough", "quarter"))
_BY_HOUR = TableSpec("hour_counts", ("weekday", "hour"))
# A block must hold three times k on average, else most of a week would be hidden.
_BLOCKS_HOURS = (1, 3, 6)
_HOURS_A_WEEK = 168


def complete_quarters(first: date, last: date) -> tuple[date, date] | None:
    """First day and day after the last of the calendar quarters that lie within `first` to `last`."""
    start = _quarter_of(first)
    if start < first:
        start = _quarter_of(start + timedelta(days=92))
    stop = _quarter_of(last + timedelta(days=1))
    return (start, stop) if start < stop else None


def _quarter_of(day: date) -> date:
    return day.replace(month=3 * ((day.month - 1) // 3) + 1, day=1)


def publish_series_counts(
    incidents: pl.DataFrame, first: date, last: date
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Count each series and hide what is small, or would tell what is small.

    Parameters
    ----------
    incidents : DataFrame
        One row an incident: `series`, `borough`, `occurred_on`, and `hour` (0 to 23), local. An
        incident may be in one series only.
    first, last : date
        Days that the reports cover.

    Returns
    -------
    quarters, hours : DataFrame
        `schemas.published.QUARTER_COUNTS` and `HOUR_COUNTS`; without rows where no quarter is
        complete or has an incident.
    """
    period = complete_quarters(first, last)
    found = [(QUARTER_COUNTS.empty(), HOUR_COUNTS.empty())]
    if period:
        within = pl.col("occurred_on").is_between(*period, closed="left")
        for (name,), rows in incidents.filter(within).group_by("series", maintain_order=True):
            found.append(_publish_one(str(name), rows))
    quarters, hours = (pl.concat(frames) for frames in zip(*found, strict=True))
    return (
        QUARTER_COUNTS.conform(quarters.sort(QUARTER_COUNTS.key, nulls_last=True)),
        HOUR_COUNTS.conform(hours.sort(HOUR_COUNTS.key, nulls_last=True)),
    )


def block_hours(n_incidents: int) -> int:
    """Hours in a block for a series of so many incidents; of their number alone, which is published."""
    enough = (b for b in _BLOCKS_HOURS if n_incidents * b / _HOURS_A_WEEK >= 3 * K)
    return next(enough, _BLOCKS_HOURS[-1])


def _publish_one(series: str, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Release both tables of one series together: they share its total."""
    on = pl.col("occurred_on")
    block = block_hours(rows.height)
    records = rows.select(
        "borough",
        quarter=on.dt.truncate("1q").cast(pl.String),
        weekday=pl.lit(pl.Series(WEEKDAYS)).implode().first().list.get(on.dt.weekday() - 1),
        hour=(pl.col("hour") // block * block).cast(pl.String),
    )
    quarters, hours = (table.cells for table in publish(records, (_BY_QUARTER, _BY_HOUR)))
    named = pl.lit(series).alias("series")
    count = pl.col("count").alias("incidents_count")
    shown = pl.when(pl.col("quarter") != ALL).then(pl.col("quarter"))
    hour = pl.when(pl.col("hour") != ALL).then(pl.col("hour")).cast(pl.Int32)
    return (
        quarters.select(named, "borough", shown.str.to_date().alias("quarter_on"), count),
        hours.select(
            named, "weekday", hour.alias("hour"), pl.lit(block).alias("block_hours"), count
        ),
    )
