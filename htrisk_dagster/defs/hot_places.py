"""Density, clusters and spikes of the target, from placed incidents to stored tables.

Belongs here: the steps behind `hotspots/density`, `place_clusters`, `cluster_quality` and
`spike_alerts`. Does not: the methods (`hotspots/`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pyproj import Transformer

from htrisk_dagster.defs.fingerprints import MadeFrom
from htrisk_dagster.defs.selection import EVERYTHING, Selection
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.errors import SourceError
from htrisk_dagster.features.coverage import History
from htrisk_dagster.features.feature_matrix import Series
from htrisk_dagster.features.inputs import read_grid
from htrisk_dagster.grid.cells import Grid
from htrisk_dagster.grid.panel import count_panel
from htrisk_dagster.hotspots.anomalies import find_anomalies
from htrisk_dagster.hotspots.cluster_quality import assess
from htrisk_dagster.hotspots.density_clusters import (
    LEAST_INCIDENTS,
    methods,
    summarise_clusters,
)
from htrisk_dagster.hotspots.kde import choose_bandwidth, density
from htrisk_dagster.hotspots.trusted_points import TrustedPoints, trusted_points
from htrisk_dagster.hotspots.zone_tables import zone_tables, zones_of
from htrisk_dagster.schemas import grid as grid_tables
from htrisk_dagster.schemas import hot_places, hotspots, staging
from htrisk_dagster.schemas import zones as zone_schemas
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.study_areas.area import StudyArea
from htrisk_dagster.warehouse.partitions import WHOLE

ALERT_DAYS = 28
# HDBSCAN on 10,000 points takes a second and its resamples five.
MOST_POINTS = 10_000
_WGS84 = "EPSG:4326"
_DAYS_A_YEAR = 365.25


@dataclass(frozen=True)
class TargetReports:
    """The target's incidents, from the first covered day to the newest report of its source.

    Parameters
    ----------
    name : str
        Of the target.
    grid : Grid
    incidents : DataFrame
        `schemas.grid.INCIDENT_CELLS` with lon and lat, reported from `first` to `last`.
    first, last : date
        Days of report.
    """

    name: str
    grid: Grid
    incidents: pl.DataFrame
    first: date
    last: date

    @property
    def years(self) -> float:
        """Length of the period."""
        return ((self.last - self.first).days + 1) / _DAYS_A_YEAR

    @property
    def points(self) -> TrustedPoints:
        """What point methods may be given."""
        return trusted_points(self.incidents)


def read_target(
    workspace: Workspace, area: StudyArea, selection: Selection = EVERYTHING
) -> TargetReports:
    """Read the target, or what is selected, from its source that covers the newest months.

    Raises
    ------
    SourceError
        Where no source of the target covers six months in a row up to its newest report.
    """
    store = workspace.tables(area.name)
    incidents = selection.until(store.read(grid_tables.INCIDENT_CELLS))
    name, declared = selection.part(workspace, area)
    newest = incidents.filter(pl.col("source").is_in(declared.sources))["reported_on"].max()
    chosen = History.of(incidents).choose(declared, newest) if isinstance(newest, date) else None
    if chosen is None or not isinstance(newest, date):
        raise SourceError(
            f"No source of the target '{declared.title}' ({', '.join(declared.sources)}) covers six months "
            "in a row up to its newest report. Bring files or fetch reports, or choose another target."
        )
    source, start = chosen
    first = selection.since(start, workspace.settings.history_start)
    of_source = incidents.filter(pl.col("source") == source)
    last = of_source["reported_on"].max()
    assert first is not None and isinstance(last, date), "a chosen source has rows"
    if first > last:
        raise SourceError(
            f"Reports of '{declared.title}' end on {last}, before {first}, the first day asked for. "
            "Choose an earlier one."
        )
    points = store.read(staging.INCIDENTS, [WHOLE]).select("incident_id", "lon", "lat")
    rows = (
        Series(name, (source,), declared.offence_groups)
        .select(of_source)
        .filter(pl.col("reported_on").is_between(first, last))
        .join(points, on="incident_id", how="left", maintain_order="left")
    )
    return TargetReports(name, read_grid(store, area), rows, first, last)


def store_density(
    workspace: Workspace, area: StudyArea, selection: Selection = EVERYTHING
) -> dict[str, Any]:
    """Make `hotspots.density` of what is selected, write it; return figures for the UI."""
    frame, figures = density_table(read_target(workspace, area, selection))
    made_from = _write(workspace, area, hot_places.DENSITY, frame, selection)
    return {**figures, "made_from": made_from}


def density_table(target: TargetReports) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Choose the bandwidth and spread the incidents over the cells; with figures of both."""
    points = target.points
    rows = points.incidents
    months = 12 * (target.last.year - target.first.year) + target.last.month - target.first.month
    month = pl.col("reported_on").dt.year() * 12 + pl.col("reported_on").dt.month()
    index = rows.select(month - (12 * target.first.year + target.first.month)).to_series()
    by_month = count_panel(
        index.to_numpy(), rows["cell_id"].to_numpy(), months + 1, target.grid.n_cells
    ).astype(np.float64)
    choice = choose_bandwidth(by_month, target.grid)
    total = by_month.sum(axis=0)
    due = density(total, target.grid, choice.bandwidth_m) / target.years
    land_km2 = target.grid.cells["land_share"].to_numpy() * target.grid.cell_size_m**2 / 1e6
    per_km2 = due / land_km2
    rank = np.empty(len(per_km2), dtype=np.int32)
    rank[np.argsort(-per_km2, kind="stable")] = np.arange(1, len(per_km2) + 1)
    frame = pl.DataFrame(
        {
            "target": target.name,
            "first_on": target.first,
            "last_on": target.last,
            "cell_id": target.grid.cells["cell_id"],
            "incidents_per_year": due,
            "density_per_km2": per_km2,
            "rank": rank,
        }
    )
    return hot_places.DENSITY.conform(frame), {
        "period": f"{target.first} to {target.last}",
        "bandwidth_m": choice.bandwidth_m,
        "gain_over_even_spread_nats": choice.scores[choice.bandwidth_m],
        "held_out_incidents": choice.held_out_incidents,
        "incidents": rows.height,
        "station_house_pct": points.station_house_pct,
    }


