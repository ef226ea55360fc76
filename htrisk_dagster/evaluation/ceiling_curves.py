"""The curves that a forecast has in expectation where it is the true intensity: the ceilings.

Belongs here: ROC, precision-recall, PAI and calibration of an intensity. Does not: curves of
counts (`curves`), where the intensity comes from.

With a known intensity no ranking does better in expectation (Neyman and Pearson). With a blind
forecast in its place they are an estimate: what that forecast would reach if it were exactly right.
Incidents of a cell-day are taken as Poisson, so that p = 1 - exp(-intensity).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from htrisk_dagster.evaluation.curves import MAX_POINTS, Curve
from htrisk_dagster.evaluation.pairs import checked_pair, probability_of_any


def ceiling_curves(intensity: ArrayLike) -> tuple[Curve, ...]:
    """Make the four curves of `curves.all_curves` that the true intensity has in expectation.

    Parameters
    ----------
    intensity : array, shape (D, C)
        Expected incidents by day and cell, above 0.
    """
    true, _ = checked_pair(intensity, intensity)
    p = -np.sort(-probability_of_any(true).ravel())
    hits, misses = np.cumsum(p), np.cumsum(1 - p)
    recall = hits / hits[-1]
    # Ranks at which recall passes an even grid: the curves turn where few are flagged.
    grid = np.linspace(0, 1, MAX_POINTS - 1)[1:]
    at = np.unique(np.append(np.searchsorted(recall, grid).clip(max=p.size - 1), p.size - 1))
    roc = Curve(
        "roc", "false positive rate", "recall",
        np.append(0, misses[at] / misses[-1]), np.append(0, recall[at]),
    )  # fmt: skip
    precision = Curve("precision_recall", "recall", "precision", recall[at], hits[at] / (at + 1))
    return roc, precision, _pai(true), _calibration(true)


def _pai(true: NDArray[np.float64]) -> Curve:
    n_cells = true.shape[1]
    taken = np.unique(np.geomspace(1, n_cells, min(n_cells, MAX_POINTS)).round()).astype(np.int64)
    held = (-np.sort(-true, axis=1)).sum(axis=0).cumsum()
    share = taken / n_cells
    return Curve(
        "pai_by_area", "share of area, %", "PAI", 100 * share, held[taken - 1] / held[-1] / share
    )


def _calibration(true: NDArray[np.float64]) -> Curve:
    ends = np.array([true.min(), true.max()])
    return Curve(
        "calibration",
        "expected incidents per cell-day",
        "reported incidents per cell-day",
        ends,
        ends,
    )
