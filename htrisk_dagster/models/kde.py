"""Kernel density: the map of past incidents, smoothed as much as the data bear.

Belongs here: the surface and its bandwidth. Does not: the kernel on the lattice (`cell_lattice`),
what is recent (`kde_ewma`).

Retrospective hot-spot mapping by kernel density is the baseline of Chainey et al. (2008). Its
bandwidth matters more than its kernel; here it is the one under which each month of the training
days is likeliest given the density of all others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.models.artifacts import npz_arrays, npz_bytes
from htrisk_dagster.models.cell_lattice import CellLattice
from htrisk_dagster.models.count_model import FitResult, Progress, require_cells, training_counts

Array = NDArray[np.float64]

_FILE = "kde.npz"
# In cells. The smallest leaves every incident in its own.
BANDWIDTHS_CELLS = (0.15, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.7, 8.0, 11.0)
MONTH_DAYS = 28
# Fewer and longer parts would leave too little to smooth.
_LEAST_PARTS = 10
# A cell far from every incident still gets something: one surprise must not cost infinity.
EVEN_SHARE = 0.01


def density(counts: Array, lattice: CellLattice, bandwidth_cells: float) -> Array:
    """Smooth incidents over land, with a hundredth and half an incident spread evenly.

    Parameters
    ----------
    counts : float64, shape (..., C)
        Incidents, or rates, by cell.
    lattice : CellLattice
        Where the C cells lie.
    bandwidth_cells : float
        Standard deviation of the Gaussian kernel, in cells.

    Returns
    -------
    float64, shape (..., C)
        All above 0; sums over cells to what `counts` does, and to half an incident where that is 0.
    """
    total = counts.sum(axis=-1, keepdims=True)
    even = lattice.land / lattice.land.sum()
    kernel = lattice.spread(counts, bandwidth_cells)
    mixed = (1 - EVEN_SHARE) * np.maximum(kernel, 0.0) + (EVEN_SHARE * total + 0.5) * even
    wanted = np.where(total > 0, total, 0.5)
    result: Array = mixed * (wanted / mixed.sum(axis=-1, keepdims=True))
    return result


def choose_bandwidth(
    counts: NDArray[np.floating], lattice: CellLattice
) -> tuple[float, dict[float, float]]:
    """Bandwidth under which each month is likeliest, given the density of all other months.

    A short training is cut in tenths instead. Leaving out whole months, not single incidents, keeps
    a burst of a few days in one place from arguing for a kernel that only remembers.

    Parameters
    ----------
    counts : float, shape (D, C)
    lattice : CellLattice

    Returns
    -------
    bandwidth_cells : float
    scores : dict of float to float
        Held-out Poisson log likelihood of each candidate, without the factorial, nats an incident.
    """
    n_days = len(counts)
    n_parts = max(_LEAST_PARTS, round(n_days / MONTH_DAYS))
    edges = np.unique(np.linspace(0, n_days, n_parts + 1).astype(np.int64)[:-1])
    months = np.add.reduceat(counts, edges, axis=0, dtype=np.float64)
    days = np.diff(np.append(edges, n_days)).astype(np.float64)[:, None]
    others = months.sum(axis=0) - months
    per_month = days / np.maximum(n_days - days, 1)
    happened = months > 0
    scores = {}
    for bandwidth in BANDWIDTHS_CELLS:
        mean = density(others, lattice, bandwidth) * per_month
        likelihood = float((months[happened] * np.log(mean[happened])).sum() - mean.sum())
        scores[bandwidth] = likelihood / max(float(months.sum()), 1.0)
    return max(scores, key=lambda bandwidth: scores[bandwidth]), scores


@dataclass
class KernelDensity:
    """Training incidents smoothed over cells, the same for every day.

    References
    ----------
    Chainey, S., Tompson, L. and Uhlig, S. (2008). The utility of hotspot mapping for predicting
    spatial patterns of crime. Security Journal 21.
    """

    name: ClassVar[str] = "kde"
    _rates: Array = field(init=False, repr=False, default_factory=lambda: np.empty(0))

    def fit(self, block: CellDayBlock, *, seed: int, progress: Progress | None = None) -> FitResult:
        """Fit on all days of the block; nothing is drawn, so the seed changes nothing."""
        counts = training_counts(block)
        lattice = CellLattice.of_block(block, self.name)
        bandwidth, scores = choose_bandwidth(counts, lattice)
        totals = counts.sum(axis=0, dtype=np.float64)
        self._rates = density(totals, lattice, bandwidth) / block.n_days
        if progress is not None:
            progress("kernel density", 1, 1)
        params: dict[str, Any] = {
            "training_days": block.n_days,
            "training_incidents": int(totals.sum()),
            "bandwidth_cells": bandwidth,
            "held_out_log_likelihood": scores[bandwidth],
        }
        return FitResult(params)

    def predict(self, block: CellDayBlock) -> Array:
        """Give expected counts, shape (D, C)."""
        require_cells(self.name, len(self._rates), block)
        return np.tile(self._rates, (block.n_days, 1))

    def to_bytes(self) -> dict[str, bytes]:
        """One NPZ with the rate of each cell."""
        return {_FILE: npz_bytes({"rates": self._rates})}

    @classmethod
    def from_bytes(cls, files: Mapping[str, bytes]) -> Self:
        """Read what `to_bytes` wrote."""
        model = cls()
        model._rates = npz_arrays(files[_FILE])["rates"]
        return model
