"""Hot spots of a selection as files for an analyst, beside the warehouse and not in it.

Belongs here: the step behind `htrisk hotspots`. Does not: the methods (`hotspots/`), the assets, which
take the same selection as run configuration.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from htrisk_dagster.defs.concentrated import gi_star_table
from htrisk_dagster.defs.hot_places import cluster_tables, density_table, read_target
from htrisk_dagster.defs.selection import Selection
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.schemas import hot_places, hotspots
from htrisk_dagster.study_areas.area import StudyArea
from htrisk_dagster.warehouse.exported_csv import csv_for_people
from htrisk_dagster.warehouse.partitions import write_text_whole

__all__ = ["Selection", "write_hot_spots"]


def write_hot_spots(
    workspace: Workspace, area: StudyArea, selection: Selection, folder: Path
) -> Iterator[str]:
    """Write density, clusters, their quality and Gi* by week; give a line of figures for each.

    Raises
    ------
    SourceError
        Where no source covers six months up to the last day.
    SettingError
        Where the area has no such offence group.
    """
    target = read_target(workspace, area, selection)
    density, of_density = density_table(target)
    (clusters, quality), of_clusters = cluster_tables(target, workspace.settings.seed)
    weekly, of_weeks = gi_star_table(workspace, area, selection)
    for table, frame, figures in (
        (hot_places.DENSITY, density, of_density),
        (hot_places.PLACE_CLUSTERS, clusters, {"clusters": clusters.height}),
        (hot_places.CLUSTER_QUALITY, quality, of_clusters),
        (hotspots.CELL_WEEK_GI_STAR, weekly.filter(series=target.name), of_weeks),
    ):
        path = write_text_whole(folder / f"{table.name}.csv", csv_for_people(frame))
        told = ", ".join(f"{name} {_shown(value)}" for name, value in figures.items())
        yield f"{path}: {told}"


def _shown(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