def store_clusters(
    workspace: Workspace, area: StudyArea, selection: Selection = EVERYTHING
) -> dict[str, Any]:
    """Cluster what is selected, write both tables; return figures for the UI."""
    target = read_target(workspace, area, selection)
    frames, figures = cluster_tables(target, workspace.settings.seed)
    for table, frame in zip(hot_places.CLUSTER_TABLES, frames, strict=True):
        made_from = _write(workspace, area, table, frame, selection)
    return {**figures, "made_from": made_from}


def cluster_tables(
    target: TargetReports, seed: int
) -> tuple[tuple[pl.DataFrame, ...], dict[str, Any]]:
    """Cluster the points by three methods and measure each: `hot_places.CLUSTER_TABLES`."""
    trusted = target.points
    plane = Transformer.from_crs(_WGS84, target.grid.crs, always_xy=True)
    # Where areas are cells, a report is exact by its area and has no point.
    pointed = trusted.incidents.drop_nulls(["lon", "lat"])
    points = np.column_stack(plane.transform(pointed["lon"].to_numpy(), pointed["lat"].to_numpy()))
    n_points = len(points)
    if n_points > MOST_POINTS:
        rows = np.random.default_rng(seed).choice(n_points, MOST_POINTS, replace=False)
        points = points[np.sort(rows)]
    clusters, quality = [], []
    for name, method in methods(points, seed).items() if n_points >= LEAST_INCIDENTS else ():
        labels = method(points, 1.0)
        found = summarise_clusters(points, labels)
        lon, lat = plane.transform(
            found["x_m"].to_numpy(), found["y_m"].to_numpy(), direction="INVERSE"
        )
        named = {"target": pl.lit(target.name), "method": pl.lit(name)}
        clusters.append(found.with_columns(**named, lon=pl.Series(lon), lat=pl.Series(lat)))
        measured = assess(
            points, labels, method, station_house_pct=trusted.station_house_pct, seed=seed
        )
        quality.append(
            {
                "target": target.name,
                "method": name,
                "points_count": len(points),
                "clusters_count": measured.clusters,
                **{k: v for k, v in vars(measured).items() if k != "clusters"},
            }
        )
    tables = hot_places.PLACE_CLUSTERS, hot_places.CLUSTER_QUALITY
    frames = (
        pl.concat(clusters) if clusters else tables[0].empty(),
        pl.DataFrame(quality, schema=tables[1].polars_schema()),
    )
    conformed = tuple(t.conform(f) for t, f in zip(tables, frames, strict=True))
    return conformed, {
        "period": f"{target.first} to {target.last}",
        "incidents": n_points,
        "points_clustered": len(points),
        "station_house_pct": trusted.station_house_pct,
        **{
            f"silhouette_{row['method']}": row["silhouette"]
            for row in quality
            if row["silhouette"] is not None
        },
    }


