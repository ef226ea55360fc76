"""`build_definitions(settings)` and `defs`: what Dagster loads.

Belongs here: the assembly of every study area's assets, checks, jobs, schedules, sensors and the resources.
Does not: any of them (`defs/`). No heavy import: the location loads in under three seconds.
"""

from __future__ import annotations

import gc
import warnings
from collections.abc import Callable, Sequence
from datetime import date

# What is imported stays: to look through it for garbage over and over is a third of the loading.
_collects = gc.isenabled()
gc.disable()

import dagster as dg  # noqa: E402

# Used on purpose, and pinned: single-run back-fills are the reason for a range in one run.
warnings.filterwarnings("ignore", category=dg.BetaWarning)

from dagster_duckdb import DuckDBResource  # noqa: E402

from htrisk_dagster.defs import (  # noqa: E402
    agency_checks,
    agency_jobs,
    asset_checks,
    context_checks,
    governance_checks,
    hot_place_checks,
    jobs,
    leak_checks,
    precinct_checks,
    schedules,
    sensors,
    series_checks,
    verified_checks,
)
from htrisk_dagster.defs.assets import ASSET_GROUPS, victim_population  # noqa: E402
from htrisk_dagster.defs.dead_runs import workspace_of_runs  # noqa: E402
from htrisk_dagster.defs.mlflow_tracking import MlflowTracking  # noqa: E402
from htrisk_dagster.defs.runs import TERMINAL, terminal_logger  # noqa: E402
from htrisk_dagster.defs.workspace import Workspace, utc_today  # noqa: E402
from htrisk_dagster.settings import Settings, load_settings  # noqa: E402
from htrisk_dagster.warehouse.catalog import FILE_NAME  # noqa: E402

gc.freeze()
if _collects:
    gc.enable()


def build_definitions(
    settings: Settings | None = None,
    area_names: Sequence[str] | None = None,
    *,
    today: Callable[[], date] = utc_today,
) -> dg.Definitions:
    """All definitions for one workspace.

    Parameters
    ----------
    settings : Settings, optional
        Read from the environment if not given.
    area_names : sequence of str, optional
        Study areas to define; all if not given. A run of one area needs no other, and each of its
        steps resolves the whole graph.
    today : callable
        Day of now, UTC, up to which sites are asked.
    """
    workspace = Workspace(settings or load_settings(), today)
    areas = [workspace.area(name) for name in area_names or workspace.area_names()]
    area_jobs = {area.name: jobs.build(area) for area in areas}
    catalog = workspace.settings.warehouse / FILE_NAME
    return dg.Definitions(
        assets=[
            *(asset for area in areas for build in ASSET_GROUPS.values() for asset in build(area)),
            *victim_population.ASSETS,
        ],
        asset_checks=[
            *(
                check
                for area in areas
                for module in (
                    agency_checks,
                    asset_checks,
                    context_checks,
                    governance_checks,
                    hot_place_checks,
                    leak_checks,
                    precinct_checks,
                    series_checks,
                    verified_checks,
                )
                for check in module.build(area)
            ),
            *victim_population.CHECKS,
        ],
        jobs=[
            *(job for each in area_jobs.values() for job in each.all()),
            *(job for area in areas for job in agency_jobs.build(area)),
            victim_population.JOB,
        ],
        schedules=[
            *(s for area in areas for s in schedules.build(area, area_jobs[area.name])),
            *(s for area in areas for s in agency_jobs.build_schedules(area)),
        ],
        sensors=[sensor for area in areas for sensor in sensors.build(area, area_jobs[area.name])],
        executor=dg.in_process_executor,
        loggers={"console": dg.colored_console_logger, TERMINAL: terminal_logger},
        resources={
            "workspace": workspace_of_runs(workspace),
            "tracking": MlflowTracking(
                workspace.settings.tracking_uri, workspace.settings.mlflow_store
            ),
            "duckdb": DuckDBResource(
                database=str(catalog), connection_config={"access_mode": "READ_ONLY"}
            ),
        },
    )


@dg.definitions
def defs() -> dg.Definitions:
    """Definitions for the settings of the environment; made when Dagster asks, not on import."""
    return build_definitions()
