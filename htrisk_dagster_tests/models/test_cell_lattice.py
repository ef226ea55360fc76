from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from htrisk_dagster.models.cell_lattice import CellLattice
from htrisk_dagster_tests.models.as_of_panel import panel_block
from htrisk_dagster_tests.models.static_world import lattice_of


@pytest.fixture
def block():
    return panel_block(np.zeros((366, 12)), 2, 4)


def with_column(block, name, values):
    features = np.concatenate(
        [block.features, np.broadcast_to(values, block.features.shape[:2])[..., None]], axis=2
    )
    return replace(block, features=features.astype(np.float32), names=(*block.names, name))


def test_squares_are_read_from_kilometres(block):
    lattice = CellLattice.of_block(block, "kde")
    np.testing.assert_array_equal(lattice.row, np.repeat([0, 1, 2], 4))
    np.testing.assert_array_equal(lattice.col, np.tile([0, 1, 2, 3], 3))
    np.testing.assert_array_equal(lattice.land, 1)


def test_land_is_read_where_it_is_known(block):
    share = np.array([0.5, np.nan, 0.0, 1.0] * 3)
    lattice = CellLattice.of_block(with_column(block, "land_share", share), "kde")
    np.testing.assert_array_equal(lattice.land, [0.5, 1, 1, 1] * 3)


def test_cells_off_a_lattice_are_refused(block):
    features = block.features.copy()
    features[:, 5, block.names.index("x_km")] += 0.2
    with pytest.raises(ValueError, match="'etas' needs cells on a lattice"):
        CellLattice.of_block(replace(block, features=features), "etas")
    features[:, 5] = features[:, 6]
    with pytest.raises(ValueError, match="on a lattice"):
        CellLattice.of_block(replace(block, features=features), "etas")


def test_a_block_without_positions_is_refused(block):
    fewer = replace(block, features=block.features[:, :, :3], names=block.names[:3])
    with pytest.raises(ValueError, match="'kde' needs feature 'x_km'"):
        CellLattice.of_block(fewer, "kde")


def test_arrays_round_trip():
    lattice = CellLattice(np.array([0, 2]), np.array([1, 0]), np.array([0.3, 1.0]))
    again = CellLattice.from_arrays(lattice.to_arrays())
    np.testing.assert_array_equal(again.spread(np.eye(2), 1.0), lattice.spread(np.eye(2), 1.0))


def test_sum_around_against_all_pairs():
    rng = np.random.default_rng(1)
    keep = rng.random(30) < 0.7
    row, col = (place[keep] for place in np.divmod(np.arange(30), 6))
    lattice = CellLattice(row, col, np.ones(len(row)))
    values = rng.normal(size=(2, len(row)))
    d2 = (row[:, None] - row) ** 2 + (col[:, None] - col) ** 2
    weight = np.where(d2 > 0, np.exp(-d2 / (2 * 1.7**2)), 0)
    positive = np.abs(values)
    np.testing.assert_allclose(lattice.sum_around(positive, 1.7), positive @ weight, rtol=1e-9)


def test_rings_are_counted_as_a_king_moves():
    lattice = lattice_of(5)
    matrix = lattice.rings(np.array([1.0, 0.5, 0.25])).toarray()
    np.testing.assert_array_equal(matrix, matrix.T)
    centre = matrix[12].reshape(5, 5)
    wanted = np.full((5, 5), 0.25)
    wanted[1:4, 1:4] = 0.5
    wanted[2, 2] = 1
    np.testing.assert_array_equal(centre, wanted)
    np.testing.assert_array_equal(matrix[0].reshape(5, 5)[:, 3:], 0)
