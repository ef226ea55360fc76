"""Prospective hot-spotting: recent and near incidents weigh most, after Bowers, Johnson and Pease.

Belongs here: the weights in time and space, and the mixture with a background. Does not: decaying
weights that are estimated (`etas`), the lattice (`cell_lattice`).

A burglary nearby last week raises risk more than one two weeks ago or two streets on. The published
surface weighs an incident by 1 / (1 + weeks since) and 1 / (1 + cells between). It ranks places but
is no count, and is 0 where nothing happened of late: here it is mixed with the long-run rates, in
the proportion under which later days are likeliest, so that the sum is a calibrated count above 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.features.catalogue import TARGET_LAGS
from htrisk_dagster.models.artifacts import npz_arrays, npz_bytes
from htrisk_dagster.models.cell_lattice import CellLattice
from htrisk_dagster.models.count_model import (
    FitResult,
    Progress,
    require_cells,
    require_columns,
    training_counts,
)
from htrisk_dagster.models.historical_mean import mean_rates
from htrisk_dagster.models.recent_history import LAG_NAMES, lagged, later_days

Array = NDArray[np.float64]

_FILE = "prospective_hotspot.npz"
# 400 m in the paper; in cells of 500 m two of them, the next that tells near from nearer.
REACH_CELLS = 2
# One incident far from all recent ones must not cost infinity.
_LEAST_BACKGROUND = 0.01
_WEEK_WEIGHTS = 1.0 / (1 + np.arange(TARGET_LAGS) // 7)
_CELL_WEIGHTS = 1.0 / (1 + np.arange(REACH_CELLS + 1.0))


def prospective_surface(block: CellDayBlock, lattice: CellLattice) -> Array:
    """Sum of weights of the incidents of the last 28 days in and around each cell, shape (D, C).

    An incident of the last 7 known days weighs 1, of the 7 before 1/2, then 1/3 and 1/4; in the
    cell itself 1, in the 8 around 1/2, in the 16 around those 1/3; the two are multiplied.
    """
    near = lattice.rings(_CELL_WEIGHTS)
    recent = lagged(block, _WEEK_WEIGHTS)
    surface: Array = np.ascontiguousarray((near @ recent.T).T)
    return surface


def mixture(counts: NDArray[np.floating], background: Array, surface: Array) -> tuple[float, float]:
    """Weights a, g of a * background + g * surface under which the counts are likeliest.

    Expectation-maximisation for a sum of two Poisson intensities; at the maximum the expected total
    is the one that was counted.

    Parameters
    ----------
    counts : float, shape (D, C)
    background, surface : float64, broadcastable to (D, C)
        0 or above, `background` above 0.

    Returns
    -------
    a, g : float
        0 or above; 1 and 0 where nothing was counted.
    """
    shape = counts.shape
    hit = np.nonzero(counts)
    happened = counts[hit].astype(np.float64)
    if happened.size == 0:
        return 1.0, 0.0
    parts = [np.broadcast_to(part, shape)[hit] for part in (background, surface)]
    sums = [float(np.broadcast_to(part, shape).sum()) for part in (background, surface)]
    if sums[1] == 0:
        return float(happened.sum()) / sums[0], 0.0
    weights = [0.5 * float(happened.sum()) / total for total in sums]
    for _ in range(500):
        per_unit = happened / (weights[0] * parts[0] + weights[1] * parts[1])
        new = [
            weight * float((per_unit * part).sum()) / total
            for weight, part, total in zip(weights, parts, sums, strict=True)
        ]
        moved = max(abs(n - w) * total for n, w, total in zip(new, weights, sums, strict=True))
        weights = new
        if moved < 1e-6 * happened.sum():
            break
    return weights[0], weights[1]


@dataclass
class ProspectiveHotspot:
    """Near and recent incidents, mixed with each cell's long-run rate.

    References
    ----------
    Bowers, K., Johnson, S. and Pease, K. (2004). Prospective hot-spotting: the future of crime
    mapping? British Journal of Criminology 44.
    """

    name: ClassVar[str] = "prospective_hotspot"
    _background: Array = field(init=False, repr=False, default_factory=lambda: np.empty(0))
    _surface_weight: float = field(init=False, repr=False, default=0.0)
    _lattice: CellLattice | None = field(init=False, repr=False, default=None)

    def fit(self, block: CellDayBlock, *, seed: int, progress: Progress | None = None) -> FitResult:
        """Fit on all days of the block; nothing is drawn, so the seed changes nothing."""
        require_columns(self.name, block, LAG_NAMES)
        totals = training_counts(block).sum(axis=0, dtype=np.float64)
        self._lattice = CellLattice.of_block(block, self.name)
        earlier, later = later_days(block)
        before = mean_rates(training_counts(earlier).sum(axis=0, dtype=np.float64), earlier.n_days)
        surface = prospective_surface(later, self._lattice)
        background_weight, self._surface_weight = mixture(training_counts(later), before, surface)
        background_weight = max(background_weight, _LEAST_BACKGROUND)
        self._background = background_weight * mean_rates(totals, block.n_days)
        if progress is not None:
            progress("prospective hotspot", 1, 1)
        recent = self._surface_weight * surface.sum()
        long_run = background_weight * before.sum() * later.n_days
        params: dict[str, Any] = {
            "training_days": block.n_days,
            "training_incidents": int(totals.sum()),
            "background_weight": background_weight,
            "surface_weight": self._surface_weight,
            "surface_share": float(recent / (recent + long_run)),
        }
        return FitResult(params)

    def predict(self, block: CellDayBlock) -> Array:
        """Give expected counts, shape (D, C)."""
        require_cells(self.name, len(self._background), block)
        require_columns(self.name, block, LAG_NAMES)
        if self._lattice is None:
            raise ValueError(f"Model '{self.name}' is not fitted. Fit it before it predicts.")
        surface = prospective_surface(block, self._lattice)
        expected: Array = self._background + self._surface_weight * surface
        return expected

    def to_bytes(self) -> dict[str, bytes]:
        """One NPZ with the background, the weight of the surface and the squares of the cells."""
        lattice = {} if self._lattice is None else self._lattice.to_arrays()
        arrays = {
            "background": self._background,
            "surface_weight": np.array(self._surface_weight),
            **lattice,
        }
        return {_FILE: npz_bytes(arrays)}

    @classmethod
    def from_bytes(cls, files: Mapping[str, bytes]) -> Self:
        """Read what `to_bytes` wrote."""
        arrays = npz_arrays(files[_FILE])
        model = cls()
        model._background = arrays["background"]
        model._surface_weight = float(arrays["surface_weight"])
        model._lattice = CellLattice.from_arrays(arrays)
        return model
