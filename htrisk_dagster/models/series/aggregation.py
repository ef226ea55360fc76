"""Incidents of any table counted by area and day, week or month, on a whole calendar.

Belongs here: local days, counts, the periods that the rows cover only in part. Does not: weeks that a
publisher has counted already (`week_split`), reading rows (`warehouse`).

Every area has every period from the first day to the last, zeros included: a day without a row is
a day without a report, once the table covers it. The first and last period may be covered in part; they
are marked, kept in the table and left out of the panel, since their counts are no counts of a period.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import polars as pl

from htrisk_dagster.models.series.panel import (
    Frequency,
    SeriesPanel,
    days_in,
    next_starts,
    period_start,
)
from htrisk_dagster.schemas.series import AREA_PERIODS

TOTAL_AREA = "(all)"
"""The whole study area, in tables of areas."""


def local_days(instants: pl.Series, time_zone: str) -> pl.Series:
    """Local day of naive UTC instants, by the zone's rules at each instant."""
    return instants.dt.replace_time_zone("UTC").dt.convert_time_zone(time_zone).dt.date()


def count_by_area(
    rows: pl.DataFrame,
    *,
    area: str,
    day: str,
    first_day: date,
    last_day: date,
    frequency: Frequency,
    areas: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Count rows by area and period.

    Parameters
    ----------
    rows : DataFrame
        One row an incident. Rows without an area count in the total alone; rows outside the days
        count nowhere.
    area, day : str
        Columns: the area, of any type, and the local day.
    first_day, last_day : date
        First and last day that the table covers, both included.
    frequency : {"day", "week", "month"}
        Length of a period; weeks begin on Monday.
    areas : sequence of str, optional
        Areas to count, whether they have a row or not; those that occur if not given.

    Returns
    -------
    DataFrame
        As `schemas.series.AREA_PERIODS`, the total under `TOTAL_AREA`.

    Raises
    ------
    ValueError
        Where `last_day` lies before `first_day`.
    """
    if last_day < first_day:
        raise ValueError(f"The last day {last_day} lies before the first, {first_day}.")
    within = rows.filter(pl.col(day).is_between(first_day, last_day)).select(
        place=pl.col(area).cast(pl.String), day=pl.col(day).cast(pl.Date)
    )
    known = within["place"].drop_nulls().unique().sort() if areas is None else pl.Series(areas)
    starts = _starts(first_day, last_day, frequency)
    calendar = pl.DataFrame(
        {
            "period_on": starts,
            "days_count": days_in(starts, frequency),
            "covered_days_count": _covered(starts, first_day, last_day, frequency),
        }
    ).with_columns(pl.col("period_on").cast(pl.Date))
    period = pl.Series("period_on", period_start(within["day"].to_numpy(), frequency))
    counted = within.with_columns(period.cast(pl.Date))
    by_area = counted.group_by("place", "period_on").agg(incidents_count=pl.len())
    total = counted.group_by("period_on").agg(incidents_count=pl.len())
    whole = pl.DataFrame({"place": [*known.cast(pl.String), TOTAL_AREA]}).join(
        calendar, how="cross"
    )
    table = (
        whole.join(
            pl.concat(
                [
                    by_area,
                    total.select(pl.lit(TOTAL_AREA).alias("place"), "period_on", "incidents_count"),
                ]
            ),
            on=["place", "period_on"],
            how="left",
        )
        .with_columns(
            pl.col("incidents_count").fill_null(0),
            frequency=pl.lit(frequency),
            is_partial=pl.col("covered_days_count") < pl.col("days_count"),
        )
        .sort("place", "period_on")
    )
    return AREA_PERIODS.conform(table)


def whole_periods(table: pl.DataFrame, *, with_total: bool = False) -> SeriesPanel:
    """Panel of the periods that are covered whole, from a table of `count_by_area`.

    Raises
    ------
    ValueError
        Where no period is whole, or the table holds more than one frequency.
    """
    frequencies = table["frequency"].unique().to_list()
    if len(frequencies) != 1:
        raise ValueError(f"A panel has one frequency; this table has {sorted(frequencies)}.")
    chosen = table.filter(~pl.col("is_partial"))
    if not with_total:
        chosen = chosen.filter(pl.col("place") != TOTAL_AREA)
    if chosen.is_empty():
        raise ValueError("No period is covered whole; give more days.")
    wide = chosen.pivot(on="place", index="period_on", values="incidents_count").sort("period_on")
    areas = wide.columns[1:]
    return SeriesPanel(
        tuple(areas),
        wide["period_on"].to_numpy().astype("datetime64[D]"),
        wide.select(areas).to_numpy().astype(np.float64),
        frequencies[0],
    )


def _starts(first: date, last: date, frequency: Frequency) -> np.ndarray:
    ends = period_start(np.array([first, last], dtype="datetime64[D]"), frequency)
    if frequency == "month":
        n = int((ends[1].astype("datetime64[M]") - ends[0].astype("datetime64[M]")).astype(int)) + 1
    else:
        n = int((ends[1] - ends[0]).astype(int)) // (7 if frequency == "week" else 1) + 1
    return next_starts(ends[0], n, frequency)


def _covered(starts: np.ndarray, first: date, last: date, frequency: Frequency) -> np.ndarray:
    stops = starts + days_in(starts, frequency)
    low = np.maximum(starts, np.datetime64(first, "D"))
    high = np.minimum(stops, np.datetime64(last, "D") + 1)
    return np.asarray((high - low).astype(np.int64))
