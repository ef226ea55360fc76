"""Counts of reported incidents that may leave: by quarter and borough, by weekday and hour.

Belongs here: the fixed periods and tables of the release, the stages of the funnel among them. Does
not: which cells are hidden and the proof that it is enough (`victim_population/suppression.py`), what
the stages are (`evaluation/detection_funnel.py`), drawing.

Periods are complete calendar quarters, the same for both tables of a series: a count over a window
that a reader can move gives small counts away by the difference of two windows. Days with a map are
such a window too: a quarter less its mapped days would tell the few incidents of the days without. So
the funnel's counts are hidden together with those of the quarters, days without a map among them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from htrisk_dagster.errors import TableError
from htrisk_dagster.evaluation.detection_funnel import SPEC
from htrisk_dagster.schemas.published import HOUR_COUNTS, QUARTER_COUNTS, WEEKDAYS
from htrisk_dagster.victim_population.published_tables import ALL, K, TableSpec
from htrisk_dagster.victim_population.suppression import publish

_BY_QUARTER = TableSpec("quarter_counts", ("borough", "quarter"))
_BY_HOUR = TableSpec("hour_counts", ("weekday", "hour"))
NO_MAP = "(no map)"
KNOWN_EMPTY = (("quarter", "period"), ("period", "reached"))
"""A quarter and a period of the funnel lie in each other or apart, and only a day without a map has no stage: every reader knows it."""
_NO_STAGES = pl.DataFrame(schema={**dict.fromkeys(SPEC.dimensions, pl.String), "count": pl.Int64})
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


@dataclass(frozen=True)
class SeriesCounts:
    """What of the series leaves.

    Parameters
    ----------
    quarters, hours : DataFrame
        `schemas.published.QUARTER_COUNTS` and `HOUR_COUNTS`; without rows where no quarter is
        complete or has an incident.
    stages : DataFrame
        borough, period, reached and count of the series that has stages, of days with a map, for
        `evaluation.detection_funnel.funnel_of`; without rows where they cannot leave.
    """

    quarters: pl.DataFrame
    hours: pl.DataFrame
    stages: pl.DataFrame


def publish_series_counts(incidents: pl.DataFrame, first: date, last: date) -> SeriesCounts:
    """Count each series and hide what is small, or would tell what is small.

    Parameters
    ----------
    incidents : DataFrame
        One row an incident: `series`, `borough`, `occurred_on`, and `hour` (0 to 23), local. An
        incident may be in one series only. `period` and `reached` where the series has stages: of
        `evaluation.detection_funnel.records_of`, missing on days without a map.
    first, last : date
        Days that the reports cover.

    """
    period = complete_quarters(first, last)
    quarters, hours, stages = [QUARTER_COUNTS.empty()], [HOUR_COUNTS.empty()], _NO_STAGES
    if period:
        within = pl.col("occurred_on").is_between(*period, closed="left")
        for (name,), rows in incidents.filter(within).group_by("series", maintain_order=True):
            found = _publish_one(str(name), rows)
            quarters.append(found.quarters)
            hours.append(found.hours)
            stages = found.stages if found.stages.height else stages
    return SeriesCounts(
        QUARTER_COUNTS.conform(pl.concat(quarters).sort(QUARTER_COUNTS.key, nulls_last=True)),
        HOUR_COUNTS.conform(pl.concat(hours).sort(HOUR_COUNTS.key, nulls_last=True)),
        stages,
    )


def block_hours(n_incidents: int) -> int:
    """Hours in a block for a series of so many incidents; of their number alone, which is published."""
    enough = (b for b in _BLOCKS_HOURS if n_incidents * b / _HOURS_A_WEEK >= 3 * K)
    return next(enough, _BLOCKS_HOURS[-1])


def _publish_one(series: str, rows: pl.DataFrame) -> SeriesCounts:
    """Release all tables of one series together: they share its total."""
    on = pl.col("occurred_on")
    block = block_hours(rows.height)
    has_stages = "reached" in rows.columns and rows["reached"].null_count() < rows.height
    records = rows.select(
        "borough",
        quarter=on.dt.truncate("1q").cast(pl.String),
        weekday=pl.lit(pl.Series(WEEKDAYS)).implode().first().list.get(on.dt.weekday() - 1),
        hour=(pl.col("hour") // block * block).cast(pl.String),
        **({c: pl.col(c).fill_null(NO_MAP) for c in ("period", "reached")} if has_stages else {}),
    )
    tables = _released(records)
    quarters, hours = tables[:2]
    named = pl.lit(series).alias("series")
    count = pl.col("count").alias("incidents_count")
    shown = pl.when(pl.col("quarter") != ALL).then(pl.col("quarter"))
    hour = pl.when(pl.col("hour") != ALL).then(pl.col("hour")).cast(pl.Int32)
    return SeriesCounts(
        quarters.select(named, "borough", shown.str.to_date().alias("quarter_on"), count),
        hours.select(
            named, "weekday", hour.alias("hour"), pl.lit(block).alias("block_hours"), count
        ),
        mapped_stages(tables[2]) if len(tables) > 2 else _NO_STAGES,
    )


def _released(records: pl.DataFrame) -> list[pl.DataFrame]:
    """Counts by quarter, by hour, and by stage where there are stages that can leave with them."""
    if "reached" in records.columns:
        try:
            found = publish(records, (_BY_QUARTER, _BY_HOUR, SPEC), known_empty=KNOWN_EMPTY)
        except TableError:
            # Too many joint cells to prove, or none that could stay: the funnel stays here then.
            found = []
        if found and found[2].cells.height:
            return [table.cells for table in found]
    return [table.cells for table in publish(records, (_BY_QUARTER, _BY_HOUR))]


def mapped_stages(cells: pl.DataFrame) -> pl.DataFrame:
    """Counts of days with a map alone, of released ones that hold the other days too.

    What is left of a margin without the days that have no map is told where both are told.
    """
    is_margin = (pl.col("period") == ALL) & (pl.col("reached") == ALL)
    without = cells.filter(pl.col("period") == ALL, pl.col("reached") == NO_MAP)
    rest = without.select("borough", pl.col("count").alias("unmapped"))
    mapped = cells.filter(pl.col("period") != NO_MAP, pl.col("reached") != NO_MAP)
    count = pl.col("count")
    if rest.height:
        mapped = mapped.join(rest, on="borough", how="left", maintain_order="left")
        count = pl.when(is_margin).then(count - pl.col("unmapped")).otherwise(count)
    stages = mapped.select(*SPEC.dimensions, count.alias("count"))
    # Nothing but zeros and hidden counts is no funnel.
    return stages if stages["count"].sum() else stages.clear()
