"""How reported incidents relate to the density of places of a kind, such as liquor stores, by cell.

Belongs here: the regression of one count of places, judged on spatial blocks. Does not: the regression itself
(`block_poisson`), variables of context (`context_relation`), point patterns (`hotspots/cross_k`).

Incidents of a cell ~ Poisson(exposure x exp(group + b log(1 + places))): exp(b x log 2) is the ratio of
rates between a cell with one place and its like without. The interval is a jackknife over blocks, since
neighbours are alike; what the places add is judged on blocks that the fit has not seen. It is an
association of places: where there are more stores there are more visitors, transit and police as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.evaluation.block_poisson import fit_without_blocks, poisson_deviance

LEAST_BLOCKS = 8


@dataclass(frozen=True)
class PlaceRelation:
    """Ratio of rates of a cell with one place to one with none.

    Parameters
    ----------
    rate_ratio, low, high : float
        With its 95% interval.
    deviance_gain_pct : float
        Deviance on blocks that were left out, explained by the places; below 0 they mislead.
    cells, blocks : int
    """

    rate_ratio: float
    low: float
    high: float
    deviance_gain_pct: float
    cells: int
    blocks: int

    def sentence(self, places: str) -> str:
        """What was found, as an association."""
        unclear = (
            ", which no difference at all would also give" if self.low <= 1 <= self.high else ""
        )
        return (
            f"Cells with one of the {places} had {self.rate_ratio:.2f} times ({self.low:.2f} to "
            f"{self.high:.2f}) the reported incidents of their like without{unclear}; on blocks that were "
            f"left out this explains {self.deviance_gain_pct:.1f}% of the deviance. This is association at "
            "the level of places, not cause."
        )


def relate_places(
    counts: NDArray[np.float64],
    places: NDArray[np.float64],
    exposure: NDArray[np.float64],
    block: NDArray[np.int64],
    group: NDArray[np.int64] | None = None,
) -> PlaceRelation:
    """Relate incidents to places by cell.

    Parameters
    ----------
    counts, places : float64, shape (n,)
        Incidents and places of each cell.
    exposure : float64, shape (n,)
        Above 0: land x time.
    block : int64, shape (n,)
        Spatial block, 0 to G-1.
    group : int64, shape (n,), optional
        Level with a rate of its own, such as the borough.

    Raises
    ------
    ValueError
        Where there are fewer than 8 blocks, no incident, or no difference between cells.
    """
    n_blocks = len(np.unique(block))
    if n_blocks < LEAST_BLOCKS or not counts.any() or np.ptp(places) == 0:
        raise ValueError(
            f"{n_blocks} blocks, {counts.sum():g} incidents and {places.sum():g} places are too little to "
            f"relate them: give {LEAST_BLOCKS} blocks, incidents, and cells that differ."
        )
    level = np.zeros(len(counts), dtype=np.int64) if group is None else group
    levels = np.eye(int(level.max()) + 1)[level]
    design = np.column_stack([levels, np.log1p(places)])
    without = fit_without_blocks(levels, counts, exposure, block)
    fits = fit_without_blocks(design, counts, exposure, block)
    low, high = fits.interval(design.shape[1] - 1)
    before, after = (float(poisson_deviance(counts, f.out_of_block).sum()) for f in (without, fits))
    ratio, least, most = (float(2.0**b) for b in (fits.coefficients[-1], low, high))
    return PlaceRelation(
        ratio, least, most, 100.0 * (before - after) / before, len(counts), n_blocks
    )
