"""Clusters of places where incidents were reported: DBSCAN, HDBSCAN and KMeans.

Belongs here: the three methods on projected points and the summary of a cluster. Does not: how good
a clustering is (`cluster_quality`), which points may enter (`grid/location_quality.py`: a point at a
station house is removed before any of them).

DBSCAN: Ester et al. 1996 (KDD-96), scikit-learn. HDBSCAN: Campello, Moulavi and Sander 2013
(doi 10.1007/978-3-642-37456-2_14), package hdbscan. KMeans: Lloyd 1982, scikit-learn.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
from numpy.typing import NDArray

Points = NDArray[np.float64]
Labels = NDArray[np.int32]
Method = Callable[[Points, float], Labels]
"""Labels of the points (n, 2) in metres, -1 for noise, given the share of all points they are."""

NOISE = -1
# The smallest count that may leave: a smaller group of incidents is no cluster here.
LEAST_INCIDENTS = 11
# A quarter of the points have eleven within the radius of DBSCAN.
_CORE_SHARE = 0.25
_MOST_MEANS = 40
_CENTRE_STEP_M = 100
# Half the incidents within this distance of the centre, rounded up to it.
_EXTENT_STEP_M = 50


def dbscan(points: Points, radius_m: float, share: float = 1.0) -> Labels:
    """Cluster what lies within `radius_m` of a point with at least eleven there, itself included.

    Parameters
    ----------
    points : float, shape (n, 2)
        Metres in a projected CRS.
    radius_m : float
        Radius of a neighbourhood, metres; see `neighbour_radius`.
    share : float
        Share of all points that `points` are a sample of; the eleven shrinks with it.

    Returns
    -------
    int32, shape (n,)
        Cluster number from 0, -1 for noise.
    """
    from sklearn.cluster import DBSCAN

    if len(points) < 2:
        return np.full(len(points), NOISE, dtype=np.int32)
    # A place with many incidents is one point with a weight: 100,000 rows stand at few corners.
    places, row, weight = np.unique(points, axis=0, return_inverse=True, return_counts=True)
    fitted = DBSCAN(eps=radius_m, min_samples=_least(share)).fit(places, sample_weight=weight)
    labels: Labels = fitted.labels_[row.ravel()].astype(np.int32)
    return labels


def neighbour_radius(points: Points) -> float:
    """Distance within which a quarter of the points have at least eleven, themselves included.

    The sorted distances to the k-th neighbour are what Ester et al. choose the radius from; a fixed
    one would find nothing in a rare series and one single cluster in a frequent one. At least one metre.

    Parameters
    ----------
    points : float, shape (n, 2)
        Metres, n of at least 11.
    """
    from scipy.spatial import KDTree

    distance, _ = KDTree(points).query(points, k=[LEAST_INCIDENTS])
    return max(1.0, float(np.quantile(distance, _CORE_SHARE)))


def hdbscan(points: Points, share: float = 1.0) -> Labels:
    """Cluster by density at every scale at once; a cluster has at least eleven points.

    Parameters
    ----------
    points : float, shape (n, 2)
        Metres in a projected CRS.
    share : float
        See `dbscan`.

    Returns
    -------
    int32, shape (n,)
        Cluster number from 0, -1 for noise.
    """
    from hdbscan import HDBSCAN

    least = _least(share)
    if len(points) <= least:
        return np.full(len(points), NOISE, dtype=np.int32)
    fitted = HDBSCAN(min_cluster_size=least, core_dist_n_jobs=1).fit(points)
    labels: Labels = fitted.labels_.astype(np.int32)
    return labels


def kmeans(points: Points, n_clusters: int, seed: int) -> Labels:
    """Cut all points into `n_clusters` by the nearest mean; there is no noise.

    Parameters
    ----------
    points : float, shape (n, 2)
        Metres in a projected CRS.
    n_clusters : int
        At most the number of different places is used.
    seed : int
        Of the first means; three starts, the best kept.

    Returns
    -------
    int32, shape (n,)
        Cluster number from 0.
    """
    from sklearn.cluster import KMeans

    n_clusters = min(n_clusters, len(np.unique(points, axis=0)))
    if n_clusters == 0:
        return np.zeros(0, dtype=np.int32)
    fitted = KMeans(n_clusters, n_init=3, random_state=seed).fit(points)
    labels: Labels = fitted.labels_.astype(np.int32)
    return labels


def methods(points: Points, seed: int) -> dict[str, Method]:
    """The three methods by name, fitted to at least eleven points.

    DBSCAN gets its radius from `points`, KMeans as many clusters as HDBSCAN finds, two to forty.
    """
    radius_m = neighbour_radius(points)
    found = int(np.clip(hdbscan(points).max(initial=NOISE) + 1, 2, _MOST_MEANS))
    return {
        "dbscan": lambda sample, share: dbscan(sample, radius_m, share),
        "hdbscan": hdbscan,
        "kmeans": lambda sample, _: kmeans(sample, found, seed),
    }


def summarise_clusters(points: Points, labels: Labels) -> pl.DataFrame:
    """Size, centre and extent of each cluster with at least eleven incidents.

    Parameters
    ----------
    points : float, shape (n, 2)
    labels : int32, shape (n,)

    Returns
    -------
    DataFrame
        cluster (1 is the largest), incidents_count, x_m, y_m (centre, to 100 m) and extent_m (radius
        around it that holds half the incidents, up to the next 50 m). Sizes that tie are in order
        of the centre.
    """
    frame = pl.DataFrame({"label": labels, "x": points[:, 0], "y": points[:, 1]})
    in_cluster = frame.filter(pl.col("label") != NOISE)
    from_centre = (
        (pl.col("x") - pl.col("x").mean()) ** 2 + (pl.col("y") - pl.col("y").mean()) ** 2
    ).sqrt()
    clusters = (
        in_cluster.group_by("label")
        .agg(
            incidents_count=pl.len().cast(pl.Int64),
            x_m=_rounded(pl.col("x").mean()),
            y_m=_rounded(pl.col("y").mean()),
            extent_m=(from_centre.median() / _EXTENT_STEP_M).ceil().clip(lower_bound=1)
            * _EXTENT_STEP_M,
        )
        .filter(pl.col("incidents_count") >= LEAST_INCIDENTS)
        .sort("incidents_count", "x_m", "y_m", "label", descending=[True, False, False, False])
    )
    return clusters.drop("label").with_row_index("cluster", offset=1)


def _rounded(value: pl.Expr) -> pl.Expr:
    return (value / _CENTRE_STEP_M).round() * _CENTRE_STEP_M


def _least(share: float) -> int:
    return max(2, round(LEAST_INCIDENTS * share))
