"""From the blind folds of all models to the one forecast that is published.

Belongs here: the order of stack, champion, recalibration and intervals, and the same order when a
day is forecast. Does not: any of the four (the modules beside this one), fitting models.

The champion's forecast is that of the chosen model, corrected in level and slope by what its folds
showed. The stack is not corrected again: the sum of its weights is a slope, and it has a level.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.evaluation.champion import ChampionChoice, choose_champion
from htrisk_dagster.evaluation.count_intervals import CountIntervals, fit_intervals
from htrisk_dagster.evaluation.recalibration import (
    Recalibration,
    fit_recalibration,
    recalibrated_folds,
)
from htrisk_dagster.evaluation.scored_fold import ScoredFold
from htrisk_dagster.evaluation.stacking import STACK, Stack, fit_stack, stack_folds
from htrisk_dagster.models.artifacts import json_bytes, json_state
from htrisk_dagster.models.count_model import MODEL_NAMES

Array = NDArray[np.float64]

CHAMPION = "champion"
FORECASTS = (*MODEL_NAMES, STACK, CHAMPION)
"""Names of the forecasts that every day gets: each model's, the stack's and the champion's."""

_FILE = "champion.json"


@dataclass(frozen=True)
class ChampionForecast:
    """What turns the forecasts of all models into the champion's and its intervals.

    Parameters
    ----------
    model : str
        The chosen model, `stack` among them.
    recalibration : Recalibration
    intervals : CountIntervals
        Of the champion's blind forecasts.
    """

    model: str
    recalibration: Recalibration
    intervals: CountIntervals

    def expected(self, forecasts: Mapping[str, Array], borough_index: NDArray[np.integer]) -> Array:
        """Give the champion's expected counts, shape (D, C).

        Parameters
        ----------
        forecasts : dict of str to array (D, C)
            The chosen model's at least.
        borough_index : int, shape (C,)
        """
        return self.recalibration.apply(forecasts[self.model], borough_index)

    def to_bytes(self) -> dict[str, bytes]:
        """One JSON file."""
        state = {
            "model": self.model,
            "recalibration": self.recalibration.as_state(),
            "intervals": self.intervals.as_state(),
        }
        return {_FILE: json_bytes(state)}

    @classmethod
    def from_bytes(cls, files: Mapping[str, bytes]) -> ChampionForecast:
        """Read `to_bytes`."""
        state = json_state(files[_FILE])
        return cls(
            state["model"],
            Recalibration.from_state(state["recalibration"]),
            CountIntervals.from_state(state["intervals"]),
        )


@dataclass(frozen=True)
class Ensemble:
    """Everything that the folds of all models decide.

    Parameters
    ----------
    stack : Stack
    choice : ChampionChoice
        Among the models and the stack.
    champion : ChampionForecast
    folds : tuple of ScoredFold
        The folds with the blind forecasts of `stack` and `champion` beside the models'.
    """

    stack: Stack
    choice: ChampionChoice
    champion: ChampionForecast
    folds: tuple[ScoredFold, ...]

    def extend(
        self, forecasts: Mapping[str, Array], borough_index: NDArray[np.integer]
    ) -> dict[str, Array]:
        """Forecasts of all models, with `stack` and `champion` added."""
        with_stack = {**forecasts, STACK: self.stack.combine(forecasts)}
        return {**with_stack, CHAMPION: self.champion.expected(with_stack, borough_index)}


def stacked(folds: Sequence[ScoredFold], *, gap_days: int) -> tuple[ScoredFold, ...]:
    """Return the folds with the stack's blind forecasts beside the models'."""
    blind = stack_folds(folds, gap_days=gap_days)
    return tuple(f.with_forecast(STACK, b) for f, b in zip(folds, blind, strict=True))


def crown(
    folds: Sequence[ScoredFold],
    borough_index: NDArray[np.integer],
    *,
    gap_days: int,
    n_resamples: int,
    seed: int,
) -> tuple[ChampionChoice, ChampionForecast, tuple[ScoredFold, ...]]:
    """Choose the champion among all forecasts of the folds, correct it, and learn its scatter.

    Parameters
    ----------
    folds : sequence of ScoredFold
        Blind, in order of time, the stack among the models.
    borough_index : int, shape (C,)
        Code of each cell's borough.
    gap_days : int
        Days that a report may take to be known.
    n_resamples, seed : int
        As in `choose_champion`.

    Returns
    -------
    choice, champion, folds
        The folds with the blind forecasts of `champion`.
    """
    choice = choose_champion(folds, n_resamples=n_resamples, seed=seed)
    model, recalibration = choice.champion, Recalibration()
    blind = [fold.forecasts[model] for fold in folds]
    if model != STACK:
        recalibration = fit_recalibration(folds, model, borough_index)
        blind = recalibrated_folds(folds, model, borough_index, gap_days=gap_days)
    intervals = fit_intervals([fold.counts for fold in folds], blind)
    crowned = tuple(f.with_forecast(CHAMPION, b) for f, b in zip(folds, blind, strict=True))
    return choice, ChampionForecast(model, recalibration, intervals), crowned


def assemble(
    folds: Sequence[ScoredFold],
    borough_index: NDArray[np.integer],
    *,
    gap_days: int,
    n_resamples: int = 1000,
    seed: int,
) -> Ensemble:
    """Stack, choose, correct and learn the scatter, all from blind folds.

    Parameters
    ----------
    folds : sequence of ScoredFold
        Blind forecasts of every model, in order of time.
    borough_index, gap_days, n_resamples, seed
        As in `crown`.

    Raises
    ------
    ValueError
        Where there is no fold, folds differ in models, or `stacking.ANCHOR` is none of them.
    """
    stack = fit_stack(folds)
    choice, champion, crowned = crown(
        stacked(folds, gap_days=gap_days),
        borough_index,
        gap_days=gap_days,
        n_resamples=n_resamples,
        seed=seed,
    )
    return Ensemble(stack, choice, champion, crowned)
