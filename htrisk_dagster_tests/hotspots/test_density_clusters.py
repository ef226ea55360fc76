from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.hotspots.density_clusters import (
    NOISE,
    dbscan,
    hdbscan,
    kmeans,
    methods,
    neighbour_radius,
    summarise_clusters,
)


def three_groups(seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Three groups of 60, 40 and 20 points, 100 m wide and kilometres apart, and 10 far strays."""
    rng = np.random.default_rng(seed)
    truth = np.repeat([0, 1, 2], [60, 40, 20])
    centres = np.array([[0.0, 0.0], [4_000.0, 0.0], [0.0, 5_000.0]])
    points = centres[truth] + rng.normal(0, 100, (120, 2))
    angle = np.arange(10) * 2 * np.pi / 10
    strays = 30_000 * np.column_stack([np.cos(angle), np.sin(angle)])
    return np.concatenate([points, strays]), np.append(truth, np.full(10, NOISE))


def same_partition(labels: np.ndarray, truth: np.ndarray) -> bool:
    """Whether noise agrees and groups are the same up to their numbers."""
    pairs = {(int(a), int(b)) for a, b in zip(labels, truth, strict=True)}
    left, right = ({pair[i] for pair in pairs} for i in (0, 1))
    return len(pairs) == len(left) == len(right) and {p for p in pairs if NOISE in p} <= {
        (NOISE, NOISE)
    }


def brute_dbscan(points: np.ndarray, radius: float, least: int) -> np.ndarray:
    """By the definition: components of core points, a border point to any, the rest noise."""
    near = np.linalg.norm(points[:, None] - points[None], axis=2) <= radius
    core = near.sum(axis=1) >= least
    labels = np.full(len(points), NOISE)
    for seed in np.flatnonzero(core):
        if labels[seed] != NOISE:
            continue
        number, waiting = labels.max() + 1, [seed]
        labels[seed] = number
        while waiting:
            for other in np.flatnonzero(near[waiting.pop()]):
                if labels[other] == NOISE:
                    labels[other] = number
                    if core[other]:
                        waiting.append(other)
    return labels


def test_density_methods_find_the_groups_and_the_strays() -> None:
    points, truth = three_groups()

    assert same_partition(dbscan(points, 300.0), truth)
    assert same_partition(hdbscan(points), truth)


def test_dbscan_is_the_definition_with_repeated_points() -> None:
    rng = np.random.default_rng(3)
    corners = rng.uniform(0, 3_000, (120, 2))
    points = corners[rng.integers(0, 120, 400)]

    for radius in (150.0, 220.0, 300.0):
        expected = brute_dbscan(points, radius, 11)
        found = dbscan(points, radius)
        # A border point may belong to either cluster it touches; cores and noise may not differ.
        near = np.linalg.norm(points[:, None] - points[None], axis=2) <= radius
        core = near.sum(axis=1) >= 11
        assert ((found == NOISE) == (expected == NOISE)).all()
        assert same_partition(found[core], expected[core])
        assert core.any()


def test_kmeans_has_no_noise_and_its_centres_are_means() -> None:
    points, truth = three_groups()
    labels = kmeans(points[truth != NOISE], 3, seed=0)

    assert same_partition(labels, truth[truth != NOISE])
    assert (kmeans(points, 4, seed=5) == kmeans(points, 4, seed=5)).all()
    assert set(kmeans(np.zeros((20, 2)), 5, seed=0)) == {0}, "one place is one cluster"


def test_radius_by_a_loop() -> None:
    points, _ = three_groups()
    to_eleventh = [np.sort(np.linalg.norm(points - p, axis=1))[10] for p in points]

    radius = neighbour_radius(points)

    assert radius == pytest.approx(np.quantile(to_eleventh, 0.25))
    assert neighbour_radius(np.zeros((30, 2))) == 1.0


def test_too_few_points_are_noise() -> None:
    points = np.random.default_rng(0).normal(0, 1, (10, 2))

    assert (dbscan(points, 100.0) == NOISE).all()
    assert (hdbscan(points) == NOISE).all()
    assert dbscan(points, 100.0, 0.5).max() == 0, "ten points of half a sample are enough"


def test_the_three_methods_by_name() -> None:
    points, _ = three_groups()
    labels = {name: method(points, 1.0) for name, method in methods(points, 7).items()}

    assert list(labels) == ["dbscan", "hdbscan", "kmeans"]
    assert labels["kmeans"].max() == labels["hdbscan"].max(), "as many means as HDBSCAN clusters"


def test_a_cluster_is_told_by_size_centre_and_extent() -> None:
    ring = 430 * np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
    middle = np.zeros((8, 2))
    points = np.concatenate([middle, ring]) + np.array([1_010, 2_030])
    small = np.tile([[9_000.0, 9_000.0]], (10, 1))
    stray = np.array([[50_000.0, 0.0]])
    labels = np.repeat([1, 0, NOISE], [12, 10, 1]).astype(np.int32)

    found = summarise_clusters(np.concatenate([points, small, stray]), labels)

    # Ten incidents are one too few; half of twelve are at the very centre, and an extent is 50 m at least.
    assert found.rows(named=True) == [
        {"cluster": 1, "incidents_count": 12, "x_m": 1_000.0, "y_m": 2_000.0, "extent_m": 50.0}
    ]


def test_extent_holds_half_the_incidents_and_order_is_by_size() -> None:
    points, truth = three_groups()

    found = summarise_clusters(points, truth.astype(np.int32))

    assert found["incidents_count"].to_list() == [60, 40, 20]
    assert found["cluster"].to_list() == [1, 2, 3]
    for row, number in zip(found.rows(named=True), (0, 1, 2), strict=True):
        group = points[truth == number]
        distance = np.linalg.norm(group - group.mean(axis=0), axis=1)
        half = np.median(distance)
        assert 0 <= row["extent_m"] - half < 50
    assert (found.select(pl.col("x_m", "y_m") % 100) == 0).to_numpy().all()


def test_no_point_is_no_cluster() -> None:
    none = np.zeros((0, 2))

    assert summarise_clusters(none, np.zeros(0, dtype=np.int32)).is_empty()
    assert kmeans(none, 3, seed=0).size == 0
