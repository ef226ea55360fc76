"""Whether cell-days with an incident were ranked above those without.

Belongs here: ROC AUC and average precision of y = (count > 0), with the prevalence that both must
be read beside. Does not: indices at a stated area (`hotspot_accuracy`).

Equal expectations count as ties, exactly: half a pair in AUC, one threshold in average precision.
Adding cells where nothing can happen raises AUC without a better forecast, and for rare events its
ceiling is (1 + Gini of the intensity) / 2: give it only with the set of cells and a baseline.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from htrisk_dagster.evaluation.pairs import checked_pair, ratio


def prevalence(counts: ArrayLike, expected: ArrayLike) -> float:
    """Share of cell-days with an incident; `expected` is checked, not used. NaN without any."""
    observed, _ = checked_pair(counts, expected)
    return ratio(int(np.count_nonzero(observed)), observed.size)


def positives_by_threshold(
    counts: NDArray[np.float64], expected: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cumulative tallies at each distinct expectation, highest first.

    Returns
    -------
    true_positives, flagged : int64, shape (number of distinct expectations,)
        Cell-days at or above the threshold with an incident, and all of them.
    """
    order = np.argsort(-expected, axis=None, kind="stable")
    ranked = expected.ravel()[order]
    last_of_tie = np.append(np.flatnonzero(np.diff(ranked)), ranked.size - 1)
    hits = np.cumsum(counts.ravel()[order] > 0, dtype=np.int64)
    return hits[last_of_tie], (last_of_tie + 1).astype(np.int64)


def roc_auc(counts: ArrayLike, expected: ArrayLike) -> float:
    """Area under the ROC curve, the chance that a cell-day with an incident outranks one without.

    Hanley and McNeil 1982, doi 10.1148/radiology.143.1.7063747, by the trapezoid over distinct
    thresholds. NaN where all cell-days have an incident or none has.
    """
    observed, forecast = checked_pair(counts, expected)
    if not observed.size:
        return math.nan
    hits, flagged = positives_by_threshold(observed, forecast)
    misses = flagged - hits
    width = np.diff(misses, prepend=0)
    twice_area = int((width * (hits + np.append(0, hits[:-1]))).sum())
    return ratio(twice_area, 2 * int(hits[-1]) * int(misses[-1]))


def average_precision(counts: ArrayLike, expected: ArrayLike) -> float:
    """Average precision: sum over thresholds of the gain in recall times the precision there.

    No interpolation, as in scikit-learn. A random ranking gives the prevalence. NaN without a
    cell-day that has an incident.
    """
    observed, forecast = checked_pair(counts, expected)
    if not observed.size:
        return math.nan
    hits, flagged = positives_by_threshold(observed, forecast)
    gained = np.diff(hits, prepend=0)
    return ratio(float((gained * hits / flagged).sum()), int(hits[-1]))
