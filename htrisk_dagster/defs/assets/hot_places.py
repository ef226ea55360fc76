"""Hot-spot assets made from points and days: density, clusters and their quality, spike alerts.

Belongs here: `hotspots/density`, `place_clusters`, `cluster_quality`, `spike_alerts` and `zones`. Does
not: the methods (`hotspots/`), who is told of a spike (`sensors.py`).
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from htrisk_dagster.defs.metadata import table_metadata
from htrisk_dagster.defs.selection_config import SelectionConfig
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.schemas import grid, hot_places, hotspots, staging, zones
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.study_areas.area import StudyArea


class ZoneConfig(dg.Config):
    """What zones a run asks for: number, size, tolerance of workload, and whether boroughs bound them."""

    n_zones: int | None = None
    most_km2: float = 25.0
    tolerance: float = 0.1
    within_boroughs: bool = True


def build(area: StudyArea) -> list[dg.AssetsDefinition]:
    """Hot-spot assets of one study area."""
    name = area.name
    placed = [[name, grid.LAYER, "cells"], [name, grid.LAYER, "incident_cells"]]
    points = [*placed, [name, staging.LAYER, "incidents"]]

    def described(table: Table) -> dict[str, Any]:
        return {
            "group_name": f"{name}_{table.layer}",
            "description": table.description,
            "metadata": table_metadata(table),
            "tags": {"study_area": name},
            "kinds": {"python", "parquet"},
        }

    @dg.asset(
        key=[name, hot_places.DENSITY.layer, hot_places.DENSITY.name],
        deps=points,
        **described(hot_places.DENSITY),
    )
    def density(
        config: SelectionConfig, workspace: dg.ResourceParam[Workspace]
    ) -> dg.MaterializeResult[None]:
        """Incidents of the target a year by cell, whole period, bandwidth from later months."""
        from htrisk_dagster.defs.hot_places import store_density

        return dg.MaterializeResult(metadata=store_density(workspace, area, config.selection()))

    @dg.multi_asset(
        name=f"{name}_place_clusters",
        specs=[
            dg.AssetSpec([name, table.layer, table.name], deps=points, **described(table))
            for table in hot_places.CLUSTER_TABLES
        ],
    )
    def clusters(
        config: SelectionConfig, workspace: dg.ResourceParam[Workspace]
    ) -> Iterator[dg.MaterializeResult[None]]:
        """Clusters of places by three methods, metres, and how good each method's are."""
        from htrisk_dagster.defs.hot_places import store_clusters

        metadata = store_clusters(workspace, area, config.selection())
        for table in hot_places.CLUSTER_TABLES:
            yield dg.MaterializeResult(asset_key=[name, table.layer, table.name], metadata=metadata)

    @dg.asset(
        key=[name, hot_places.SPIKE_ALERTS.layer, hot_places.SPIKE_ALERTS.name],
        deps=points,
        **described(hot_places.SPIKE_ALERTS),
    )
    def spike_alerts(
        config: SelectionConfig, workspace: dg.ResourceParam[Workspace]
    ) -> dg.MaterializeResult[None]:
        """Precinct-days of the last 28 days of report, spikes at a stated rate of false alarms."""
        from htrisk_dagster.defs.hot_places import store_spikes

        return dg.MaterializeResult(metadata=store_spikes(workspace, area, config.selection()))

    @dg.multi_asset(
        name=f"{name}_zones",
        specs=[
            dg.AssetSpec(
                [name, table.layer, table.name],
                deps=[
                    density,
                    [name, grid.LAYER, "cells"],
                    [name, hotspots.LAYER, hotspots.EMERGING_HOT_SPOTS.name],
                ],
                **described(table),
            )
            for table in zones.TABLES
        ],
    )
    def zones_of_work(
        config: ZoneConfig, workspace: dg.ResourceParam[Workspace]
    ) -> Iterator[dg.MaterializeResult[None]]:
        """Contiguous zones of balanced workload, at most so many km2, from the density."""
        from htrisk_dagster.defs.hot_places import ZoneWish, store_zones

        metadata = store_zones(workspace, area, ZoneWish(**config.model_dump()))
        for table in zones.TABLES:
            yield dg.MaterializeResult(asset_key=[name, table.layer, table.name], metadata=metadata)

    return [density, clusters, spike_alerts, zones_of_work]
