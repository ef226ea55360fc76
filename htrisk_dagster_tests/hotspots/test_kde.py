from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.errors import SourceError
from htrisk_dagster.grid.cells import Grid
from htrisk_dagster.hotspots.kde import choose_bandwidth, density, kernel_density
from scipy.stats import gaussian_kde

SIZE = 500


def grid_of(land: np.ndarray) -> Grid:
    """A grid on the squares of `land`, shape (rows, columns), that have any."""
    row, col = np.nonzero(land)
    n = len(row)
    cells = pl.DataFrame(
        {
            "cell_id": np.arange(n),
            "col": col,
            "row": row,
            "x_m": SIZE * (col + 0.5),
            "y_m": SIZE * (row + 0.5),
            "lon": np.zeros(n),
            "lat": np.zeros(n),
            "land_share": land[row, col],
            "precinct": np.ones(n),
            "borough": ["one"] * n,
        }
    )
    return Grid.from_cells(cells, "EPSG:32618", SIZE)


def open_land(n: int) -> Grid:
    return grid_of(np.ones((n, n)))


def brute_force(counts: np.ndarray, grid: Grid, bandwidth: float) -> np.ndarray:
    """Cell by cell: the normal's mass in each square, by erf, over the mass that falls on land."""
    cells = grid.cells.rows(named=True)

    def mass(a: float, b: float) -> float:
        scale = bandwidth * math.sqrt(2)
        near, far = abs(a - b) - SIZE / 2, abs(a - b) + SIZE / 2
        return 0.5 * (math.erf(far / scale) - math.erf(near / scale))

    due = np.zeros(len(cells))
    for source, count in zip(cells, counts, strict=True):
        on_land = [
            c["land_share"] * mass(source["x_m"], c["x_m"]) * mass(source["y_m"], c["y_m"])
            for c in cells
        ]
        due += count * np.array(on_land) / sum(on_land)
    return due


def test_it_equals_a_loop_over_pairs_of_cells() -> None:
    rng = np.random.default_rng(1)
    land = np.where(rng.random((9, 12)) < 0.7, rng.uniform(0.1, 1, (9, 12)), 0)
    grid = grid_of(land)
    counts = rng.poisson(1.5, (2, grid.n_cells)).astype(float)

    for bandwidth in (100.0, 700.0, 4000.0):
        found = kernel_density(counts, grid, bandwidth)
        expected = [brute_force(each, grid, bandwidth) for each in counts]
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-14)


def test_it_equals_scipy_far_from_the_edge() -> None:
    grid = open_land(61)
    counts = np.zeros(grid.n_cells)
    rng = np.random.default_rng(2)
    # Ten points, each turned by a quarter three times: as many north as east, so SciPy, which takes
    # the shape of the kernel from the points, uses a round one.
    right, up = rng.integers(1, 8, (2, 10))
    east = np.concatenate([right, -up, -right, up]) + 30
    north = np.concatenate([up, right, -up, -right]) + 30
    chosen = grid.lattice[north, east]
    np.add.at(counts, chosen, 1)
    points = grid.cells.select("x_m", "y_m").to_numpy()
    bandwidth = 1500.0
    reference = gaussian_kde(points[chosen].T, bandwidth / points[chosen, 0].std(ddof=1))
    expected = 40 * SIZE**2 * reference(points.T)

    found = kernel_density(counts, grid, bandwidth)

    # Mass in a square against the density at its middle: they differ by (size / bandwidth)^2 / 12.
    peak = expected > 0.2 * expected.max()
    np.testing.assert_allclose(found[peak], expected[peak], rtol=0.012)


def test_no_incident_is_lost_at_the_shore() -> None:
    land = np.ones((10, 10))
    land[:, 5:] = 0
    land[3, 4] = 0.05
    grid = grid_of(land)
    counts = np.zeros(grid.n_cells)
    counts[4] = 7.0

    for bandwidth in (100.0, 1000.0, 20_000.0):
        for due in (kernel_density(counts, grid, bandwidth), density(counts, grid, bandwidth)):
            assert due.sum() == pytest.approx(7.0, abs=1e-9)
    # A kernel wider than the city spreads by land alone.
    np.testing.assert_allclose(
        kernel_density(counts, grid, 1e7), 7 * grid.cells["land_share"] / land.sum(), rtol=1e-6
    )


def cluster_counts(spread: float, months: int, seed: int, n: int = 300) -> tuple[Grid, np.ndarray]:
    """Monthly counts around five fixed centres, `spread` metres apart from them."""
    rng = np.random.default_rng(seed)
    grid = open_land(40)
    centres = rng.uniform(5_000, 15_000, (5, 2))
    counts = np.zeros((months, grid.n_cells))
    for month in range(months):
        at = centres[rng.integers(0, 5, n)] + rng.normal(0, spread, (n, 2))
        square = np.clip(at // SIZE, 0, 39).astype(int)
        np.add.at(counts[month], grid.lattice[square[:, 1], square[:, 0]], 1)
    return grid, counts


def test_scores_equal_a_loop_over_held_out_months() -> None:
    grid, counts = cluster_counts(800, 6, seed=3, n=40)

    choice = choose_bandwidth(counts, grid, (300.0, 1300.0))

    land = np.ones(grid.n_cells) / grid.n_cells
    held_out = counts[3:].sum()
    for bandwidth in (300.0, 1300.0):
        total = 0.0
        for month in range(3, 6):
            before = counts[:month].sum(axis=0)
            mean = 0.99 * kernel_density(before, grid, bandwidth) + 0.01 * before.sum() * land
            even = before.sum() * land
            for p, sign in ((mean / month, 1), (even / month, -1)):
                total += sign * (counts[month] * np.log(p) - p).sum()
        assert choice.scores[bandwidth] == pytest.approx(total / held_out, rel=1e-9)
    assert choice.held_out_incidents == held_out


@pytest.mark.parametrize("months", [4, 12])
def test_a_wider_spread_asks_for_a_wider_kernel(months: int) -> None:
    chosen = []
    for spread in (200, 1_000, 4_000):
        grid, counts = cluster_counts(spread, months, seed=4, n=120)
        chosen.append(choose_bandwidth(counts, grid).bandwidth_m)

    assert chosen[0] < chosen[1] < chosen[2]


def test_more_incidents_ask_for_a_narrower_kernel() -> None:
    few, many = (
        choose_bandwidth(counts, grid).bandwidth_m
        for grid, counts in (cluster_counts(1_500, 8, seed=5, n=n) for n in (8, 2_000))
    )

    assert many < few


def test_only_earlier_months_make_a_density() -> None:
    grid, counts = cluster_counts(800, 8, seed=6)
    other = counts.copy()
    other[-1] = counts[-1, ::-1]

    # The last month is scored and never fitted: moved, it changes scores by its own term alone.
    first, second = (choose_bandwidth(c[:7], grid).scores for c in (counts, other))
    assert first == second
    assert choose_bandwidth(counts, grid).scores != choose_bandwidth(other, grid).scores


@pytest.mark.parametrize("counts", [np.ones((3, 4)), np.zeros((6, 4)), np.eye(6, 4, k=-3)])
def test_a_history_too_short_is_told(counts: np.ndarray) -> None:
    with pytest.raises(SourceError, match="Bring a longer history"):
        choose_bandwidth(counts, open_land(2))
