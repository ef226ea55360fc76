"""Scores that are too good to be honest: above what knowing the true intensity would give.

Belongs here: the alarm where the intensity is known, and where it can only be bracketed. Does not:
the ceilings (`ceilings`, `ceiling_simulation`, `plug_in`), rules on rows (`leak_battery`).

Where the intensity is known there are two alarms, and each has a stated rate of false ones.

*Likelihood.* A forecast made without its truth has, against the true intensity, a likelihood ratio
whose expectation is at most 1, whatever the model; so it exceeds K with probability 1 / K at most
(Markov). The likelihood is that of where incidents fell, given how many there were on each day,
which no shock of the whole day can move.

*Ranking.* AUC, average precision and PAI of the model against those of 200 draws from the
intensity: higher than every draw, and than their mean by as many standard deviations as a normal
tail of the stated rate.

On real data the intensity is not known. Then the alarm compares with the upper end of the plug-in
bracket, a forecast that has seen the very counts it is scored on, by a paired bootstrap of weeks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from htrisk_dagster.evaluation import week_replicates
from htrisk_dagster.evaluation.bootstrap import draw_weeks, percentile_interval, week_of_day
from htrisk_dagster.evaluation.ceiling_simulation import N_DRAWS, simulated_scores
from htrisk_dagster.evaluation.comparison import point_values
from htrisk_dagster.evaluation.pairs import checked_pair
from htrisk_dagster.schemas.finding import Finding

FALSE_ALARMS = 0.001
"""Rate of false alarms over all models and metrics of one call."""

RANKED = ("auc", "average_precision", "pai_5pct")
_FEWEST_WEEKS = 4


def log_place_likelihood(counts: ArrayLike, expected: ArrayLike) -> float:
    """Log-likelihood of where incidents fell, given how many there were on each day, in nats.

    The multinomial's, without the term that all forecasts share.
    """
    observed, forecast = checked_pair(counts, expected)
    share = forecast / forecast.sum(axis=1, keepdims=True)
    return float((observed * np.log(share)).sum())


def no_forecast_is_beyond(
    counts: ArrayLike,
    forecasts: Mapping[str, ArrayLike],
    *,
    intensity: ArrayLike,
    day_shock: NDArray[np.float64] | None = None,
    n_draws: int = N_DRAWS,
    seed: int,
) -> Finding:
    """No model does better than the true intensity, but by a luck of 1 in 1,000.

    Parameters
    ----------
    counts : array, shape (D, C)
    forecasts : dict of str to array (D, C)
        Models by name; no ceiling among them.
    intensity : array, shape (D, C)
        True expected counts, given all that happened before each day.
    day_shock : float64, shape (D,), optional
        Factors of the days that came, which nobody could know; counts are drawn with them.
    n_draws, seed : int
        Of the draws from the intensity.
    """
    from scipy.stats import norm

    observed, true = checked_pair(counts, intensity)
    rate = FALSE_ALARMS / (2 * max(len(forecasts), 1))
    best = log_place_likelihood(observed, true)
    drawn = true if day_shock is None else true * day_shock[:, None]
    # Average precision is higher where ties are broken, at random even; a model has none.
    untied = true * (1 + 1e-9 * np.random.default_rng(seed).random(true.shape))
    scores = simulated_scores(drawn, {"": untied}, reference=true, n_draws=n_draws, seed=seed)[""]
    height = float(norm.isf(rate / len(RANKED)))
    figures: dict[str, float] = {}
    for name, expected in forecasts.items():
        ratio = log_place_likelihood(observed, expected) - best
        figures[f"{name}_log_likelihood_ratio"] = ratio
        if ratio > -math.log(rate):
            return Finding(
                False,
                f"Model '{name}' says better where incidents fell than the true intensity, by {ratio:.1f} "
                f"nats; chance gives {-math.log(rate):.1f} once in {1 / rate:,.0f} times. Look for the leak.",
                figures,
            )
        values = point_values(observed, expected)
        for metric in RANKED:
            draws = scores[metric][np.isfinite(scores[metric])]
            if not draws.size or math.isnan(values[metric]):
                continue
            limit = max(float(draws.max()), float(draws.mean() + height * draws.std()))
            if values[metric] > limit:
                return Finding(
                    False,
                    f"Model '{name}' has {metric} {values[metric]:.4f}; the true intensity gives "
                    f"{draws.mean():.4f} and by luck {limit:.4f}. Look for the leak.",
                    figures,
                )
    return Finding(True, f"None of {len(forecasts)} models is above the ceiling.", figures)


def no_forecast_is_beyond_plug_in(
    counts: ArrayLike,
    forecasts: Mapping[str, ArrayLike],
    *,
    upper: ArrayLike,
    n_resamples: int = 500,
    seed: int,
) -> Finding:
    """No model's AUC is surely above that of the plug-in bracket's upper end.

    Surely: the paired 95% bootstrap interval of the difference lies above 0. Weeks are resampled;
    days, where there are fewer than four weeks, which makes the interval too narrow.

    Parameters
    ----------
    counts : array, shape (D, C)
    forecasts : dict of str to array (D, C)
    upper : array, shape (D, C)
        In-sample estimate of the intensity (`plug_in`).
    """
    observed, highest = checked_pair(counts, upper)
    block = week_of_day(len(observed))
    if block[-1] + 1 < _FEWEST_WEEKS:
        block = np.arange(len(observed))
    draws = draw_weeks(int(block[-1]) + 1, n_resamples=n_resamples, seed=seed)

    def replicates(forecast: NDArray[np.float64]) -> NDArray[np.float64]:
        return week_replicates.auc_replicates(observed, forecast, draws, block=block)

    bound = replicates(highest)
    figures: dict[str, float] = {}
    for name, expected in forecasts.items():
        own = replicates(checked_pair(observed, expected)[1])
        low, high = percentile_interval(own - bound)
        figures[f"{name}_auc_over_bracket"] = float(np.nanmean(own - bound))
        if low > 0:
            return Finding(
                False,
                f"The AUC of model '{name}' lies {low:.4f} to {high:.4f} above that of an estimate that has "
                "seen the counts it is scored on. Look for the leak.",
                figures,
            )
    return Finding(
        True, f"None of {len(forecasts)} models is surely above the plug-in bracket.", figures
    )
