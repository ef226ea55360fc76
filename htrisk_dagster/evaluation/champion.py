"""Which model makes the map: the best on blind folds, if it is surely enough better than a baseline.

Belongs here: the choice and its reason. Does not: the test block, which the choice must never see;
registering the choice (`defs`).

The best of many on few incidents is often the luckiest (the winner's curse), so the rule asks for
more the less a model has behind it:

1. No model may be champion whose deviance on the folds is above the historical mean's.
2. Empirical Bayes is the fall-back. Another baseline takes its place only where it was better in 95
   of 100 resamples of weeks: of eight baselines one looks better by chance.
3. The stack must beat the fall-back in 50 of 100, and goes before the learners, which are among its
   members. Its weights are shrunk to empirical Bayes, so that with few incidents it is nearly the
   fall-back itself, and its folds understate it: their first weeks were forecast without weights.
4. A learner must beat the fall-back in 90 of 100.
5. Under four weeks of folds nothing is sure, and the fall-back stands.

Resamples are paired: all models meet the same weeks. The levels of baselines and learners are the
best of a few tried on 200 simulated cities of 20 to 4,000 incidents in the folds. Taking the lowest
deviance loses a sixteenth of the skill at 40 incidents; asking for 97.5 of all loses a thirtieth at
400; at 4,000 all rules choose alike. The stack's level is lower than those cities asked for (80):
in the first six cities of the skill suite it was better than every member on the days to come, and
asking for 80 passed it over in five.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.evaluation.bootstrap import draw_weeks, sum_by_week
from htrisk_dagster.evaluation.count_scores import deviance_terms
from htrisk_dagster.evaluation.pairs import checked_pair
from htrisk_dagster.evaluation.scored_fold import ScoredFold, model_names
from htrisk_dagster.evaluation.stacking import STACK

REFERENCE = "historical_mean"
FALL_BACK = "empirical_bayes"
BASELINES = (
    "historical_mean", "kde", "ewma", "kde_ewma", "prospective_hotspot", "etas", "risk_terrain",
    "empirical_bayes",
)  # fmt: skip

_SURE_BASELINE = 0.95
_SURE_LEARNER = 0.9
_SURE_STACK = 0.5
_FEWEST_WEEKS = 4


@dataclass(frozen=True)
class ChampionChoice:
    """Champion and challenger, and why.

    Parameters
    ----------
    champion : str
    challenger : str or None
        The next best by deviance; None where there is one model only.
    reason : str
        One sentence with the numbers that decided.
    deviances : dict of str to float
        Mean Poisson deviance per cell-day over all folds, best first.
    """

    champion: str
    challenger: str | None
    reason: str
    deviances: dict[str, float]


@dataclass(frozen=True)
class _Folds:
    """Deviance of each model by week, and the resamples of weeks."""

    by_week: Mapping[str, NDArray[np.float64]]
    deviances: Mapping[str, float]
    draws: NDArray[np.float64]

    def chance_better(self, name: str, other: str) -> float:
        """Share of resamples in which `name` has the lower deviance; 0 where weeks are too few."""
        if self.draws.shape[1] < _FEWEST_WEEKS:
            return 0.0
        return float((self.draws @ (self.by_week[name] - self.by_week[other]) < 0).mean())

    def better_than(self, other: str, names: Sequence[str]) -> str | None:
        """Best of `names` among those surely enough better than `other`."""
        return next((n for n in names if self.chance_better(n, other) >= asked_of(n)), None)


def asked_of(name: str) -> float:
    """Share of resamples in which a model must beat the fall-back."""
    if name in BASELINES:
        return _SURE_BASELINE
    return _SURE_STACK if name == STACK else _SURE_LEARNER


def choose_champion(
    folds: Sequence[ScoredFold],
    *,
    n_resamples: int,
    seed: int,
) -> ChampionChoice:
    """Choose the model of lowest mean Poisson deviance that is surely enough under the fall-back.

    Parameters
    ----------
    folds : sequence of ScoredFold
        Blind; weeks are counted within each fold.
    n_resamples, seed : int
        Of the block bootstrap by week.

    Raises
    ------
    ValueError
        Where there is no fold, folds differ in models, or no baseline is among them.
    """
    names = model_names(folds)
    baselines = [name for name in BASELINES if name in names]
    if not baselines:
        raise ValueError(
            f"None of the baselines {', '.join(BASELINES)} is among the models {', '.join(names)}."
        )
    scored = _scored(folds, names, n_resamples, seed)
    ranked = list(scored.deviances)
    reference = REFERENCE if REFERENCE in names else baselines[0]
    allowed = [n for n in ranked if scored.deviances[n] <= scored.deviances[reference]]
    fall_back = _fall_back(scored, [n for n in allowed if n in baselines], reference)
    under = [n for n in allowed if scored.deviances[n] < scored.deviances[fall_back]]
    # The stack first: the learners are among its members.
    rivals = sorted((n for n in under if n not in baselines), key=lambda n: n != STACK)
    champion = scored.better_than(fall_back, rivals) or fall_back
    challenger = next((name for name in ranked if name != champion), None)
    reason = _reason(scored, champion, fall_back, rivals)
    return ChampionChoice(champion, challenger, reason, dict(scored.deviances))


def _fall_back(scored: _Folds, baselines: Sequence[str], reference: str) -> str:
    """Empirical Bayes, unless it is worse than the reference or another is surely better."""
    usual = FALL_BACK if FALL_BACK in baselines else reference
    under = [n for n in baselines if scored.deviances[n] < scored.deviances[usual]]
    return scored.better_than(usual, under) or usual


def _scored(
    folds: Sequence[ScoredFold], names: Sequence[str], n_resamples: int, seed: int
) -> _Folds:
    by_week = {name: _weekly_deviance(folds, name) for name in names}
    cell_days = sum(fold.counts.size for fold in folds)
    # By name where equal, so that the choice never hangs on order of insertion.
    deviances = dict(
        sorted(
            ((n, float(w.sum() / cell_days)) for n, w in by_week.items()),
            key=lambda p: (p[1], p[0]),
        )
    )
    n_weeks = len(by_week[names[0]])
    return _Folds(by_week, deviances, draw_weeks(n_weeks, n_resamples=n_resamples, seed=seed))


def _weekly_deviance(folds: Sequence[ScoredFold], name: str) -> NDArray[np.float64]:
    sums = []
    for fold in folds:
        observed, forecast = checked_pair(fold.counts, fold.forecasts[name])
        sums.append(sum_by_week(deviance_terms(observed, forecast).sum(axis=1)))
    return np.concatenate(sums)


def _reason(scored: _Folds, champion: str, fall_back: str, rivals: Sequence[str]) -> str:
    of = scored.deviances
    level = f"mean Poisson deviance {of[fall_back]:.6g} per cell-day"
    if not rivals:
        return (
            f"{fall_back} is champion: it is the fall-back ({level}) and no learner and no stack "
            "had a lower one."
        )
    name = champion if champion in rivals else rivals[0]
    chance = 100 * scored.chance_better(name, fall_back)
    difference = (
        f"{of[name] - of[fall_back]:.3g} ({100 * (of[name] / of[fall_back] - 1):+.2f}%, better in "
        f"{chance:.0f} of 100 resamples of weeks)"
    )
    if champion in rivals:
        return (
            f"{champion} is champion: its deviance differs from that of the fall-back, "
            f"{fall_back} ({level}), by {difference}."
        )
    return (
        f"{fall_back} is champion: it is the fall-back ({level}) and the best other model, "
        f"{name}, differs by {difference}, under the {100 * asked_of(name):.0f} asked for."
    )
