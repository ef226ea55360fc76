"""How good a clustering of places is: silhouette, DBCV and stability, with what stands beside them.

Belongs here: the three measures, sampled where they are quadratic, and the shares of noise and of
station houses. Does not: the clusters (`density_clusters`).

A silhouette alone says nothing about incidents: points that a publisher puts on a station house form
perfect clusters. The share of such points found in the data, and removed, is told with every one.

Silhouette: Rousseeuw 1987 (doi 10.1016/0377-0427(87)90125-7). DBCV: Moulavi et al. 2014
(doi 10.1137/1.9781611973440.96), hdbscan.validity. Stability: Hennig 2007
(doi 10.1016/j.csda.2006.11.025), mean Jaccard of the best match over half samples; adjusted Rand
index: Hubert and Arabie 1985 (doi 10.1007/BF01908075).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.hotspots.density_clusters import NOISE, Labels, Method, Points

MOST_SAMPLED = 2_000
RESAMPLES = 10
# DBCV of a cluster seen through two points is a number about nothing.
_LEAST_IN_CLUSTER = 3


@dataclass(frozen=True)
class ClusterQuality:
    """Measures of one clustering; None where it has too few clusters for them.

    Parameters
    ----------
    clusters : int
        Clusters found.
    noise_pct : float
        Points in none of them, percent.
    station_house_pct : float
        Points that stood at a station house and were removed before, percent of those before.
    silhouette : float or None
        Mean over at most 2,000 points in clusters, -1 to 1.
    dbcv : float or None
        Density-based validity of at most 2,000 points, noise lowering it, -1 to 1.
    stability_jaccard, stability_ari : float or None
        Over half samples clustered anew: mean Jaccard of each cluster's best match, and adjusted
        Rand index of all labels, noise being one of them.
    """

    clusters: int
    noise_pct: float
    station_house_pct: float
    silhouette: float | None
    dbcv: float | None
    stability_jaccard: float | None
    stability_ari: float | None


def assess(
    points: Points, labels: Labels, method: Method, *, station_house_pct: float, seed: int
) -> ClusterQuality:
    """Measure the clustering `labels` that `method` made of `points`.

    Parameters
    ----------
    points : float, shape (n, 2)
        Metres, without points at station houses.
    labels : int32, shape (n,)
        -1 is noise.
    method : callable
        Made the labels; runs again on half samples.
    station_house_pct : float
        Share of points that were removed, percent.
    seed : int
        Of the samples.
    """
    clusters = int(labels.max(initial=NOISE)) + 1
    jaccard, ari = stability(points, labels, method, seed=seed)
    return ClusterQuality(
        clusters=clusters,
        noise_pct=100 * float((labels == NOISE).mean()) if labels.size else 0.0,
        station_house_pct=station_house_pct,
        silhouette=silhouette(points, labels, seed=seed),
        dbcv=dbcv(points, labels, seed=seed),
        stability_jaccard=jaccard,
        stability_ari=ari,
    )


def silhouette(points: Points, labels: Labels, *, seed: int) -> float | None:
    """Mean silhouette of a seeded sample of the points in clusters; None with fewer than two."""
    from sklearn.metrics import silhouette_score

    chosen = _sampled(np.flatnonzero(labels != NOISE), seed)
    n_labels = len(np.unique(labels[chosen]))
    if not 2 <= n_labels < len(chosen):
        return None
    return float(silhouette_score(points[chosen], labels[chosen]))


def dbcv(points: Points, labels: Labels, *, seed: int) -> float | None:
    """Density-based cluster validity of a seeded sample, noise among it; None below two clusters.

    Points are moved by up to half a metre first: several incidents at one corner have no distance,
    hence no density.
    """
    from hdbscan.validity import validity_index

    chosen = _sampled(np.arange(len(labels)), seed)
    found, size = np.unique(labels[chosen], return_counts=True)
    kept = found[(found != NOISE) & (size >= _LEAST_IN_CLUSTER)]
    if len(kept) < 2:
        return None
    # Numbered anew without gaps, as the package asks; a cluster too thin in the sample is noise.
    position = np.searchsorted(kept, labels[chosen]).clip(max=len(kept) - 1)
    numbered = np.where(kept[position] == labels[chosen], position, NOISE).astype(np.intp)
    rng = np.random.default_rng(seed)
    moved = points[chosen] - points[chosen].mean(axis=0)
    moved = moved + rng.uniform(-0.5, 0.5, moved.shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        score = float(validity_index(moved, numbered))
    return score if np.isfinite(score) else None


def stability(
    points: Points, labels: Labels, method: Method, *, seed: int, resamples: int = RESAMPLES
) -> tuple[float | None, float | None]:
    """Jaccard and adjusted Rand index between `labels` and those of half samples, seeded.

    Returns
    -------
    jaccard, ari : float or None
        Mean over clusters seen in the half sample of the best match's Jaccard index, and adjusted
        Rand index, each a mean over resamples; None where there is no cluster.
    """
    from sklearn.metrics import adjusted_rand_score

    if labels.max(initial=NOISE) < 0:
        return None, None
    rng = np.random.default_rng(seed)
    jaccards, rands = [], []
    for _ in range(resamples):
        half = np.sort(rng.choice(len(points), len(points) // 2, replace=False))
        again = method(points[half], 0.5)
        jaccards.append(best_match_jaccard(labels[half], again))
        rands.append(float(adjusted_rand_score(labels[half], again)))
    return float(np.mean(jaccards)), float(np.mean(rands))


def best_match_jaccard(labels: Labels, again: Labels) -> float:
    """Mean over the clusters of `labels` of the Jaccard index with the most alike of `again`.

    A cluster that `again` lost counts 0; noise is no cluster on either side.
    """
    n, m = (int(each.max(initial=NOISE)) + 1 for each in (labels, again))
    both = (labels != NOISE) & (again != NOISE)
    shared = np.zeros((n, m + 1))
    np.add.at(shared, (labels[both], again[both]), 1)
    size = np.bincount(labels[labels != NOISE], minlength=n)
    size_again = np.append(np.bincount(again[again != NOISE], minlength=m), 0)
    seen = size > 0
    if not seen.any():
        return 0.0
    union = size[seen, None] + size_again - shared[seen]
    return float((shared[seen] / union).max(axis=1).mean())


def _sampled(rows: NDArray[np.intp], seed: int) -> NDArray[np.intp]:
    if len(rows) <= MOST_SAMPLED:
        return rows
    return np.sort(np.random.default_rng(seed).choice(rows, MOST_SAMPLED, replace=False))
