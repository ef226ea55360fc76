from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.grid.lattice_kernel import mass_between_squares, spread_on_lattice
from scipy.stats import norm


@pytest.mark.parametrize("size", [0.2, 1.0, 6.0])
def test_mass_is_scipys_normal(size):
    mass = mass_between_squares(5, size)
    steps = np.subtract.outer(np.arange(5), np.arange(5))
    wanted = norm.cdf((steps + 0.5) * size) - norm.cdf((steps - 0.5) * size)
    np.testing.assert_allclose(mass, wanted, atol=1e-15)
    assert mass_between_squares(400, size)[200].sum() == pytest.approx(1)


def test_two_cells_far_apart_on_a_lattice_with_gaps():
    row, col = np.array([0, 2, 2]), np.array([0, 3, 0])
    values = np.array([[1.0, 0.0, 0.0], [0.0, 2.0, 1.0]])
    spread = spread_on_lattice(values, row, col, 1.5)
    line = norm.cdf((np.arange(4) + 0.5) / 1.5) - norm.cdf((np.arange(4) - 0.5) / 1.5)
    between = line[np.abs(row[:, None] - row)] * line[np.abs(col[:, None] - col)]
    np.testing.assert_allclose(spread, values @ between, rtol=1e-12)
    # What falls between the cells is lost.
    assert spread[0].sum() < 1
