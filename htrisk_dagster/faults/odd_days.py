"""Days of 23 and 25 hours, 29 February, the turn of a year and week 53: each incident counts once.

Belongs here: a city with one incident in every hour of UTC, whose counts are known in closed form.
Does not: schedules on such days (their test asks Dagster for their ticks).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from htrisk_dagster.faults.corrupted_input.source_samples import source_samples
from htrisk_dagster.faults.ending import AS_EVER, Ending, judged
from htrisk_dagster.features.as_of_counts import AsOfCounts
from htrisk_dagster.features.calendar import calendar_features
from htrisk_dagster.grid.panel import day_numbers
from htrisk_dagster.models.series.aggregation import TOTAL_AREA, count_by_area, local_days
from htrisk_dagster.models.series.panel import Frequency
from htrisk_dagster.sources import intake
from htrisk_dagster.sources.holiday_calendar import holidays_between

ZONE = "America/New_York"
# Each from a Monday to a Sunday.
STRETCHES = {
    "a day of 23 hours (10 March 2024)": (date(2024, 3, 4), date(2024, 3, 17)),
    "a day of 25 hours (3 November 2024)": (date(2024, 10, 28), date(2024, 11, 10)),
    "29 February 2024": (date(2024, 2, 26), date(2024, 3, 3)),
    "the turn of a year, with week 53 (2020)": (date(2020, 12, 21), date(2021, 1, 10)),
}

_BEGINS: dict[Frequency, Callable[[date], date]] = {
    "day": lambda day: day,
    "week": lambda day: day - timedelta(days=day.weekday()),
    "month": lambda day: day.replace(day=1),
}


def endings(folder: Path) -> Iterable[Ending]:
    """Try every stretch of days in `folder`."""
    return [
        _counted(name, first, last, folder / str(i))
        for i, (name, (first, last)) in enumerate(STRETCHES.items())
    ]


def hours_of(first: date, last: date, zone: str = ZONE) -> list[datetime]:
    """Every hour of UTC from the local midnight before `first` to that after `last`, in the zone."""
    tz = ZoneInfo(zone)
    begins = datetime.combine(first, time(), tz).astimezone(UTC)
    ends = datetime.combine(last + timedelta(days=1), time(), tz).astimezone(UTC)
    n_hours = int((ends - begins).total_seconds()) // 3600
    return [(begins + timedelta(hours=i)).astimezone(tz) for i in range(n_hours)]


def read_hours(hours: Sequence[datetime], folder: Path) -> pl.DataFrame:
    """Complaints of one incident an hour, written and read as the publisher's file."""
    sample = next(s for s in source_samples() if s.name == "complaints, historic")
    rows = [
        sample.rows[0]
        | {
            "CMPLNT_NUM": str(100_000_000 + i),
            "CMPLNT_FR_DT": f"{hour:%m/%d/%Y}",
            "CMPLNT_FR_TM": f"{hour:%H:%M:%S}",
            "RPT_DT": f"{hour:%m/%d/%Y}",
        }
        for i, hour in enumerate(hours)
    ]
    folder.mkdir(parents=True)
    path = folder / sample.file_name
    path.write_bytes(sample.content(rows))
    pulled = (hours[-1] + timedelta(days=30)).timestamp()
    os.utime(path, (pulled, pulled))
    return intake.read("complaints", folder, time_zone=ZONE).kept


def _counted(name: str, first: date, last: date, folder: Path) -> Ending:
    hours = hours_of(first, last)
    expected = Counter(hour.date() for hour in hours)
    days = sorted(expected)
    rows = read_hours(hours, folder).with_columns(place=pl.lit(0))
    wrong = [
        *_differs("days of the file", dict(rows["occurred_on"].value_counts().rows()), expected),
        *_differs(
            "days of the instants",
            dict(local_days(rows["occurred_at"], ZONE).value_counts().rows()),
            expected,
        ),
        *_differs("counts known at the next cutoff", _as_known(rows, days), expected),
    ]
    for frequency, begins in _BEGINS.items():
        table = count_by_area(
            rows,
            area="place",
            day="occurred_on",
            first_day=first,
            last_day=last,
            frequency=frequency,
        ).filter(pl.col("place") == TOTAL_AREA)
        found = dict(table.select("period_on", "incidents_count").rows())
        wrong += _differs(f"by {frequency}", found, Counter(begins(h.date()) for h in hours))
    angles = _year_day_angles(days)
    if len(set(angles)) != len(days):
        wrong.append("two days of the year have one place in it")
    lengths = sorted({expected[day] for day in days})
    came = (
        f"{len(hours)} incidents counted once by day, week, month and cutoff; days of "
        f"{', '.join(map(str, lengths))} hours"
    )
    return judged(name, "one incident in every hour", came, wrong, AS_EVER)


def _differs(what: str, found: dict[date, int], expected: Counter[date]) -> list[str]:
    bad = [day for day in expected | found if found.get(day, 0) != expected[day]]
    return [f"{what}: {found.get(day, 0)} on {day}, not {expected[day]}" for day in sorted(bad)]


def _as_known(rows: pl.DataFrame, days: Sequence[date]) -> dict[date, int]:
    """Incidents of each day, as features see them at the cutoff after it."""
    first_cutoff = int(day_numbers(pl.Series(days[:1]))[0]) + 1
    counts = AsOfCounts.from_frame(rows, 1, first_cutoff, len(days)).lag_counts(1)[:, 0]
    return {day: int(count) for day, count in zip(days, counts, strict=True)}


def _year_day_angles(days: Sequence[date]) -> list[tuple[float, float]]:
    holidays = holidays_between(date(days[0].year, 1, 1), date(days[-1].year + 1, 12, 31))
    made = calendar_features(np.array(days, dtype="datetime64[D]"), holidays)
    sine, cosine = (made[f"year_day_{part}"].round(9).tolist() for part in ("sin", "cos"))
    return list(zip(sine, cosine, strict=True))
