"""The best that each metric can expect where the true intensity is known, in closed form.

Belongs here: expectations of metrics for a forecaster who knows the intensity, and a model's share
of them. Does not: what chance does to them on a finite block (`ceiling_simulation`), the ceiling
of someone who knows only what was reported (`filtering`), an estimate where nothing is known
(`plug_in`).

The intensity is the expected count of each day and cell given everything before the day, shape
(D, C). Ranking by it is optimal (Neyman and Pearson 1933), so no forecaster has a higher AUC,
average precision or PAI, nor a lower proper score, in expectation. In a city where only a share of
what happens is reported, give the intensity of reports: the ceiling of what can be *observed*.

Counts are Poisson, or negative binomial of `size` r around the intensity. Expectations of ratios
are taken as ratios of expectations, which differ in the order of 1 over the number of incidents.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from htrisk_dagster.evaluation.count_scores import information_gain, information_terms
from htrisk_dagster.evaluation.discrimination import roc_auc
from htrisk_dagster.evaluation.hotspot_accuracy import oracle_pai
from htrisk_dagster.evaluation.pairs import cells_in_budget, checked_pair, ratio
from htrisk_dagster.evaluation.predictive_distribution import (
    half_mean_difference,
    log_probability_of_none,
)

Array = NDArray[np.float64]

# Expectations that have no closed form are tabulated over log(intensity) and interpolated: with
# so many nodes the error is under 1e-5 of the value for any range that counts have.
_NODES = 4096


def checked_intensity(intensity: ArrayLike) -> Array:
    """Intensity as float64 of shape (D, C), refused where a value is not above 0."""
    true = np.asarray(intensity, dtype=np.float64)
    return checked_pair(np.zeros_like(true), true)[1]


def gini(intensity: ArrayLike) -> float:
    """Gini coefficient of the intensity over cell-days: 0 even, near 1 all in one place."""
    true = np.sort(checked_intensity(intensity), axis=None)
    rank = np.arange(1, true.size + 1)
    return float((2 * rank - true.size - 1) @ true / (true.size * true.sum()))


@dataclass(frozen=True)
class _Ranked:
    """Cell-days grouped by equal probability of any incident, highest first: sums by group."""

    n: Array
    p: Array
    p_squared: Array

    @classmethod
    def of(cls, intensity: ArrayLike, size: float) -> _Ranked:
        true = np.sort(checked_intensity(intensity), axis=None)[::-1]
        p = -np.expm1(log_probability_of_none(true, size))
        starts = np.flatnonzero(np.append(True, np.diff(true) != 0))
        sums = (np.add.reduceat(v, starts) for v in (np.ones_like(p), p, p * p))
        return cls(*sums)


def auc_ceiling(intensity: ArrayLike, *, size: float = math.inf) -> float:
    """AUC*: the chance that a cell-day with an incident has the higher intensity.

    The sum over pairs of p_i (1 - p_j) [1(p_i > p_j) + 1/2 1(p_i = p_j)] over that of
    p_i (1 - p_j), by one sort. For rare events it tends to (1 + `gini`) / 2.
    """
    groups = _Ranked.of(intensity, size)
    none = groups.n - groups.p
    beneath = none.sum() - np.cumsum(none)
    # A cell-day is no pair with itself.
    itself = float((groups.p - groups.p_squared).sum())
    won = float(groups.p @ (beneath + none / 2)) - itself / 2
    return ratio(won, float(groups.p.sum() * none.sum()) - itself)


def average_precision_ceiling(intensity: ArrayLike, *, size: float = math.inf) -> float:
    """AP*: the mean over incidents of the precision where the incident is found.

    An incident is itself one of those found there, which a sum of p alone would leave out; that
    counts where incidents are few. Equal intensities are one threshold, as in the metric.
    """
    groups = _Ranked.of(intensity, size)
    found, flagged = np.cumsum(groups.p), np.cumsum(groups.n)
    expected = ((groups.p * (1 + found) - groups.p_squared) / flagged).sum()
    return ratio(float(expected), float(groups.p.sum()))


def pai_ceiling(intensity: ArrayLike, *, share: float) -> float:
    """PAI*(share): the expected hit rate of each day's top cells, over their share of area."""
    return oracle_pai(checked_intensity(intensity), share=share)


