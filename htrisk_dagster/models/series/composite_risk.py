"""One score of areas from how much is expected and how it has moved, with its weights open to doubt.

Belongs here: volume, momentum, the score, and how its ranks change with the weights. Does not: the
forecast (`hierarchical_smoothing` and the models beside it), staffing (`staffing`).

    volume    expected reports of the next three months
    momentum  log of that over the reports of the same months a year before, shrunk to the mean of all
              areas by what counting noise would give alone
    score     100 x (0.7 x percentile of volume + 0.3 x percentile of momentum)

Percentiles keep one large area from ruling the scale. No theory gives the weights: 0.7 and 0.3 say that a
place with many reports needs more than one with a rise. So the score stands with the ranks that every weight
from 0 to 1 gives: an area's best and worst rank, and Spearman's correlation with the ranks as stated.
It is a unitless rank of places for planning, no probability, and says nothing of persons.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from htrisk_dagster.models.series.panel import Array
from htrisk_dagster.schemas.series import COMPOSITE_RISK

VOLUME_WEIGHT = 0.7
MOMENTUM_MONTHS = 3
WEIGHTS = tuple(np.linspace(0.0, 1.0, 11).round(1).tolist())
NEAR_WEIGHTS = (0.5, 0.6, 0.8, 0.9)
"""Weights within 0.2 of the stated one, over which the table gives the least rank correlation."""


@dataclass(frozen=True, eq=False)
class CompositeRisk:
    """Scores of areas.

    Parameters
    ----------
    volume, momentum, score : float64, shape (S,)
    ranks : int64, shape (W, S)
        By weight of `WEIGHTS`; 1 is the highest score.
    correlation : dict of float to float
        Spearman's, of the ranks at a weight with those as stated.
    """

    volume: Array
    momentum: Array
    score: Array
    ranks: np.ndarray
    correlation: dict[float, float]


def percentile(values: Array) -> Array:
    """Share of areas with a smaller value, half of those with the same counted, 0 to 1."""
    from scipy.stats import rankdata

    return np.asarray((rankdata(values) - 0.5) / len(values))


def momentum(expected: Array, year_before: Array) -> Array:
    """Log ratio of expected counts to those of the year before, shrunk by counting noise, shape (S,).

    The counts of the year before have variance 1 / count on the log scale; what areas differ by beyond
    that is kept (normal-normal empirical Bayes by moments, half a report added).
    """
    change = np.log(expected + 0.5) - np.log(year_before + 0.5)
    noise = 1.0 / (year_before + 0.5)
    weight = 1.0 / noise
    mean = float((weight * change).sum() / weight.sum())
    between = max(float(np.mean(np.square(change - mean) - noise)), 0.0)
    return np.asarray(mean + between / (between + noise) * (change - mean))


def score_areas(expected: Array, year_before: Array) -> CompositeRisk:
    """Score areas from expected counts and those of the same months a year before, both (S,).

    Raises
    ------
    ValueError
        Where the two differ in shape, or there is no area.
    """
    from scipy.stats import rankdata, spearmanr

    if expected.shape != year_before.shape or not expected.size:
        raise ValueError(
            f"Expected counts of {expected.shape} and counts of {year_before.shape} must be of the same "
            "areas, one at least."
        )
    moved = momentum(expected, year_before)
    of_volume, of_momentum = percentile(expected), percentile(moved)

    def at(weight: float) -> Array:
        return np.asarray(100.0 * (weight * of_volume + (1.0 - weight) * of_momentum))

    stated = at(VOLUME_WEIGHT)
    ranks = np.stack([rankdata(-at(w), method="min") for w in WEIGHTS]).astype(np.int64)
    # Ranks that are all equal, as where no area has moved beyond noise, say nothing of any other.
    correlation = {
        w: float(spearmanr(at(w), stated)[0]) if np.ptp(at(w)) > 0 < np.ptp(stated) else 0.0
        for w in WEIGHTS
    }
    return CompositeRisk(expected, moved, stated, ranks, correlation)


def composite_table(
    areas: tuple[str, ...],
    period_on: np.datetime64,
    found: CompositeRisk,
    *,
    known_before: date,
    precincts: Sequence[int | None],
) -> pl.DataFrame:
    """As `schemas.series.COMPOSITE_RISK`, one row an area.

    Parameters
    ----------
    areas : tuple of str
        Names of the S places.
    period_on : datetime64
        First month that is scored.
    found : CompositeRisk
    known_before : date
        First day whose reports were not used.
    precincts : sequence of int or None
        Number of each place on the map.
    """
    from scipy.stats import rankdata

    n = len(areas)
    return COMPOSITE_RISK.conform(
        pl.DataFrame(
            {
                "place": areas,
                "precinct": precincts,
                "known_before_on": [known_before] * n,
                "period_on": np.full(n, period_on),
                "expected_count": found.volume,
                "momentum_log": found.momentum,
                "volume_weight": np.full(n, VOLUME_WEIGHT),
                "score": found.score,
                "score_rank": rankdata(-found.score, method="min"),
                "best_rank": found.ranks.min(axis=0),
                "worst_rank": found.ranks.max(axis=0),
                "near_rank_correlation": np.full(
                    n, min(found.correlation[w] for w in NEAR_WEIGHTS)
                ),
            }
        )
    )
