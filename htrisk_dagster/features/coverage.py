"""Which sources cover a period, and which of several to use.

Belongs here: the coverage table and the choice of a source from it. Does not: what happens to an
absent covariate (`feature_matrix` leaves its columns NaN), freshness of a feed (asset checks).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.features.mobility import SERIES
from htrisk_dagster.grid.panel import day_number, day_numbers

EVENTS = "events"
INCIDENTS_MINIMUM_PCT = 95.0
EVENTS_MINIMUM_PCT = 90.0
MOBILITY_DAYS_MINIMUM_PCT = 90.0
MOBILITY_MONTHS_MINIMUM_PCT = 80.0
# A rare offence has days without a report: shootings have one on 93% of days, and no gap is
# longer than four. A day of an incident source is covered when a row lies this near.
INCIDENT_REACH_DAYS = 3

COVERAGE_SCHEMA = pl.Schema(
    {
        "source": pl.String,  # raw table of incidents, 'events', or mobility series
        "kind": pl.String,  # incidents, events or mobility
        "first_on": pl.Date,  # first day with a row, in the whole table
        "last_on": pl.Date,
        "needed": pl.Int32,  # days or months that the period needs
        "with_row_pct": pl.Float64,  # share of them that have a row
        "covered_pct": pl.Float64,  # the same with the reach of incidents
        "status": pl.String,  # present or absent
        "reason": pl.String,  # one sentence
    }
)


@dataclass(frozen=True)
class _Need:
    """Days or months (numbers since 1970) that a period needs of one source."""

    source: str
    kind: str
    period: str
    first: int
    stop: int
    minimum_pct: float


def coverage(
    incidents: pl.DataFrame,
    events: pl.DataFrame,
    mobility: pl.DataFrame,
    *,
    incident_sources: Sequence[str],
    mobility_lag_days: Mapping[str, int],
    start: date,
    stop: date,
) -> pl.DataFrame:
    """Tell for each source whether it covers the days `start` up to, not including, `stop`.

    An incident source covers a day when one of its rows occurred within 3 days of it, and is
    present when it covers 95% of days; events are present with a row on 90% of days. A mobility
    series is asked for the periods that the days can know, its publication lag earlier: 80% of
    months, or 90% of days.

    Parameters
    ----------
    incidents : DataFrame
        Columns source and occurred_on, such as `schemas.staging.INCIDENTS`.
    events : DataFrame
        `schemas.staging.EVENTS`.
    mobility : DataFrame
        `schemas.staging.MOBILITY`.
    incident_sources : sequence of str
        Sources to tell about, with rows or without.
    mobility_lag_days : mapping of str to int
        Publication lag by kind of series, a key of `mobility.SERIES`.
    start, stop : date
        Period of the features.

    Returns
    -------
    DataFrame
        `COVERAGE_SCHEMA`, one row a source, in the order given.
    """
    first, last = day_number(start), day_number(stop)
    rows = []
    for source in incident_sources:
        need = _Need(source, "incidents", "day", first, last, INCIDENTS_MINIMUM_PCT)
        days = incidents.filter(pl.col("source") == source)["occurred_on"].drop_nulls()
        rows.append(_row(need, days, days, INCIDENT_REACH_DAYS))
    need = _Need(EVENTS, "events", "day", first, last, EVENTS_MINIMUM_PCT)
    rows.append(_row(need, events["starts_on"], events["ends_on"], 0))
    for kind, lag in mobility_lag_days.items():
        series = SERIES[kind]
        of_series = mobility.filter(pl.col("series") == series)
        days = of_series["period_on"]
        rows.append(_row(_mobility_need(series, of_series, start, stop, lag), days, days, 0))
    return pl.DataFrame(rows, schema=COVERAGE_SCHEMA, orient="row")


def choose_source(preference: Sequence[str], table: pl.DataFrame) -> str | None:
    """Return the first source of `preference` that is present in the coverage table, or None."""
    present = set(table.filter(pl.col("status") == "present")["source"])
    return next((source for source in preference if source in present), None)


def _mobility_need(
    series: str, rows: pl.DataFrame, start: date, stop: date, lag_days: int
) -> _Need:
    first, last = start - timedelta(lag_days), stop - timedelta(lag_days)
    if "month" not in rows["period"]:
        days = (day_number(first), day_number(last))
        return _Need(series, "mobility", "day", *days, MOBILITY_DAYS_MINIMUM_PCT)
    # The month known at a day is the last one that ended before the lag: the month before.
    months = (_month_number(first) - 1, _month_number(last - timedelta(1)))
    return _Need(series, "mobility", "month", *months, MOBILITY_MONTHS_MINIMUM_PCT)


def _row(
    need: _Need, first_days: pl.Series, last_days: pl.Series, reach: int
) -> tuple[object, ...]:
    number = _month_numbers if need.period == "month" else day_numbers
    n = need.stop - need.first
    lows, highs = number(first_days) - need.first, number(last_days) - need.first
    with_row = _share_pct(lows, highs, n)
    covered = _share_pct(lows - reach, highs + reach, n)
    is_present = covered >= need.minimum_pct
    reason = " ".join(_reason(need, n, covered, reach, first_days, last_days))
    status = "present" if is_present else "absent"
    return (
        need.source, need.kind, first_days.min(), last_days.max(), n, with_row, covered, status,
        reason,
    )  # fmt: skip


def _share_pct(lows: NDArray[np.int64], highs: NDArray[np.int64], n: int) -> float:
    """Share of 0 to n-1 that lies in at least one of the closed intervals, in percent."""
    low, high = np.clip(lows, 0, n), np.clip(highs + 1, 0, n)
    change = np.bincount(low, minlength=n + 1) - np.bincount(high, minlength=n + 1)
    return 100.0 * float((np.cumsum(change)[:n] > 0).mean())


def _reason(
    need: _Need, n: int, covered: float, reach: int, first: pl.Series, last: pl.Series
) -> Iterator[str]:
    if first.is_empty():
        yield "No row."
        return
    near = f" within {reach} days" if reach else ""
    at_least = covered >= need.minimum_pct
    yield (
        f"Rows from {first.min()!s} to {last.max()!s}; {covered:.1f}% of the {n} {need.period}s needed "
        f"have one{near}, {'at least' if at_least else 'less than'} the {need.minimum_pct:.0f}% "
        "required."
    )


def _month_number(day: date) -> int:
    return 12 * (day.year - 1970) + day.month - 1


def _month_numbers(days: pl.Series) -> NDArray[np.int64]:
    return days.to_numpy().astype("datetime64[M]").astype(np.int64)
