"""The stack: one forecast out of all models', weighted by what they did on blind folds.

Belongs here: the weights, the combination, and its own blind forecasts of the folds. Does not: the
models (`models`), the choice between the stack and its members (`champion`).

A log-linear pool (Genest and Zidek 1986, doi 10.1214/ss/1177013825):

    log E = level + log E_anchor + sum_m d_m log E_m,    weights w_anchor = 1 + d_anchor, w_m = d_m

with w >= 0, fitted by Poisson likelihood. Weights need not sum to 1: the sum is a slope, which
recalibrates. The prior of the weights is normal around the anchor alone, that of their sum around
1: with few incidents the stack is its anchor, the model that is best when little is known. Its level
is the anchor's too, as far as the folds do not show a lasting error of it
(`poisson_posterior.lasting_level`): the anchor follows the city's level, and the last season's error
is not the next one's.

Time is kept: each day of a fold is combined with weights fitted on days before it, so that the
stack's fold forecasts are as blind as its members' and it competes on equal terms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.evaluation.poisson_posterior import (
    lasting_level,
    posterior_mode,
    weekly_overdispersion,
)
from htrisk_dagster.evaluation.scored_fold import ScoredFold, model_names
from htrisk_dagster.models.artifacts import json_bytes, json_state

Array = NDArray[np.float64]

STACK = "stack"
ANCHOR = "empirical_bayes"
_FILE = "stack.json"
# Prior standard deviation of a weight. Where two models' logs differ by 0.3, n incidents tell as
# much of their weights as the prior does at n = (0.3 * 0.3)^-2 = 120.
_WEIGHT_SD = 0.3
# Of the sum of weights, which is a slope: as in `recalibration`.
_SUM_SD = 0.1
_SMALLEST_WEIGHT = 1e-9
_SMALLEST_SHOWN = 0.005
_REFIT_DAYS = 14


@dataclass(frozen=True)
class Stack:
    """A log-linear pool of forecasts.

    Parameters
    ----------
    weights : dict of str to float
        By model, 0 or above, every model that was offered.
    level : float
        Added to the weighted sum of logs.
    """

    weights: Mapping[str, float]
    level: float

    def combine(self, forecasts: Mapping[str, Array]) -> Array:
        """Expected counts of the stack, in the shape of its members'.

        Raises
        ------
        ValueError
            Where a member with weight is not among the forecasts.
        """
        absent = [name for name in self.members if name not in forecasts]
        if absent:
            raise ValueError(
                f"The stack needs the forecasts of {', '.join(absent)}, which are not given. "
                "Forecast the day with every model of the stack."
            )
        logs = (self.weights[name] * np.log(forecasts[name]) for name in self.members)
        return np.asarray(np.exp(self.level + sum(logs)))

    @property
    def members(self) -> tuple[str, ...]:
        """Models with weight, the heaviest first."""
        heavy = (name for name, weight in self.weights.items() if weight > 0)
        return tuple(sorted(heavy, key=lambda name: (-self.weights[name], name)))

    def to_bytes(self) -> dict[str, bytes]:
        """One JSON file."""
        state = {"weights": dict(self.weights), "level": self.level}
        return {_FILE: json_bytes(state)}

    @classmethod
    def from_bytes(cls, files: Mapping[str, bytes]) -> Stack:
        """Read the stack of `to_bytes`."""
        state = json_state(files[_FILE])
        return cls(state["weights"], state["level"])

    @property
    def sentence(self) -> str:
        """Its members and weights in words."""
        shown = [n for n in self.members if self.weights[n] >= _SMALLEST_SHOWN]
        return ", ".join(f"{name} {self.weights[name]:.2f}" for name in shown)


def fit_stack(folds: Sequence[ScoredFold], *, anchor: str = ANCHOR) -> Stack:
    """Fit the weights on blind folds; without an incident they are the prior's.

    Parameters
    ----------
    folds : sequence of ScoredFold
        In order of time; all with the same models.
    anchor : str
        Model that the stack is where nothing is known.

    Raises
    ------
    ValueError
        Where there is no fold, folds differ in models, or the anchor is none of them.
    """
    names = model_names(folds)
    return _fit(*_in_one(folds, names), names, _checked(anchor, names))


def stack_folds(folds: Sequence[ScoredFold], *, gap_days: int, anchor: str = ANCHOR) -> list[Array]:
    """Forecast every fold with stacks that saw only the days before, in order of time.

    Every two weeks the weights are fitted anew on all days of the folds that lie `gap_days` before;
    until there are such days, the stack is its anchor.

    Parameters
    ----------
    folds : sequence of ScoredFold
        In order of time, their days adjoining.
    gap_days : int
        Days that a report may take to be known, as in `backtest.rolling_origin_folds`.
    """
    names = model_names(folds)
    counts, logs = _in_one(folds, names)
    alone = _fit(counts[:0], logs[:0], names, _checked(anchor, names))
    made = []
    for start in range(0, len(counts), _REFIT_DAYS):
        known = max(start - gap_days, 0)
        stack = _fit(counts[:known], logs[:known], names, anchor) if known else alone
        weights = np.array([stack.weights[name] for name in names])
        made.append(np.exp(stack.level + logs[start : start + _REFIT_DAYS] @ weights))
    ends = np.cumsum([len(fold.counts) for fold in folds])[:-1]
    return np.split(np.concatenate(made), ends)


def _in_one(folds: Sequence[ScoredFold], names: Sequence[str]) -> tuple[Array, Array]:
    """Counts (D, C) and logs of forecasts (D, C, M) of all folds, one after the other."""
    counts = np.concatenate([fold.counts for fold in folds]).astype(np.float64)
    forecasts = [np.stack([fold.forecasts[n] for n in names], axis=2) for fold in folds]
    return counts, np.log(np.concatenate(forecasts))


def _checked(anchor: str, names: Sequence[str]) -> str:
    if anchor not in names:
        raise ValueError(f"The stack's anchor '{anchor}' is none of {', '.join(names)}.")
    return anchor


def _fit(counts: Array, logs: Array, names: Sequence[str], anchor: str) -> Stack:
    if not counts.any():
        return Stack({name: float(name == anchor) for name in names}, 0.0)
    columns = logs.reshape(-1, len(names))
    base = columns[:, names.index(anchor)]
    # Centred where the incidents are expected, so that level and weights are nearly independent.
    expected = np.exp(base)
    centre = expected @ columns / expected.sum()
    lower = np.array([-np.inf, *(-1.0 if name == anchor else 0.0 for name in names)])
    overdispersion = weekly_overdispersion(counts, expected.reshape(counts.shape))
    level, *deviations = posterior_mode(
        np.concatenate([np.ones((len(columns), 1)), columns - centre], axis=1),
        counts.ravel(),
        offset=base,
        prior_mean=np.zeros(len(lower)),
        prior_precision=_precision(len(names)),
        lower=lower,
        overdispersion=overdispersion,
    ).tolist()
    level = _carried(level, columns - centre, deviations, counts, expected, overdispersion)
    weights = {n: d + float(n == anchor) for n, d in zip(names, deviations, strict=True)}
    # Weights that move no forecast are rounding of their bound.
    shown = {name: w if w > _SMALLEST_WEIGHT else 0.0 for name, w in weights.items()}
    # exp(level + anchor + sum d (log - centre)), written with plain logs.
    return Stack(shown, level - float(np.dot(deviations, centre)))


def _precision(n_models: int) -> Array:
    """Of the level, which is free, and of the weights: each by itself, and their sum."""
    precision = np.zeros((n_models + 1, n_models + 1))
    precision[1:, 1:] = np.eye(n_models) / _WEIGHT_SD**2 + 1 / _SUM_SD**2
    return precision


def _carried(
    level: float,
    centred: Array,
    deviations: Sequence[float],
    counts: Array,
    expected: Array,
    overdispersion: float,
) -> float:
    """Level at which the stack expects what its anchor did, and what of its error lasts.

    `centred` are the logs of the forecasts less their centre, (N, M), and `expected` the anchor's
    counts, (N,).
    """
    # What the weights alone change of the total is no error of the level.
    own = float(np.log((expected * np.exp(centred @ np.array(deviations))).sum() / expected.sum()))
    n_incidents = float(counts.sum())
    return lasting_level(level + own, len(counts), n_incidents, overdispersion) - own