def hit_rate_ceiling(intensity: ArrayLike, *, share: float) -> float:
    """Expected share of incidents in the top `share` of cells of their day."""
    n_cells = int(np.shape(intensity)[1])
    return pai_ceiling(intensity, share=share) * cells_in_budget(n_cells, share) / n_cells


def _probability(intensity: ArrayLike, size: float) -> Array:
    true = checked_intensity(intensity)
    return np.asarray(-np.expm1(log_probability_of_none(true, size)))


def _entropy(p: Array | float) -> Array:
    from scipy.special import entr

    return np.asarray(entr(p) + entr(1.0 - np.asarray(p)))


def log_loss_ceiling(intensity: ArrayLike, *, size: float = math.inf) -> float:
    """Mean entropy of any incident, H(p), in nats per cell-day: the least log loss."""
    return float(_entropy(_probability(intensity, size)).mean())


def brier_ceiling(intensity: ArrayLike, *, size: float = math.inf) -> float:
    """Mean of p (1 - p): the least Brier score."""
    p = _probability(intensity, size)
    return float((p * (1 - p)).mean())


def brier_skill_ceiling(intensity: ArrayLike, *, size: float = math.inf) -> float:
    """BSS*: one less mean p (1 - p) over that of the mean probability."""
    p = _probability(intensity, size)
    return 1.0 - ratio(float((p * (1 - p)).mean()), float(p.mean() * (1 - p.mean())))


def entropy_share_ceiling(intensity: ArrayLike, *, size: float = math.inf) -> float:
    """IG*: one less mean H(p) over H(mean p), the share of uncertainty that can be removed."""
    p = _probability(intensity, size)
    return 1.0 - ratio(float(_entropy(p).mean()), float(_entropy(float(p.mean()))))


def information_gain_ceiling(intensity: ArrayLike, *, reference: ArrayLike) -> float:
    """Expected bits per incident of the intensity over a reference forecast."""
    true = checked_intensity(intensity)
    _, base = checked_pair(np.zeros_like(true), reference)
    return ratio(float(information_terms(true, true, base).sum()), float(true.sum()))


def crps_ceiling(intensity: ArrayLike, *, size: float = math.inf) -> float:
    """Least expected CRPS: half of the mean difference of two counts, in incidents."""
    return float(half_mean_difference(checked_intensity(intensity), size).mean())


def deviance_ceiling(intensity: ArrayLike, *, size: float = math.inf) -> float:
    """Least expected Poisson deviance per cell-day, 2 (E[Y log Y] - m log m)."""
    from scipy.special import xlogy

    true = checked_intensity(intensity)
    growth = _expectation(lambda y: xlogy(y, y), true, size)
    return float(2 * (growth - true * np.log(true)).mean())


def log_score_ceiling(intensity: ArrayLike, *, size: float = math.inf) -> float:
    """Least expected Poisson log score, in nats per cell-day."""
    from scipy.special import gammaln

    true = checked_intensity(intensity)
    factorial = _expectation(lambda y: gammaln(y + 1), true, size)
    return float((true - true * np.log(true) + factorial).mean())


