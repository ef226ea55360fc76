"""Intervals of counts whose width was learnt on blind folds, in order of time.

Belongs here: dispersion overall and by risk group, tails adjusted on the newest fold, the ends of an
interval. Does not: the negative binomial itself (`models/count_distribution`), how often a count lay
inside (`intervals`).

Three steps, none of them random:

1. One dispersion 1/r for all, likeliest on the folds but the newest, under an exponential prior of
   mean 1: from a handful of incidents the likeliest r can be anything.
2. One for each risk group that expects 200 incidents or more, shrunk to the one of all by how much
   the group can tell: at 1/r = 0 the information is the sum of mean^2 / 2 over its cell-days.
3. On the newest fold, the levels at which the tails are cut: split-conformal (Vovk et al. 2005),
   with time for the split and the probability integral transform for the score, since counts of
   different means are not exchangeable. A count spreads over [F(y - 1), F(y)] (Czado et al. 2009,
   doi 10.1111/j.1541-0420.2009.01191.x), which keeps discrete counts exact. The levels count as
   many incidents of "as stated" as two hundred.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.evaluation.predictive_distribution import pit_bounds, pit_mass
from htrisk_dagster.models.count_distribution import quantile

Array = NDArray[np.float64]

LEVELS = (0.5, 0.95)
_STATED = {level: ((1 - level) / 2, 1 - (1 - level) / 2) for level in LEVELS}
_MOST_GROUPS = 5
_GROUP_INCIDENTS = 200.0
_TAIL_INCIDENTS = 200.0
# How much 1/r differs between risk groups, beforehand.
_GROUP_SD = 0.5
_PRIOR_MEAN = 1.0
# Below this 1/r no forecast here can be told from a Poisson.
_SMALLEST_INVERSE = 1e-6


@dataclass(frozen=True)
class CountIntervals:
    """How wide counts scatter around an expected count.

    Parameters
    ----------
    size : float
        Size r of the negative binomial over all cell-days, inf for a Poisson.
    edges : tuple of float
        Expected counts that part the risk groups, ascending, G - 1 of them.
    sizes : tuple of float
        Size of each group, G of them.
    tails : dict of float to (float, float)
        Level of an interval to the probabilities at which its lower and upper tail are cut.
    """

    size: float
    edges: tuple[float, ...]
    sizes: tuple[float, ...]
    tails: dict[float, tuple[float, float]]

    @classmethod
    def of_size(cls, size: float) -> CountIntervals:
        """Intervals of one dispersion, cut where they are stated."""
        return cls(size, (), (size,), dict(_STATED))

    def group_of(self, expected: Array) -> NDArray[np.int64]:
        """0-based risk group of each expected count, the lowest first."""
        return np.searchsorted(np.array(self.edges), expected, side="right")

    def size_at(self, expected: Array) -> Array:
        """Size r at each expected count, in its shape."""
        return np.array(self.sizes)[self.group_of(expected)]

    def interval(
        self, expected: Array, level: float
    ) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Ends of the interval of each expected count, both included, in its shape.

        Raises
        ------
        ValueError
            Where the level is none that was calibrated.
        """
        if level not in self.tails:
            known = ", ".join(f"{each:g}" for each in self.tails)
            raise ValueError(f"Intervals were calibrated at {known}, not at {level:g}.")
        lower, upper = (np.zeros(expected.shape, dtype=np.int32) for _ in range(2))
        groups = self.group_of(expected)
        for group, size in enumerate(self.sizes):
            here = groups == group
            low, high = (quantile(expected[here], size, tail) for tail in self.tails[level])
            lower[here], upper[here] = low, high
        return lower, upper

    def as_state(self) -> dict[str, Any]:
        """The intervals as a JSON object; an infinite size is null."""
        return {
            "size": _or_null(self.size),
            "edges": list(self.edges),
            "sizes": [_or_null(size) for size in self.sizes],
            "tails": [[level, *ends] for level, ends in self.tails.items()],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> CountIntervals:
        """Read `as_state`."""
        return cls(
            _or_infinite(state["size"]),
            tuple(state["edges"]),
            tuple(_or_infinite(size) for size in state["sizes"]),
            {level: (low, high) for level, low, high in state["tails"]},
        )


def fit_intervals(
    counts: Sequence[NDArray[np.floating]], expected: Sequence[Array]
) -> CountIntervals:
    """Learn the scatter of counts around blind forecasts.

    Parameters
    ----------
    counts, expected : sequences of arrays (D, C)
        Counts and expected counts of each fold, in order of time. Of one fold alone only the
        dispersion is learnt.
    """
    older = slice(None, -1) if len(counts) > 1 else slice(None)
    y = np.concatenate([np.asarray(c, dtype=np.float64).ravel() for c in counts[older]])
    mean = np.concatenate([e.ravel() for e in expected[older]])
    overall = _probable_inverse(y, mean)
    edges = _edges(mean)
    groups = np.searchsorted(edges, mean, side="right")
    sizes = [_group_size(y[groups == g], mean[groups == g], overall) for g in range(len(edges) + 1)]
    found = CountIntervals(_size(overall), tuple(edges.tolist()), tuple(sizes), dict(_STATED))
    if len(counts) == 1:
        return found
    newest = np.asarray(counts[-1], dtype=np.float64).ravel(), expected[-1].ravel()
    steps = pit_bounds(*newest, found.size_at(newest[1]))
    tails = {
        level: tuple(_shrunk_level(*steps, tail, newest[0].sum()) for tail in ends)
        for level, ends in _STATED.items()
    }
    return CountIntervals(found.size, found.edges, found.sizes, tails)  # type: ignore[arg-type]


def probable_size(counts: NDArray[np.floating], mean: Array) -> float:
    """Most probable size r of a negative binomial, the prior of 1/r exponential with mean 1.

    Unlike `count_distribution.estimate_dispersion` it is no wild number where incidents are few.

    Parameters
    ----------
    counts, mean : arrays of one shape
        Counts, and expected counts above 0.

    Returns
    -------
    float
        Above 0; inf for a Poisson.
    """
    return _size(_probable_inverse(np.asarray(counts, dtype=np.float64).ravel(), mean.ravel()))


def _probable_inverse(counts: Array, mean: Array) -> float:
    from scipy.optimize import minimize_scalar
    from scipy.special import gammaln

    # The derivative of the log-posterior at 0; the prior costs 1 / mean.
    if ((np.square(counts - mean) - counts).sum()) / 2 <= 1 / _PRIOR_MEAN:
        return 0.0
    hit = counts > 0
    y, mu = counts[hit], mean[hit]

    def loss(log_inverse: float) -> float:
        inverse = math.exp(log_inverse)
        r = 1 / inverse
        hits = gammaln(y + r) - gammaln(r) - y * np.log(r + mu)
        return float(r * np.log1p(mean / r).sum() - hits.sum()) + inverse / _PRIOR_MEAN

    bounds = (math.log(_SMALLEST_INVERSE), math.log(1e3))
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6})
    return math.exp(float(found.x))


