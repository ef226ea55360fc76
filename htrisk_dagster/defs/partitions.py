"""One partitions object a grain.

https://docs.dagster.io/guides/build/partitions-and-backfills

Belongs here: the three grains of time and how they map onto each other. Does not: which
partitions a run needs (`runs.py`).

Every start is the study area's fixed first day, never "today minus n": a partition that has been
made must not vanish because time went by.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

import dagster as dg

from htrisk_dagster.study_areas.area import StudyArea

DAYS_SEEN = "days"
"""Metadata of a check's result: the days it looked at, as `<first> to <last>`."""


def risk_days(area: StudyArea) -> dg.DailyPartitionsDefinition:
    """Day the map is for. Tomorrow and the day after are there, so that they can be forecast."""
    return dg.DailyPartitionsDefinition(
        start_date=area.first_day.isoformat(), timezone=area.time_zone, end_offset=2
    )


def report_months(area: StudyArea) -> dg.MonthlyPartitionsDefinition:
    """Month of the report. Publishers release, amend and overlap by report date."""
    return dg.MonthlyPartitionsDefinition(
        start_date=area.first_day.replace(day=1).isoformat(),
        timezone=area.time_zone,
        end_offset=1,
    )


def training_months(area: StudyArea) -> dg.MonthlyPartitionsDefinition:
    """Month from whose first day a model is in use: it saw nothing reported since."""
    return report_months(area)


def single_run() -> dg.BackfillPolicy:
    """One run for a whole range: 14 ms a partition instead of seconds."""
    return dg.BackfillPolicy.single_run()


def range_tags(first: str, last: str) -> dict[str, str]:
    """Tags of one run for the partitions `first` to `last`, both included."""
    return {
        "dagster/asset_partition_range_start": first,
        "dagster/asset_partition_range_end": last,
    }


def months_of(start: date, end: date) -> list[str]:
    """Keys of the months that hold the days `start` to `end`, both included."""
    first = start.year * 12 + start.month - 1
    last = end.year * 12 + end.month - 1
    return [f"{m // 12:04d}-{m % 12 + 1:02d}-01" for m in range(first, last + 1)]


def days_of(start: date, end: date) -> list[str]:
    """Keys of the days `start` to `end`, both included."""
    return [(start + timedelta(days=i)).isoformat() for i in range((end - start).days + 1)]


def unbroken_runs(days: Iterable[str]) -> list[tuple[str, ...]]:
    """Cut days in order into runs without gaps; each month is a run of its own."""
    found: list[list[str]] = []
    for day in days:
        previous = date.fromisoformat(found[-1][-1]) if found else None
        if previous and (date.fromisoformat(day) - previous).days == 1:
            found[-1].append(day)
        else:
            found.append([day])
    return [tuple(run) for run in found]
