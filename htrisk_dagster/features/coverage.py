"""Which sources cover a period: one rule for incidents, one for events and passengers.

Belongs here: `History`, by which the source of a series of incidents is chosen, and the coverage
table. Does not: what happens to an absent covariate (`feature_matrix` leaves its columns NaN),
freshness of a feed (asset checks).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.features.feature_matrix import FeatureInputs, Series
from htrisk_dagster.features.mobility import SERIES as MOBILITY_SERIES
from htrisk_dagster.grid.panel import day_number, day_numbers
from htrisk_dagster.schemas import raw
from htrisk_dagster.study_areas.area import SeriesPart

COVERED_DAY_SHARE = 0.75
LEAST_MONTHS = 6
MONTHS_SHORT_OF_END = 3
EVENTS_MINIMUM_PCT = 90.0
MOBILITY_DAYS_MINIMUM_PCT = 90.0
MOBILITY_MONTHS_MINIMUM_PCT = 80.0

EVENTS = "events"
_RAW_TABLES = {"airport": raw.AIRPORT_PASSENGERS.name, "transit": raw.TRANSIT_RIDERSHIP.name}

COVERAGE_SCHEMA = pl.Schema(
    {
        "series": pl.String,  # as in the names of features, or target, events, or mobility series
        "kind": pl.String,  # incidents, events or mobility
        "source": pl.String,  # raw table used; those tried, where absent
        "first_on": pl.Date,  # incidents: first day of the covered run; else first day with a row
        "last_on": pl.Date,  # last day with a row, up to the end for incidents
        "covered_pct": pl.Float64,  # share of the months or days needed that are covered
        "status": pl.String,  # present or absent
        "reason": pl.String,  # one sentence or two
    }
)


@dataclass(frozen=True)
class History:
    """The months that each source of incidents covers.

    A month is covered when 75% of its days have a row. A census of a city's incidents has rows on
    nearly every day and shootings, a rare event, on 93 in 100; a random sample of complaints,
    2,000 rows in 14 years, has one on a day in three, and counting it would invent a decline.
    By month and not by nearness of a row, since a sample too has a row every few days.

    Parameters
    ----------
    months : DataFrame
        source, month_on, day_share: share of the month's days with a row of the source.
    """

    months: pl.DataFrame

    @classmethod
    def of(cls, incidents: pl.DataFrame) -> History:
        """Read the months off `schemas.grid.INCIDENT_CELLS`."""
        month = pl.col("occurred_on").dt.truncate("1mo")
        return cls(
            incidents.select("source", "occurred_on")
            .unique()
            .group_by("source", month.alias("month_on"))
            .agg(pl.len().alias("days"))
            .with_columns(
                (pl.col("days") / pl.col("month_on").dt.days_in_month()).alias("day_share")
            )
            .select("source", "month_on", "day_share")
            .sort("source", "month_on")
        )

    def covered_months(self, source: str, end: date) -> list[date]:
        """First days of the months of `source` that are covered, up to the month of `end`."""
        covered = (
            (pl.col("source") == source)
            & (pl.col("day_share") >= COVERED_DAY_SHARE)
            & (pl.col("month_on") <= end)
        )
        return self.months.filter(covered)["month_on"].sort().to_list()

    def run_start(self, source: str, end: date) -> date | None:
        """First day of the unbroken run of covered months of `source` that reaches to `end`.

        The run may stop short of `end` by three months, since a forecast can lie beyond the
        newest report; None where there is no such run of at least six months.
        """
        months = self.covered_months(source, end)[::-1]
        if not months or _month_number(end) - _month_number(months[0]) > MONTHS_SHORT_OF_END:
            return None
        run = 1
        while (
            run < len(months) and _month_number(months[run - 1]) - _month_number(months[run]) == 1
        ):
            run += 1
        return months[run - 1] if run >= LEAST_MONTHS else None

    def choose(
        self, part: SeriesPart, end: date, *, since: date | None = None
    ) -> tuple[str, date] | None:
        """First source of `part` with a covered run to `end`, and the run's first day.

        Parameters
        ----------
        since : date, optional
            Day by which the run must begin: before its run a source has no row, and no row would
            be counted as no incident.
        """
        for source in part.sources:
            start = self.run_start(source, end)
            if start is not None and (since is None or start <= since):
                return source, start
        return None


def coverage_table(
    inputs: FeatureInputs, declared: Mapping[str, SeriesPart], last: date
) -> pl.DataFrame:
    """Tell of everything features are made from whether it covers the period, and by what.

    Parameters
    ----------
    inputs : FeatureInputs
        The period is its `history_start` to `last`; its series have their sources chosen.
    declared : mapping of str to SeriesPart
        Sources that each series may be taken from, by the series' name.
    last : date
        Last day of the features.

    Returns
    -------
    DataFrame
        `COVERAGE_SCHEMA`: the target, each series, events, each mobility series.
    """
    history = History.of(inputs.incidents)
    rows = [
        _incident_row(inputs, history, series, declared[series.name].sources, last)
        for series in (inputs.target, *inputs.series)
    ]
    incidents = pl.DataFrame(rows, schema=COVERAGE_SCHEMA, orient="row")
    others = coverage(
        inputs.events,
        inputs.mobility,
        mobility_lag_days=inputs.mobility_lag_days,
        start=inputs.history_start,
        stop=last + timedelta(days=1),
    )
    return pl.concat([incidents, others])


def coverage(
    events: pl.DataFrame,
    mobility: pl.DataFrame,
    *,
    mobility_lag_days: Mapping[str, int],
    start: date,
    stop: date,
) -> pl.DataFrame:
    """Tell whether events and passengers cover the days `start` up to, not including, `stop`.

    Events are present with a row on 90% of days. A mobility series is asked for the periods that
    the days can know, its publication lag earlier: 80% of months, or 90% of days.

    Parameters
    ----------
    events : DataFrame
        `schemas.staging.EVENTS`.
    mobility : DataFrame
        `schemas.staging.MOBILITY`.
    mobility_lag_days : mapping of str to int
        Publication lag by kind of series, a key of `mobility.SERIES`.
    start, stop : date
        Period of the features.

    Returns
    -------
    DataFrame
        `COVERAGE_SCHEMA`, one row a series, in the order given.
    """
    days = (day_number(start), day_number(stop))
    need = _Need(EVENTS, "events", raw.PERMITTED_EVENTS.name, "day", *days, EVENTS_MINIMUM_PCT)
    rows = [_row(need, events["starts_on"], events["ends_on"])]
    for kind, lag in mobility_lag_days.items():
        of_series = mobility.filter(pl.col("series") == MOBILITY_SERIES[kind])
        periods = of_series["period_on"]
        rows.append(_row(_mobility_need(kind, of_series, start, stop, lag), periods, periods))
    return pl.DataFrame(rows, schema=COVERAGE_SCHEMA, orient="row")


def coverage_to_markdown(table: pl.DataFrame) -> str:
    """Print a coverage table as a Markdown table; series that differ in name alone share a row."""
    shown = ("source", "first_on", "last_on", "status", "reason")
    rows = table.group_by(shown, maintain_order=True).agg(pl.col("series").str.join(", "))
    lines = ["| series | source | first day | last day | status | why |", "|" + "---|" * 6]
    lines += [
        f"| {row['series']} | {row['source']} | {row['first_on'] or '–'} | {row['last_on'] or '–'} "
        f"| {row['status']} | {row['reason']} |"
        for row in rows.iter_rows(named=True)
    ]
    return "\n".join(lines)


def _incident_row(
    inputs: FeatureInputs, history: History, series: Series, tried: tuple[str, ...], last: date
) -> tuple[object, ...]:
    sources = series.sources or tried
    first_month = _month_number(inputs.history_start)
    n_months = _month_number(last) + 1 - first_month
    covered_pct, newest = [], []
    for source in sources:
        covered = pl.Series(history.covered_months(source, last), dtype=pl.Date)
        index = _month_numbers(covered) - first_month
        covered_pct.append(_share_pct(index, index, n_months))
        rows = inputs.incidents.filter(pl.col("source") == source, pl.col("occurred_on") <= last)
        newest.append(rows["occurred_on"].max())
    found = [
        f"{source} covers {pct:.0f}% of the {n_months} months from {inputs.history_start} to {last}"
        for source, pct in zip(sources, covered_pct, strict=True)
    ]
    reason = "; ".join(found) + "."
    if series.sources:
        start = history.run_start(sources[0], last)
        return (
            series.name, "incidents", sources[0], start, newest[0], covered_pct[0], "present", reason,
        )  # fmt: skip
    reason += (
        f" A run of {LEAST_MONTHS} months or more is needed, from the first to within "
        f"{MONTHS_SHORT_OF_END} of the last, each with a row on {COVERED_DAY_SHARE:.0%} of days."
    )
    return (
        series.name, "incidents", ", ".join(tried), None, None, max(covered_pct), "absent", reason,
    )  # fmt: skip


@dataclass(frozen=True)
class _Need:
    """Days or months (numbers since 1970) that a period needs of one series."""

    series: str
    kind: str
    source: str
    period: str
    first: int
    stop: int
    minimum_pct: float


def _mobility_need(kind: str, rows: pl.DataFrame, start: date, stop: date, lag_days: int) -> _Need:
    first, last = start - timedelta(lag_days), stop - timedelta(lag_days)
    of_kind = (MOBILITY_SERIES[kind], "mobility", _RAW_TABLES[kind])
    if "month" not in rows["period"]:
        days = (day_number(first), day_number(last))
        return _Need(*of_kind, "day", *days, MOBILITY_DAYS_MINIMUM_PCT)
    # The month known at a day is the last one that ended before the lag: the month before.
    months = (_month_number(first) - 1, _month_number(last - timedelta(1)))
    return _Need(*of_kind, "month", *months, MOBILITY_MONTHS_MINIMUM_PCT)


def _row(need: _Need, first_days: pl.Series, last_days: pl.Series) -> tuple[object, ...]:
    number = _month_numbers if need.period == "month" else day_numbers
    n = need.stop - need.first
    covered_pct = _share_pct(number(first_days) - need.first, number(last_days) - need.first, n)
    is_present = covered_pct >= need.minimum_pct
    reason = _reason(need, n, covered_pct, first_days, last_days)
    return (
        need.series, need.kind, need.source, first_days.min(), last_days.max(), covered_pct,
        "present" if is_present else "absent", reason,
    )  # fmt: skip


def _reason(need: _Need, n: int, covered_pct: float, first: pl.Series, last: pl.Series) -> str:
    if first.is_empty():
        return "No row."
    enough = "at least" if covered_pct >= need.minimum_pct else "less than"
    return (
        f"Rows from {first.min()!s} to {last.max()!s}; {covered_pct:.1f}% of the {n} {need.period}s needed "
        f"have one, {enough} the {need.minimum_pct:.0f}% required."
    )


def _share_pct(lows: NDArray[np.int64], highs: NDArray[np.int64], n: int) -> float:
    """Share of 0 to n-1 that lies in at least one of the closed intervals, in percent."""
    low, high = np.clip(lows, 0, n), np.clip(highs + 1, 0, n)
    change = np.bincount(low, minlength=n + 1) - np.bincount(high, minlength=n + 1)
    return 100.0 * float((np.cumsum(change)[:n] > 0).mean())


def _month_number(day: date) -> int:
    return 12 * (day.year - 1970) + day.month - 1


def _month_numbers(days: pl.Series) -> NDArray[np.int64]:
    return days.to_numpy().astype("datetime64[M]").astype(np.int64)
