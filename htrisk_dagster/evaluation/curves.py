"""Curves behind the metrics, thinned to a size that can be logged and drawn.

Belongs here: ROC, precision-recall, PAI by area and calibration as points. Does not: drawing, or a
number that is reported; those are computed from all points (`discrimination`, `hotspot_accuracy`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from htrisk_dagster.evaluation.calibration import reliability_table
from htrisk_dagster.evaluation.discrimination import positives_by_threshold
from htrisk_dagster.evaluation.hotspot_accuracy import counts_in_forecast_order
from htrisk_dagster.evaluation.pairs import checked_pair

MAX_POINTS = 200
_CALIBRATION_GROUPS = 20


@dataclass(frozen=True)
class Curve:
    """Points of one curve.

    Parameters
    ----------
    name : str
        `roc`, `precision_recall`, `pai_by_area` or `calibration`.
    x_title, y_title : str
        What the axes are, with units.
    x, y : float64, shape (n,), n <= MAX_POINTS
        In order of x; both empty where the curve is undefined.
    """

    name: str
    x_title: str
    y_title: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]


def _thin(n_points: int) -> NDArray[np.int64]:
    """Pick at most MAX_POINTS of `n_points` indices, evenly, first and last included."""
    return np.unique(np.linspace(0, n_points - 1, min(n_points, MAX_POINTS)).round()).astype(
        np.int64
    )


def roc_curve(counts: ArrayLike, expected: ArrayLike) -> Curve:
    """Share of cell-days with an incident flagged, by share of those without flagged."""
    hits, flagged = positives_by_threshold(*checked_pair(counts, expected))
    misses = flagged - hits
    if not hits[-1] or not misses[-1]:
        x = y = np.empty(0)
    else:
        keep = _thin(len(hits) + 1)
        x = np.append(0, misses)[keep] / misses[-1]
        y = np.append(0, hits)[keep] / hits[-1]
    return Curve("roc", "false positive rate", "recall", x, y)


def precision_recall_curve(counts: ArrayLike, expected: ArrayLike) -> Curve:
    """Share of flagged cell-days with an incident, by share of those with an incident flagged."""
    hits, flagged = positives_by_threshold(*checked_pair(counts, expected))
    if not hits[-1]:
        x = y = np.empty(0)
    else:
        # The curve turns where few are flagged, so points are spread over recall, not over ranks.
        first_at = np.searchsorted(hits, np.unique(hits[hits > 0]))
        keep = first_at[_thin(len(first_at))]
        x, y = hits[keep] / hits[-1], hits[keep] / flagged[keep]
    return Curve("precision_recall", "recall", "precision", x, y)


def pai_curve(counts: ArrayLike, expected: ArrayLike) -> Curve:
    """PAI by share of cells taken each day, from one cell to all, finer where few are taken."""
    observed, forecast = checked_pair(counts, expected)
    n_cells = observed.shape[1]
    taken = np.unique(np.geomspace(1, n_cells, min(n_cells, MAX_POINTS)).round()).astype(np.int64)
    share = taken / n_cells
    hits = counts_in_forecast_order(observed, forecast).sum(axis=0).cumsum()
    y = hits[taken - 1] / hits[-1] / share if hits[-1] else np.empty(0)
    return Curve("pai_by_area", "share of area, %", "PAI", 100 * share[: len(y)], y)


def calibration_curve(counts: ArrayLike, expected: ArrayLike) -> Curve:
    """Mean observed count by mean expected count in groups of risk, per cell-day."""
    table = reliability_table(counts, expected, n_groups=_CALIBRATION_GROUPS)
    size = table["cell_days_count"].to_numpy()
    return Curve(
        "calibration",
        "expected incidents per cell-day",
        "reported incidents per cell-day",
        table["expected_count"].to_numpy() / size,
        table["observed_count"].to_numpy() / size,
    )


def all_curves(counts: ArrayLike, expected: ArrayLike) -> tuple[Curve, ...]:
    """Make the four curves of one forecast."""
    makers = (roc_curve, precision_recall_curve, pai_curve, calibration_curve)
    return tuple(make(counts, expected) for make in makers)