def store_spikes(
    workspace: Workspace, area: StudyArea, selection: Selection = EVERYTHING
) -> dict[str, Any]:
    """Compare the last 28 known days of each precinct with their past, write `spike_alerts`."""
    target = read_target(workspace, area, selection)
    precincts, counts = precinct_days(target)
    found = find_anomalies(counts, ALERT_DAYS, seed=workspace.settings.seed)
    days = pl.date_range(target.last - timedelta(days=ALERT_DAYS - 1), target.last, eager=True)
    frame = pl.DataFrame(
        {
            "target": target.name,
            "reported_on": np.repeat(days.to_numpy(), len(precincts)),
            "precinct": np.tile(precincts, ALERT_DAYS),
            "incidents_count": counts[-ALERT_DAYS:].ravel(),
            "expected_count": found.expected.ravel(),
            "robust_z": found.robust_z.ravel(),
            "isolation_score": found.isolation_score.ravel(),
            "p_value_prob": found.p_value.ravel(),
            "is_alert": found.is_spike.ravel(),
            "false_alarm_rate": found.false_alarm_rate,
        }
    )
    return {
        "first_day": days[0].isoformat(),
        "last_day": days[-1].isoformat(),
        "alerts": int(found.is_spike.sum()),
        "false_alarm_rate": found.false_alarm_rate,
        "smallest_p_value": float(found.p_value.min()),
        "made_from": _write(workspace, area, hot_places.SPIKE_ALERTS, frame, selection),
    }


@dataclass(frozen=True)
class ZoneWish:
    """What zones are asked for; see `hotspots.zone_tables.zones_of`."""

    n_zones: int | None = None
    most_km2: float = 25.0
    tolerance: float = 0.1
    within_boroughs: bool = True


def store_zones(workspace: Workspace, area: StudyArea, wish: ZoneWish) -> dict[str, Any]:
    """Cut the cells into zones of balanced workload, write both tables; return figures for the UI."""
    store = workspace.tables(area.name)
    grid = read_grid(store, area)
    density_rows = store.read(hot_places.DENSITY, [WHOLE])
    name, _ = workspace.target(area)
    spots = store.read(hotspots.EMERGING_HOT_SPOTS, [WHOLE]).filter(series=name).sort("cell_id")
    hot = (spots["spot"] == "hot").fill_null(value=False).to_numpy() if spots.height else None
    found = zones_of(density_rows, grid, seed=workspace.settings.seed, **vars(wish))
    made_from = MadeFrom(workspace, area).zones(wish)
    frames = zone_tables(
        found, density_rows, grid, hot, most_km2=wish.most_km2, tolerance=wish.tolerance
    )
    for table, frame in zip(zone_schemas.TABLES, frames, strict=True):
        store.write(table, frame, made_from=made_from)
    workspace.build_catalog()
    zones = frames[1]
    return {
        "zones": zones.height,
        "imbalance_pct": 100 * found.imbalance,
        "ground_share_pct": 100 * found.ground_share,
        "largest_km2": float(zones["area_km2"].to_numpy().max()),
        "median_compactness": float(np.median(zones["compactness"].to_numpy())),
        "zones_with_hot_cells": int((zones["hot_cells_pct"] > 0).sum()),
        **{f"wish_{key}": str(value) for key, value in vars(wish).items()},
        "made_from": made_from,
    }


def precinct_days(target: TargetReports) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Precincts (P,) of the grid, and reports by day and precinct (D, P).

    A report at a station house counts: its precinct is known.
    """
    precincts = np.unique(target.grid.cells["precinct"].to_numpy())
    rows = target.incidents.filter(pl.col("precinct").is_in(precincts.tolist()))
    day = (rows["reported_on"] - target.first).dt.total_days().to_numpy()
    n_days = (target.last - target.first).days + 1
    place = np.searchsorted(precincts, rows["precinct"].to_numpy())
    counts = count_panel(day, place, n_days, len(precincts))
    return precincts, counts.astype(np.int64)


def _write(
    workspace: Workspace, area: StudyArea, table: Table, frame: pl.DataFrame, selection: Selection
) -> str:
    made_from = MadeFrom(workspace, area).hot_places(selection)
    workspace.tables(area.name).write(table, table.conform(frame), made_from=made_from)
    workspace.build_catalog()
    return made_from
