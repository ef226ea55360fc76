"""How long the periods are by which restricted counts leave: the finest that shows something.

Belongs here: the choice among fixed calendar periods, and which period a day is in. Does not: what
is hidden in the end (`victim_population/suppression.py`).

A table of counts that are nearly all below k = 11 hides everything and tells nothing. Periods are
whole months, quarters, half-years or years of the calendar, never chosen by a reader, so that no
two of them can be subtracted. The choice rests on the number of all records, which is shown.
"""

from __future__ import annotations

from datetime import date

import polars as pl

LENGTHS = (1, 3, 6, 12)
"""Months; each divides the next, so that a longer period is a sum of shorter ones."""


def starts(days: pl.Expr, months: int) -> pl.Expr:
    """First day of the period of each day, counted from January."""
    return days.dt.truncate(f"{months}mo")


def finest(days: pl.Series, n_groups: int, *, least: float, from_months: int = 1) -> int:
    """Choose the length of the periods.

    Parameters
    ----------
    days : Series of Date
        One a record.
    n_groups : int
        Groups that every period is divided into, such as boroughs.
    least : float
        Mean number of records that a group of a period must have.
    from_months : int
        No shorter period than this one.

    Returns
    -------
    int
        Months, of `LENGTHS`: the shortest that has `least` records in the mean, or a year.
    """
    for months in LENGTHS:
        if months < from_months:
            continue
        n_periods = _n_periods(days, months)
        if n_periods and len(days) >= least * n_periods * max(n_groups, 1):
            return months
    return LENGTHS[-1]


def length_of(counts: pl.DataFrame) -> int | None:
    """Length of the periods of a table of counts, its `months_count`; None where it has no period."""
    lengths = counts["months_count"].drop_nulls().to_list()
    return int(lengths[0]) if lengths else None


def in_words(start: date, months: int) -> str:
    """A period as a reader says it."""
    if months == 1:
        return f"{start:%B %Y}"
    if months == 12:
        return f"{start:%Y}"
    last = date(start.year, start.month + months - 1, 1)
    return f"{start:%B} to {last:%B %Y}"


def _n_periods(days: pl.Series, months: int) -> int:
    """Periods from the first to the last record, those without any counted."""
    first, last = days.min(), days.max()
    if not isinstance(first, date) or not isinstance(last, date):
        return 0
    return (
        last.year * 12 // months
        + (last.month - 1) // months
        - (first.year * 12 // months + (first.month - 1) // months)
        + 1
    )
