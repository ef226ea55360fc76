"""Asset checks of density, clusters, spikes and zones; all block.

Belongs here: which rule watches which of these assets, and what it is given. Does not: the rules
(`hotspots/place_findings.py`, `zone_tables.py`), checks of other layers (`asset_checks.py`).
"""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from htrisk_dagster.defs.selection import EVERYTHING, Selection
from htrisk_dagster.defs.table_checks import table_checks
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.schemas import hot_places, zones
from htrisk_dagster.schemas.finding import Finding
from htrisk_dagster.study_areas.area import StudyArea


def build(area: StudyArea) -> list[dg.AssetChecksDefinition]:
    """Asset checks of one study area."""
    return [
        table_checks(area, table, names, rules)
        for table, names, rules in (
            (
                hot_places.DENSITY,
                ("every_cell_has_a_density", "density_sums_to_incidents"),
                _density,
            ),
            (hot_places.PLACE_CLUSTERS, ("no_cluster_is_small",), _clusters),
            (hot_places.CLUSTER_QUALITY, ("quality_stands_with_station_houses",), _quality),
            (
                hot_places.SPIKE_ALERTS,
                ("every_precinct_every_day", "alerts_keep_the_stated_rate"),
                _spikes,
            ),
            (zones.CELL_ZONES, ("zones_are_contiguous",), _cell_zones),
            (zones.ZONES, ("zones_are_as_wished",), _zones),
        )
    ]


def _density(workspace: Workspace, area: StudyArea) -> Iterator[tuple[str, Finding]]:
    from htrisk_dagster.defs.hot_places import read_target
    from htrisk_dagster.hotspots import place_findings as rules

    density = workspace.tables(area.name).read(hot_places.DENSITY)
    target = read_target(workspace, area, _selection(density, workspace.target(area)[0]))
    per_year = target.points.incidents.height / target.years
    yield (
        "every_cell_has_a_density",
        rules.every_cell_has_a_density(density, target.grid.n_cells),
    )
    yield "density_sums_to_incidents", rules.density_sums_to_incidents(density, per_year)


def _selection(density: pl.DataFrame, target: str) -> Selection:
    """What the table says that it is of."""
    if density.is_empty():
        return EVERYTHING
    name, first, last = density.select("target", "first_on", "last_on").row(0)
    return Selection(None if name == target else name, first, last)


def _clusters(workspace: Workspace, area: StudyArea) -> Iterator[tuple[str, Finding]]:
    from htrisk_dagster.hotspots import place_findings as rules

    clusters = workspace.tables(area.name).read(hot_places.PLACE_CLUSTERS)
    yield "no_cluster_is_small", rules.no_cluster_is_small(clusters)


def _quality(workspace: Workspace, area: StudyArea) -> Iterator[tuple[str, Finding]]:
    from htrisk_dagster.hotspots import place_findings as rules

    quality = workspace.tables(area.name).read(hot_places.CLUSTER_QUALITY)
    yield (
        "quality_stands_with_station_houses",
        rules.quality_stands_with_station_houses(quality),
    )


def _spikes(workspace: Workspace, area: StudyArea) -> Iterator[tuple[str, Finding]]:
    from htrisk_dagster.defs.hot_places import ALERT_DAYS
    from htrisk_dagster.features.inputs import read_grid
    from htrisk_dagster.hotspots import place_findings as rules

    store = workspace.tables(area.name)
    spikes = store.read(hot_places.SPIKE_ALERTS)
    precincts = set(read_grid(store, area).cells["precinct"].to_list())
    yield (
        "every_precinct_every_day",
        rules.every_precinct_every_day(spikes, precincts, ALERT_DAYS),
    )
    yield "alerts_keep_the_stated_rate", rules.alerts_keep_the_stated_rate(spikes)


def _cell_zones(workspace: Workspace, area: StudyArea) -> Iterator[tuple[str, Finding]]:
    from htrisk_dagster.features.inputs import read_grid
    from htrisk_dagster.hotspots import zone_tables as rules

    store = workspace.tables(area.name)
    found = rules.zones_are_contiguous(store.read(zones.CELL_ZONES), read_grid(store, area))
    yield "zones_are_contiguous", found


def _zones(workspace: Workspace, area: StudyArea) -> Iterator[tuple[str, Finding]]:
    from htrisk_dagster.hotspots import zone_tables as rules

    found = rules.zones_are_as_wished(workspace.tables(area.name).read(zones.ZONES))
    yield "zones_are_as_wished", found
