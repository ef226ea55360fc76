from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.errors import SettingError
from htrisk_dagster.hotspots.zones import bridged, compactness, draw_zones, pieces
from scipy.sparse import csr_array


def board(rows: int, cols: int) -> tuple[np.ndarray, np.ndarray, csr_array]:
    """Lattice, centres in km and rook contiguity of a board of squares of 1 km."""
    lattice = np.arange(rows * cols, dtype=np.int32).reshape(rows, cols)
    xy = np.column_stack([c.ravel() for c in np.indices((rows, cols))[::-1]]).astype(float)
    near = (np.abs(xy[:, None] - xy[None]).sum(axis=2) == 1).astype(float)
    return lattice, xy, csr_array(near)


def test_a_worked_board_of_four_by_four():
    """Four zones of four squares each, and each workload a quarter."""
    _, xy, near = board(4, 4)
    found = draw_zones(
        np.ones(16), np.ones(16), xy, near, n_zones=4, most_km2=4, tolerance=0, seed=1
    )
    assert sorted(np.bincount(found.zone)) == [4, 4, 4, 4]
    assert found.workload == pytest.approx(np.ones(4))
    assert found.imbalance == pytest.approx(0)
    assert pieces(found.zone, near) == [1, 1, 1, 1]


def test_a_heavy_corner_is_a_zone_of_its_own():
    """A square with as much as the other fifteen: alone, if a zone may have fifteen squares."""
    _, xy, near = board(4, 4)
    expected = np.where(np.arange(16) == 0, 15.0, 1.0)
    found = draw_zones(expected, np.ones(16), xy, near, n_zones=2, most_km2=15, seed=1)
    assert sorted(np.bincount(found.zone)) == [1, 15]
    assert found.ground_share == 0


def test_ground_counts_as_far_as_size_asks():
    _, xy, near = board(12, 12)
    rng = np.random.default_rng(3)
    expected = rng.gamma(0.3, size=144) * np.exp(-xy[:, 0] / 3)
    free = draw_zones(expected, np.ones(144), xy, near, n_zones=6, most_km2=144, seed=1)
    held = draw_zones(expected, np.ones(144), xy, near, n_zones=6, most_km2=34, seed=1)
    assert free.ground_share == 0 < held.ground_share
    assert np.bincount(free.zone).max() > 34 >= np.bincount(held.zone).max()
    for zones in (free, held):
        assert zones.imbalance <= 0.1
        assert set(pieces(zones.zone, near)) == {1}


def test_no_zone_crosses_a_unit():
    _, xy, near = board(8, 8)
    unit = (xy[:, 0] >= 3).astype(int) + 10
    found = draw_zones(
        np.ones(64), np.ones(64), xy, near, n_zones=8, most_km2=12, unit=unit, seed=1
    )
    assert [len(set(found.zone[unit == u])) for u in (10, 11)] == [3, 5]
    assert not set(found.zone[unit == 10]) & set(found.zone[unit == 11])


def test_an_island_is_joined_to_the_nearest_shore():
    _, xy, near = board(1, 5)
    cut = near.toarray()
    cut[2, 3] = cut[3, 2] = 0
    graph = bridged(csr_array(cut), xy, np.zeros(5, dtype=int))
    assert (graph.toarray() == near.toarray()).all()
    assert pieces(np.zeros(5, dtype=np.int32), csr_array(cut)) == [2]


def test_compactness_of_known_shapes():
    """Two by two: pi / 4. A row of four: 4 pi 4 / 100."""
    lattice = np.arange(4, dtype=np.int32)
    zone = np.zeros(4, dtype=np.int32)
    assert compactness(zone, lattice.reshape(2, 2)) == pytest.approx([np.pi / 4])
    assert compactness(zone, lattice.reshape(1, 4)) == pytest.approx([16 * np.pi / 100])
    two = np.array([0, 0, 1, 1], dtype=np.int32)
    assert compactness(two, lattice.reshape(2, 2)) == pytest.approx([8 * np.pi / 36] * 2)


def test_the_same_seed_gives_the_same_zones():
    _, xy, near = board(10, 10)
    expected = np.random.default_rng(1).gamma(0.5, size=100)
    first, second = (
        draw_zones(expected, np.ones(100), xy, near, n_zones=5, most_km2=60, seed=4).zone
        for _ in range(2)
    )
    assert (first == second).all()


def test_impossible_wishes_are_refused_with_what_is_possible():
    _, xy, near = board(4, 4)
    with pytest.raises(SettingError, match=r"2 zones are too few.*need 4 or more"):
        draw_zones(np.ones(16), np.ones(16), xy, near, n_zones=2, most_km2=4, seed=1)
    heavy = np.where(np.arange(16) == 0, 1e6, 1.0)
    with pytest.raises(SettingError, match="No 5 zones within 0% of equal workload"):
        draw_zones(heavy, np.ones(16), xy, near, n_zones=5, most_km2=16, tolerance=0, seed=1)
