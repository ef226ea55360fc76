"""Schedules: reports before dawn, tomorrow's risk, then a look back, models on the first of the month.

Belongs here: when a job runs, in the study area's own time. Does not: what it runs (`jobs.py`).
They are off until switched on in the UI: a synthetic city has no tomorrow.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg

from htrisk_dagster.defs.jobs import AreaJobs
from htrisk_dagster.defs.partitions import range_tags
from htrisk_dagster.study_areas.area import StudyArea


def build(area: StudyArea, jobs: AreaJobs) -> list[dg.ScheduleDefinition]:
    """Schedules of one study area."""
    zone = ZoneInfo(area.time_zone)

    def local(context: dg.ScheduleEvaluationContext) -> datetime:
        return context.scheduled_execution_time.astimezone(zone)

    @dg.schedule(
        job=jobs.refresh,
        cron_schedule="0 4 * * *",
        execution_timezone=area.time_zone,
        name=f"{area.name}_reports_daily",
    )
    def reports_daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        """Yesterday's month of reports and the one before, at 04:00.

        The month before gains late reports; a site that was silent around its end is caught up with.
        """
        day = local(context).date() - timedelta(days=1)
        before = max(day.replace(day=1) - timedelta(days=1), area.first_day)
        # One run for both, as a back-fill has: two would read the same files at the same time.
        tags = range_tags(f"{before:%Y-%m}-01", f"{day:%Y-%m}-01")
        return dg.RunRequest(run_key=str(day), tags=tags)

    @dg.schedule(
        job=jobs.place,
        cron_schedule="30 4 * * *",
        execution_timezone=area.time_zone,
        name=f"{area.name}_place_daily",
    )
    def place_daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        """Staging and grid, at 04:30."""
        return dg.RunRequest(run_key=str(local(context).date()))

    @dg.schedule(
        job=jobs.retrain,
        cron_schedule="0 1 1 * *",
        execution_timezone=area.time_zone,
        name=f"{area.name}_retrain_monthly",
    )
    def retrain_monthly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        """Models of the month that begins, at 01:00 of its first day."""
        day = local(context).date()
        return dg.RunRequest(run_key=f"{day:%Y-%m}", partition_key=f"{day:%Y-%m}-01")

    @dg.schedule(
        job=jobs.score,
        cron_schedule="30 5 * * *",
        execution_timezone=area.time_zone,
        name=f"{area.name}_score_tomorrow",
    )
    def score_tomorrow(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        """Tomorrow's risk, at 05:30."""
        day = local(context).date() + timedelta(days=1)
        return dg.RunRequest(run_key=str(day), partition_key=str(day))

    @dg.schedule(
        job=jobs.evaluate,
        cron_schedule="0 6 * * *",
        execution_timezone=area.time_zone,
        name=f"{area.name}_evaluate_daily",
    )
    def evaluate_daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        """Models against the truth that came in, and drift, at 06:00."""
        return dg.RunRequest(run_key=str(local(context).date()))

    @dg.schedule(
        job=jobs.series,
        cron_schedule="0 7 8 * *",
        execution_timezone=area.time_zone,
        name=f"{area.name}_series_monthly",
    )
    def series_monthly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        """Periods to come, at 07:00 of the eighth, when the month before is mostly reported."""
        day = local(context).date()
        return dg.RunRequest(run_key=f"{day:%Y-%m}", partition_key=f"{day:%Y-%m}-01")

    return [
        reports_daily, place_daily, retrain_monthly, score_tomorrow, evaluate_daily, series_monthly,
    ]  # fmt: skip
