"""Kernel density of 100,000 points at every cell, against scikit-learn's KernelDensity.

Ours smooths counts on the lattice; the usual way sums a kernel over points at each cell's centre.
Both take incidents at the centre of their cell here, so that there is one answer. What the
kernel puts into the sea stays there on both sides.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.city_inputs import incidents, read_grid, simulate
from benchmarks.sides import Answer, Row, Side, Target

N_POINTS, BANDWIDTH_M = 100_000, 750.0


def _incidents(folder: Path):
    return read_grid(folder), incidents(folder)["cell_id"][:N_POINTS].to_numpy()


def _ours(folder: Path) -> Callable[[], object]:
    import numpy as np
    from htrisk_dagster.grid.lattice_kernel import spread_on_lattice

    grid, cells = _incidents(folder)
    row, col = grid.cells["row"].to_numpy(), grid.cells["col"].to_numpy()
    bandwidth = BANDWIDTH_M / grid.cell_size_m

    def work() -> object:
        counts = np.bincount(cells, minlength=grid.n_cells).astype(float)
        return spread_on_lattice(counts, row, col, bandwidth)

    return work


def _sklearn(folder: Path) -> Callable[[], object]:
    import numpy as np
    from sklearn.neighbors import KernelDensity

    grid, cells = _incidents(folder)
    centres = grid.cells.select("x_m", "y_m").to_numpy()
    points = centres[cells]

    def work() -> object:
        fitted = KernelDensity(bandwidth=BANDWIDTH_M, kernel="gaussian").fit(points)
        log_density = fitted.score_samples(centres)
        return np.exp(log_density) * len(points) * grid.cell_size_m**2

    return work


def _answer(density: object) -> Answer:
    return {"density": density}  # type: ignore[dict-item]


def _same(ours: Answer, usual: Answer) -> str | None:
    """Within 4%: the mean of a kernel over a square of two thirds of its bandwidth is so much below its peak."""
    import numpy as np

    worst = float(np.abs(ours["density"] - usual["density"]).max() / usual["density"].max())
    return None if worst <= 0.04 else f"density differs by {worst:.1%} of its highest value"


ROW = Row(
    work="KDE of 100,000 points at 2,800 cells",
    prepare=simulate,
    ours=Side("spread_on_lattice", _ours, _answer),
    usual=Side("scikit-learn KernelDensity", _sklearn, _answer),
    same=_same,
    target=Target(ratio=1),
    note="The lattice kernel is the integral over a cell; the usual one is its value at the centre.",
)
