"""The job and the schedule of an area's police agencies.

Belongs here: what is made together from NIBRS deliveries, and when. Does not: the assets
(`assets/agencies.py`). An area without agencies has neither.
"""

from __future__ import annotations

import dagster as dg

from htrisk_dagster.study_areas.area import StudyArea


def job_name(area: StudyArea) -> str:
    """Name of the job."""
    return f"{area.name}_agencies"


def build(area: StudyArea) -> list[dg.UnresolvedAssetJobDefinition]:
    """Job of one study area; none where it declares no agencies."""
    if area.agencies is None:
        return []
    return [
        dg.define_asset_job(
            job_name(area),
            selection=dg.AssetSelection.groups(f"{area.name}_nibrs", f"{area.name}_agencies"),
            executor_def=dg.in_process_executor,
            description="Read NIBRS deliveries; rates, officers, volume and offence mix by agency.",
        )
    ]


def build_schedules(area: StudyArea) -> list[dg.ScheduleDefinition]:
    """Look for a new delivery on the first of the month, at 02:00; off until switched on."""
    if area.agencies is None:
        return []
    return [
        dg.ScheduleDefinition(
            name=f"{area.name}_agencies_monthly",
            job_name=job_name(area),
            cron_schedule="0 2 1 * *",
            execution_timezone=area.time_zone,
        )
    ]
