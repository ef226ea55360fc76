from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.hotspots import cluster_quality as quality
from htrisk_dagster.hotspots.density_clusters import NOISE, hdbscan, kmeans, methods
from htrisk_dagster_tests.hotspots.test_density_clusters import three_groups
from sklearn.metrics import silhouette_samples


def test_silhouette_in_a_worked_example() -> None:
    points = np.array([[0.0, 0], [2, 0], [10, 0], [14, 0], [500, 500]])
    labels = np.array([0, 0, 1, 1, NOISE])

    # a: within, b: to the other cluster; s = (b - a) / max(a, b), and the stray counts for nothing.
    expected = [(12 - 2) / 12, (10 - 2) / 10, (9 - 4) / 9, (13 - 4) / 13]
    assert quality.silhouette(points, labels, seed=0) == pytest.approx(np.mean(expected))


def test_silhouette_of_a_sample_is_near_that_of_all() -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 6, 5_000)
    points = np.column_stack([1_000.0 * labels, np.zeros(5_000)]) + rng.normal(0, 250, (5_000, 2))

    sampled = quality.silhouette(points, labels, seed=3)

    samples = silhouette_samples(points[:4_000], labels[:4_000])
    assert sampled == pytest.approx(samples.mean(), abs=4 * samples.std() / np.sqrt(2_000))
    assert quality.silhouette(points, labels, seed=3) == sampled
    assert quality.silhouette(points, labels, seed=4) != sampled


def test_measures_need_two_clusters() -> None:
    points, _ = three_groups()

    for labels in (np.zeros(len(points), dtype=np.int32), np.full(len(points), NOISE)):
        assert quality.silhouette(points, labels, seed=0) is None
        assert quality.dbcv(points, labels, seed=0) is None
    assert quality.stability(points, np.full(130, NOISE), lambda p, _: hdbscan(p), seed=0) == (
        None,
        None,
    )


def test_dbcv_tells_dense_groups_from_a_cut_through_them() -> None:
    points, truth = three_groups()
    groups = truth != NOISE
    cut = (points[groups, 1] > 0).astype(np.int32)

    good = quality.dbcv(points[groups], truth[groups], seed=0)
    bad = quality.dbcv(points[groups], cut, seed=0)

    assert good > 0.8
    assert bad < 0
    # Noise weighs: ten strays among 130 points lower it by their share.
    assert quality.dbcv(points, truth, seed=0) == pytest.approx(good * 120 / 130, abs=0.02)


def test_dbcv_stands_repeated_points() -> None:
    corners = np.array([[0.0, 0], [5_000, 0], [0, 5_000]])
    points = np.repeat(corners, 30, axis=0)

    assert quality.dbcv(points, np.repeat([0, 1, 2], 30), seed=0) > 0.99


def brute_jaccard(labels: np.ndarray, again: np.ndarray) -> float:
    best = []
    for cluster in set(labels.tolist()) - {NOISE}:
        mine = set(np.flatnonzero(labels == cluster))
        others = [set(np.flatnonzero(again == o)) for o in set(again.tolist()) - {NOISE}]
        best.append(max((len(mine & o) / len(mine | o) for o in others), default=0.0))
    return float(np.mean(best))


def test_best_match_jaccard_by_sets() -> None:
    rng = np.random.default_rng(5)
    for _ in range(50):
        labels, again = rng.integers(-1, 5, (2, 40))
        assert quality.best_match_jaccard(labels, again) == pytest.approx(
            brute_jaccard(labels, again)
        )
    gone = np.full(40, NOISE)
    assert quality.best_match_jaccard(labels, gone) == 0.0
    assert quality.best_match_jaccard(gone, labels) == 0.0


def test_stability_is_one_for_groups_and_low_for_a_cut_of_nothing() -> None:
    points, _ = three_groups()
    even = np.random.default_rng(2).uniform(0, 1_000, (400, 2))

    sure, sure_ari = quality.stability(points, hdbscan(points), hdbscan, seed=1)

    def seven(sample: np.ndarray, _: float) -> np.ndarray:
        return kmeans(sample, 7, seed=0)

    unsure, unsure_ari = quality.stability(even, seven(even, 1.0), seven, seed=1)
    # One of ten half samples may miss the smallest group.
    assert sure == pytest.approx(1.0, abs=0.04)
    assert sure_ari == pytest.approx(1.0, abs=0.02)
    assert unsure < 0.8
    assert unsure_ari < 0.8


def test_station_houses_stand_beside_every_measure() -> None:
    points, _ = three_groups()
    for method in methods(points, 1).values():
        labels = method(points, 1.0)
        found = quality.assess(points, labels, method, station_house_pct=12.5, seed=1)
        assert found.station_house_pct == 12.5
        assert found.clusters == labels.max() + 1
        assert found.noise_pct == pytest.approx(100 * np.mean(labels == NOISE))
        assert found == quality.assess(points, labels, method, station_house_pct=12.5, seed=1)
