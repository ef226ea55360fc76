"""Which model makes the map: the best on blind folds, if it is surely better than a baseline.

Belongs here: the choice and its reason. Does not: the test block, which the choice must never see;
registering the choice (`defs`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.evaluation.bootstrap import (
    draw_weeks,
    percentile_interval,
    ratio_replicates,
    sum_by_week,
)
from htrisk_dagster.evaluation.count_scores import deviance_terms
from htrisk_dagster.evaluation.pairs import checked_pair

BASELINES = (
    "historical_mean", "kde", "ewma", "kde_ewma", "prospective_hotspot", "etas", "risk_terrain",
    "empirical_bayes",
)  # fmt: skip


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


def choose_champion(
    folds: Sequence[ScoredFold],
    *,
    n_resamples: int,
    seed: int,
) -> ChampionChoice:
    """Choose the model of lowest mean Poisson deviance that is surely under the best baseline.

    A model is surely better where the paired 95% block-bootstrap interval by week of its difference
    to the best baseline lies below 0. Weeks are counted within each fold. Where no model is, the
    best baseline stays champion: it is simpler, and the difference is within noise.

    Raises
    ------
    ValueError
        Where there is no fold, folds differ in models, or no baseline is among them.
    """
    names = _model_names(folds)
    known = [name for name in BASELINES if name in names]
    if not known:
        raise ValueError(
            f"None of the baselines {', '.join(BASELINES)} is among the models {', '.join(names)}."
        )
    by_week = {name: _weekly_deviance(folds, name) for name in names}
    cell_days = np.concatenate(
        [sum_by_week(np.full(len(f.counts), float(f.counts.shape[1]))) for f in folds]
    )
    total = cell_days.sum()
    # By name where equal, so that the choice never hangs on order of insertion; of equal baselines
    # the first of `BASELINES`, the simplest, stands.
    deviances = dict(
        sorted(
            ((n, float(w.sum() / total)) for n, w in by_week.items()), key=lambda p: (p[1], p[0])
        )
    )
    baseline = min(known, key=lambda name: deviances[name])
    draws = draw_weeks(len(cell_days), n_resamples=n_resamples, seed=seed)

    # Beside each model that is under the best baseline: the interval of its difference.
    rivals = {
        name: percentile_interval(
            ratio_replicates(draws, by_week[name] - by_week[baseline], cell_days)
        )
        for name in deviances
        if name not in known and deviances[name] < deviances[baseline]
    }
    champion = next((name for name, (_, high) in rivals.items() if high < 0), baseline)
    challenger = next((name for name in deviances if name != champion), None)
    reason = _reason(champion, baseline, rivals, deviances)
    return ChampionChoice(champion, challenger, reason, deviances)


def _model_names(folds: Sequence[ScoredFold]) -> list[str]:
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


def _weekly_deviance(folds: Sequence[ScoredFold], name: str) -> NDArray[np.float64]:
    sums = []
    for fold in folds:
        observed, forecast = checked_pair(fold.counts, fold.forecasts[name])
        sums.append(sum_by_week(deviance_terms(observed, forecast).sum(axis=1)))
    return np.concatenate(sums)


def _reason(
    champion: str,
    baseline: str,
    rivals: Mapping[str, tuple[float, float]],
    deviances: Mapping[str, float],
) -> str:
    level = f"mean Poisson deviance {deviances[baseline]:.6g} per cell-day"
    if not rivals:
        return (
            f"{baseline} is champion: it is the best baseline ({level}) and no other model had a "
            "lower one."
        )
    name = champion if champion in rivals else next(iter(rivals))
    low, high = rivals[name]
    change = 100 * (deviances[name] / deviances[baseline] - 1)
    difference = (
        f"{deviances[name] - deviances[baseline]:.3g} ({change:+.2f}%, 95% interval by week "
        f"{low:.3g} to {high:.3g})"
    )
    if champion in rivals:
        return (
            f"{champion} is champion: its deviance differs from that of the best baseline, "
            f"{baseline} ({level}), by {difference}, which excludes 0."
        )
    return (
        f"{baseline} is champion: it is the best baseline ({level}) and the best other model, "
        f"{name}, differs by {difference}, which does not exclude 0."
    )
