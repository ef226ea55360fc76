"""Tables of the `hotspots` layer that are made from points and days: density, clusters, spikes.

Belongs here: kernel density, clusters of places and their quality, spike alerts. Does not: local
statistics of cells and weeks (`hotspots.py`).
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas.hotspots import LAYER
from htrisk_dagster.schemas.table import Column, Table

CLUSTER_METHODS = ("dbscan", "hdbscan", "kmeans")
_LEAST_INCIDENTS = 11

_TARGET = Column(
    "target", pl.String, "What was counted: a target or offence group of the study area's file."
)
_METHOD = Column("method", pl.String, "Clustering method.", allowed=CLUSTER_METHODS)
_PLACES_ONLY = (
    "Points at station houses were removed before; hotspots.cluster_quality tells their share."
)

DENSITY = Table(
    LAYER,
    "density",
    "one cell",
    "Kernel density of the target's incidents over the whole period, edge-corrected by land, 1% of it spread evenly; the bandwidth is in the asset's metadata.",
    (
        _TARGET,
        Column("first_on", pl.Date, "First day of report that was counted."),
        Column("last_on", pl.Date, "Last day of report that was counted."),
        Column("cell_id", pl.Int32, "Cell of the grid.", lower=0),
        Column(
            "incidents_per_year",
            pl.Float64,
            "Incidents that the density puts into the cell.",
            unit="incidents a year",
            lower=0,
        ),
        Column(
            "density_per_km2",
            pl.Float64,
            "The same by square kilometre of the cell's land.",
            unit="incidents a year and km2 of land",
            lower=0,
        ),
        Column("rank", pl.Int32, "1 for the densest cell; ties by cell number.", lower=1),
    ),
    key=("cell_id",),
    warnings=("Reported incidents, of the past: a description, no forecast.",),
)
PLACE_CLUSTERS = Table(
    LAYER,
    "place_clusters",
    "one method and cluster",
    "Clusters of places where incidents of the target were reported. Clusters of fewer than 11 incidents are not kept.",
    (
        _TARGET,
        _METHOD,
        Column("cluster", pl.Int32, "1 for the largest.", lower=1),
        Column(
            "incidents_count",
            pl.Int64,
            "Reported incidents in the cluster, of those clustered.",
            unit="incidents",
            lower=_LEAST_INCIDENTS,
        ),
        Column("x_m", pl.Float64, "Easting of the centre, to 100 m.", unit="m"),
        Column("y_m", pl.Float64, "Northing of the centre, to 100 m.", unit="m"),
        Column("lon", pl.Float64, "Longitude of that centre.", unit="degree"),
        Column("lat", pl.Float64, "Latitude of that centre.", unit="degree"),
        Column(
            "extent_m",
            pl.Float64,
            "Radius around the centre that holds half the incidents, up to the next 50 m.",
            unit="m",
            lower=50,
        ),
    ),
    key=("method", "cluster"),
    warnings=(
        _PLACES_ONLY,
        "Of more than 10,000 incidents a seeded sample of 10,000 is clustered: counts are of the sample.",
        "KMeans puts every incident into a cluster, near it or not.",
    ),
)


def _measure(name: str, description: str, lower: float) -> Column:
    return Column(name, pl.Float64, description, nullable=True, lower=lower, upper=1)


CLUSTER_QUALITY = Table(
    LAYER,
    "cluster_quality",
    "one method",
    "How good each method's clusters are. A measure is missing where there are fewer than two clusters.",
    (
        _TARGET,
        _METHOD,
        Column("points_count", pl.Int64, "Points clustered.", unit="incidents", lower=0),
        Column("clusters_count", pl.Int32, "Clusters found, of any size.", lower=0),
        _measure(
            "silhouette", "Mean silhouette of at most 2,000 points in clusters, noise apart.", -1
        ),
        Column(
            "station_house_pct",
            pl.Float64,
            "Points that stood at a station house and were removed before, of all with a point.",
            unit="%",
            lower=0,
            upper=100,
        ),
        _measure("dbcv", "Density-based validity of at most 2,000 points, noise among them.", -1),
        _measure(
            "stability_jaccard",
            "Mean Jaccard index of each cluster's best match over ten half samples.",
            0,
        ),
        _measure("stability_ari", "Mean adjusted Rand index over the same half samples.", -1),
        Column("noise_pct", pl.Float64, "Points in no cluster.", unit="%", lower=0, upper=100),
    ),
    key=("method",),
    warnings=(
        "A silhouette near 1 with a high station_house_pct is a map of station houses, not of incidents.",
    ),
)
SPIKE_ALERTS = Table(
    LAYER,
    "spike_alerts",
    "one precinct and day of report",
    "The target's reports of the last 28 known days against the same weekday of up to 26 weeks before.",
    (
        _TARGET,
        Column("reported_on", pl.Date, "Local day of the report, which no later report changes."),
        Column("precinct", pl.Int32, "Precinct."),
        Column("incidents_count", pl.Int64, "Incidents reported.", unit="incidents", lower=0),
        Column(
            "expected_count",
            pl.Float64,
            "Mean of the same weekday in the weeks before.",
            unit="incidents",
            lower=0,
        ),
        Column(
            "robust_z",
            pl.Float64,
            "Residual from their median in robust standard deviations, after Anscombe's transform.",
            unit="standard deviations",
        ),
        Column(
            "isolation_score",
            pl.Float64,
            "Isolation forest: near 1 is unlike other precinct-days, under 0.5 is like them.",
            unit="score",
            lower=0,
            upper=1,
        ),
        Column(
            "p_value_prob",
            pl.Float64,
            "Probability of at least as many if nothing has changed.",
            unit="probability",
            lower=0,
            upper=1,
        ),
        Column("is_alert", pl.Boolean, "Whether this is a spike at the stated rate."),
        Column(
            "false_alarm_rate",
            pl.Float64,
            "Stated: days with any false alarm in the whole study area, at most.",
            unit="share of days",
            lower=0,
            upper=1,
        ),
    ),
    key=("precinct", "reported_on"),
    warnings=("Small counts: not for publication; alerts that are sent carry no count.",),
)
CLUSTER_TABLES = (PLACE_CLUSTERS, CLUSTER_QUALITY)
TABLES = (DENSITY, *CLUSTER_TABLES, SPIKE_ALERTS)
