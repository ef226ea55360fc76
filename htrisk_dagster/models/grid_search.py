"""Search of two tuning parameters on their grids, one given the other.

Belongs here: stepping along candidates. Does not: what is scored (`kde_ewma`, `etas`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial


def climb_pair(
    first: Sequence[float],
    second: Sequence[float],
    start: tuple[float, float],
    score: Callable[[float, float], float],
) -> tuple[float, float]:
    """Pair that no step along either grid betters, reached from `start`.

    Scores of one parameter are taken to rise to a single top given the other, so that a few
    candidates around it are tried and not all pairs; each pair is scored once at most.

    Parameters
    ----------
    first, second : sequence of float
        Candidates, ascending.
    start : tuple of float
        One of each.
    score : callable
        Higher is better.
    """
    known = cache(score)

    def turned(of_second: float, of_first: float) -> float:
        return known(of_first, of_second)

    here = start
    while True:
        second_best = _climb(second, here[1], partial(known, here[0]))
        first_best = _climb(first, here[0], partial(turned, second_best))
        if (first_best, second_best) == here:
            return here
        here = first_best, second_best


def _climb(candidates: Sequence[float], start: float, score: Callable[[float], float]) -> float:
    """Step from `start` to the better neighbour until neither is better."""
    here = candidates.index(start)
    while True:
        near = range(max(here - 1, 0), min(here + 2, len(candidates)))
        best = max(near, key=lambda i: score(candidates[i]))
        if score(candidates[best]) <= score(candidates[here]):
            return candidates[here]
        here = best
