"""Kernel density of incidents on the cells of the grid, its bandwidth chosen on later months.

Belongs here: the edge correction and the choice of bandwidth. Does not: the kernel itself
(`grid/lattice_kernel.py`), which points may enter (`grid/location_quality.py`), clusters
(`density_clusters`).

A cell receives the mass that the kernel around each incident's cell puts into its square. Kernels
lose mass over water; each is divided by the share that falls on land (Jones 1993, "Simple boundary
correction for kernel density estimation", doi 10.1007/BF00147776; Diggle 1985), so the density sums
to the number of incidents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.errors import SourceError
from htrisk_dagster.grid.cells import Grid
from htrisk_dagster.grid.lattice_kernel import spread_on_lattice

Array = NDArray[np.float64]

# In a cell of 500 m the smallest spreads nothing: a dense series is best left where it is.
BANDWIDTHS_M = (75.0, 150.0, 250.0, 400.0, 600.0, 900.0, 1300.0, 2000.0, 3000.0, 5000.0)
LEAST_MONTHS = 4
# A cell far from every earlier incident still gets something: one surprise must not cost infinity.
UNIFORM_SHARE = 0.01


@dataclass(frozen=True)
class BandwidthChoice:
    """A bandwidth and the scores it was chosen by.

    Parameters
    ----------
    bandwidth_m : float
        Standard deviation of the kernel, the candidate with the highest score.
    scores : dict of float to float
        Held-out log likelihood of each candidate, nats an incident, less that of a map that spreads
        incidents evenly over land.
    held_out_incidents : int
        Incidents the scores are means over.
    """

    bandwidth_m: float
    scores: dict[float, float]
    held_out_incidents: int


def kernel_density(counts: Array, grid: Grid, bandwidth_m: float) -> Array:
    """Spread incidents over land with a Gaussian kernel.

    Parameters
    ----------
    counts : float, shape (..., C)
        Incidents by cell; they are taken to be at the cell's centre.
    grid : Grid
        C cells, of which `land_share` can hold incidents.
    bandwidth_m : float
        Standard deviation of the kernel, metres.

    Returns
    -------
    float, shape (..., C)
        Incidents a cell is due; sums to the sum of `counts` along the last axis.
    """
    row, col = grid.cells["row"].to_numpy(), grid.cells["col"].to_numpy()
    land = grid.cells["land_share"].to_numpy()
    bandwidth_cells = bandwidth_m / grid.cell_size_m

    def smoothed(values: Array) -> Array:
        return spread_on_lattice(values, row, col, bandwidth_cells)

    # The kernel is symmetric: what a cell's kernel puts on land is what land's would put on it.
    due: Array = land * smoothed(counts / smoothed(land))
    return due


def density(counts: Array, grid: Grid, bandwidth_m: float) -> Array:
    """The kernel's density with 1% of the incidents spread evenly over land, as bandwidths are scored.

    Parameters, shapes and sum as in `kernel_density`; every cell gets more than zero.
    """
    land = grid.cells["land_share"].to_numpy()
    even = counts.sum(axis=-1, keepdims=True) * land / land.sum()
    kernel = kernel_density(counts, grid, bandwidth_m)
    mixed: Array = (1 - UNIFORM_SHARE) * kernel + UNIFORM_SHARE * even
    return mixed


def choose_bandwidth(
    monthly_counts: Array, grid: Grid, candidates_m: Sequence[float] = BANDWIDTHS_M
) -> BandwidthChoice:
    """Choose the bandwidth under which each later month is likeliest, given the months before.

    Every month from the middle of the period on is held out in turn; the density of all earlier
    months, scaled to a month, is the mean of independent Poisson counts of the cells. Nothing is
    drawn, so there is no seed: the same counts give the same choice.

    Parameters
    ----------
    monthly_counts : float, shape (M, C)
        Incidents by month, in order of time, and cell.
    candidates_m : sequence of float
        Bandwidths to try, metres.

    Raises
    ------
    SourceError
        Where there are fewer than four months, or no incident before or in those held out.
    """
    n_months = len(monthly_counts)
    first = (n_months + 1) // 2
    held_out = monthly_counts[first:]
    earlier = np.cumsum(monthly_counts, axis=0)[first - 1 : -1]
    if n_months < LEAST_MONTHS or not earlier[:1].any() or not held_out.any():
        raise SourceError(
            f"A bandwidth needs {LEAST_MONTHS} months with incidents in both halves; there are {n_months} "
            f"months with {int(monthly_counts.sum())} incidents. Bring a longer history."
        )
    months_before = np.arange(first, n_months)[:, None]
    land = grid.cells["land_share"].to_numpy()
    level = earlier.sum(axis=1, keepdims=True) / months_before
    even = level * land / land.sum()
    reference = _log_likelihood(held_out, even)
    incidents = int(held_out.sum())
    scores = {}
    for bandwidth in candidates_m:
        mean = density(earlier, grid, bandwidth) / months_before
        scores[float(bandwidth)] = (_log_likelihood(held_out, mean) - reference) / incidents
    best = max(scores, key=lambda bandwidth: scores[bandwidth])
    return BandwidthChoice(best, scores, incidents)


def _log_likelihood(counts: Array, mean: Array) -> float:
    """Of independent Poisson counts, without the factorial, which no bandwidth changes."""
    happened = counts > 0
    return float((counts[happened] * np.log(mean[happened])).sum() - mean.sum())