def _edges(mean: Array) -> Array:
    """Part cell-days so that each group expects as many incidents, `_GROUP_INCIDENTS` at least."""
    n_groups = int(min(_MOST_GROUPS, max(1.0, mean.sum() // _GROUP_INCIDENTS)))
    ordered = np.sort(mean)
    held = np.cumsum(ordered)
    at = np.searchsorted(held, held[-1] * np.arange(1, n_groups) / n_groups)
    return np.unique(ordered[at])


def _group_size(counts: Array, mean: Array, overall: float) -> float:
    information = float(np.square(mean).sum()) / 2
    weight = information / (information + _GROUP_SD**-2)
    return _size(weight * _probable_inverse(counts, mean) + (1 - weight) * overall)


def _shrunk_level(below: Array, upto: Array, tail: float, n_incidents: float) -> float:
    """Level u at which the transform, mixed with the uniform, has the share `tail` below it."""
    from scipy.optimize import brentq

    weight = n_incidents / (n_incidents + _TAIL_INCIDENTS)

    def excess(u: float) -> float:
        share = float(pit_mass(below, upto, u).mean())
        return weight * share + (1 - weight) * u - tail

    return float(brentq(excess, 0.0, 1.0, xtol=1e-9))


def _size(inverse: float) -> float:
    return math.inf if inverse < _SMALLEST_INVERSE else 1 / inverse


def _or_null(size: float) -> float | None:
    return None if math.isinf(size) else size


def _or_infinite(size: float | None) -> float:
    return math.inf if size is None else size
