"""Blind folds of all models side by side: what was forecast, and what happened.

Belongs here: the shape in which folds meet those who learn from them. Does not: how a fold is run
(`backtest`), what is learnt (`champion`, `stacking`, `recalibration`, `count_intervals`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ScoredFold:
    """The truth of one fold's test days and what each model expected.

    Parameters
    ----------
    counts : array, shape (D, C)
    forecasts : dict of str to array (D, C)
        The same models in every fold.
    """

    counts: NDArray[np.floating]
    forecasts: Mapping[str, NDArray[np.float64]]

    def with_forecast(self, name: str, forecast: NDArray[np.float64]) -> ScoredFold:
        """The same fold with one more forecast."""
        return ScoredFold(self.counts, {**self.forecasts, name: forecast})


def model_names(folds: Sequence[ScoredFold]) -> list[str]:
    """Names of the models of every fold, in alphabetical order.

    Raises
    ------
    ValueError
        Where there is no fold, or folds differ in models.
    """
    if not folds:
        raise ValueError("A champion is chosen on one fold at least; there is none.")
    names = sorted(folds[0].forecasts)
    for number, fold in enumerate(folds):
        if sorted(fold.forecasts) != names:
            raise ValueError(
                f"Fold {number} has the models {', '.join(sorted(fold.forecasts))}, the first fold "
                f"{', '.join(names)}; run every model on every fold."
            )
    return names


def known_before(
    folds: Sequence[ScoredFold], number: int, *, gap_days: int
) -> tuple[ScoredFold, ...]:
    """Return the days of the folds before fold `number` that end `gap_days` before it starts.

    Parameters
    ----------
    folds : sequence of ScoredFold
        In order of time, their days adjoining.
    """
    found: list[ScoredFold] = []
    cut = gap_days
    for fold in reversed(folds[:number]):
        kept = max(len(fold.counts) - cut, 0)
        cut -= len(fold.counts) - kept
        if kept:
            forecasts = {name: forecast[:kept] for name, forecast in fold.forecasts.items()}
            found.append(ScoredFold(fold.counts[:kept], forecasts))
    return tuple(reversed(found))