def _expectation(of: Callable[[Array], Array], intensity: Array, size: float) -> Array:
    """E[of(Y)] of each count, for a function that is 0 at counts of 0 and 1 and rises from there.

    Both E and the intensity span many powers of ten and E is near a power law of the intensity, so
    their logarithms are interpolated.
    """
    from scipy.stats import nbinom, poisson

    low, high = float(intensity.min()), float(intensity.max())
    mean = np.geomspace(low, high * (1 + 1e-12), _NODES) if high > low else np.array([low])
    is_poisson = math.isinf(size)
    top = poisson(high) if is_poisson else nbinom(size, size / (size + high))
    total = np.zeros_like(mean)
    for y in range(2, int(top.isf(1e-12)) + 3):
        pmf = poisson.pmf(y, mean) if is_poisson else nbinom.pmf(y, size, size / (size + mean))
        total += pmf * float(of(np.array(float(y))))
    log_total = np.log(np.maximum(total, 1e-300))
    return np.asarray(np.exp(np.interp(np.log(intensity), np.log(mean), log_total)))


def ceiling_values(
    intensity: ArrayLike, *, shares: dict[str, float], size: float = math.inf
) -> dict[str, float]:
    """Every ceiling that has a closed form, by the name of its metric in the comparison.

    Parameters
    ----------
    intensity : array, shape (D, C)
    shares : dict of str to float
        Shares of area by their label in the names, as `comparison.SHARES`.
    size : float
        Size r of the negative binomial; inf is the Poisson.
    """
    true = checked_intensity(intensity)
    return {
        "poisson_deviance": deviance_ceiling(true, size=size),
        "poisson_log_score": log_score_ceiling(true, size=size),
        **{f"pai_{label}": pai_ceiling(true, share=share) for label, share in shares.items()},
        **{
            f"hit_rate_{label}": hit_rate_ceiling(true, share=share)
            for label, share in shares.items()
        },
        "average_precision": average_precision_ceiling(true, size=size),
        "prevalence": float(_probability(true, size).mean()),
        "auc": auc_ceiling(true, size=size),
        "brier": brier_ceiling(true, size=size),
        "log_loss": log_loss_ceiling(true, size=size),
        "crps": crps_ceiling(true, size=size),
        "brier_skill": brier_skill_ceiling(true, size=size),
        "entropy_share": entropy_share_ceiling(true, size=size),
    }


def efficiency_auc(
    counts: ArrayLike, expected: ArrayLike, *, intensity: ArrayLike, on_counts: bool = False
) -> float:
    """Share of the AUC skill that can be had: (AUC - 1/2) / (AUC* - 1/2).

    Parameters
    ----------
    intensity : array, shape (D, C)
        The true one, or that of the filtering ceiling.
    on_counts : bool
        Measure the ceiling on the same counts instead of taking its expectation: both then share
        the luck of the block, so the ratio varies less where incidents are few.
    """
    best = roc_auc(counts, intensity) if on_counts else auc_ceiling(intensity)
    return ratio(roc_auc(counts, expected) - 0.5, best - 0.5)


def efficiency_information(
    counts: ArrayLike, expected: ArrayLike, *, intensity: ArrayLike, base: ArrayLike
) -> float:
    """Share of the information that can be had: (LL - LL_base) / (LL* - LL_base).

    Poisson log-likelihoods of the same counts; LL* is that of `intensity`. Below 0 is worse than
    the base. The base decides what the number means, so name it: see the two functions below.
    """
    gained = information_gain(counts, expected, reference=base)
    return ratio(gained, information_gain(counts, intensity, reference=base))


def efficiency_information_over_city_rate(
    counts: ArrayLike, expected: ArrayLike, *, intensity: ArrayLike, city_rate: float
) -> float:
    """`efficiency_information` over one constant rate for all cells and days.

    Knowing place counts for it, so a historical mean has a good share already.

    Parameters
    ----------
    city_rate : float
        Incidents per cell-day of the training part, known beforehand.
    """
    base = np.full(np.shape(counts), float(city_rate))
    return efficiency_information(counts, expected, intensity=intensity, base=base)


def efficiency_information_over_historical_mean(
    counts: ArrayLike, expected: ArrayLike, *, intensity: ArrayLike, historical_mean: ArrayLike
) -> float:
    """`efficiency_information` over each cell's training mean: 0 is what last year's map gives."""
    return efficiency_information(counts, expected, intensity=intensity, base=historical_mean)
