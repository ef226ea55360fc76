"""Every metric of a series forecast, beside what noise leaves of it and what the seasonal naive gets.

Belongs here: the rows of that table for one set of areas and periods. Does not: the metrics
(`series_errors`, `count_scores`), floors (`noise_floors`), coverage (`series_bands`).

The direction of a change has three yardsticks. Pure noise gives 3/4 to whoever forecasts its mean; but
these series wander, and who reverts to their mean gets less: so the null on the data is the forecast
that each area returns to the mean of its last season, scored on the same periods. The ceiling is
what the forecasts would get if they were the true means of Poisson counts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from htrisk_dagster.evaluation import noise_floors
from htrisk_dagster.evaluation.pairs import ratio
from htrisk_dagster.evaluation.series_errors import (
    directional_accuracy,
    mape,
    mase,
    seasonal_naive_mae,
)
from htrisk_dagster.evaluation.series_rolling import Array
from htrisk_dagster.models.series.panel import SeriesPanel

LEAST_MEAN_FOR_MAPE = 100.0
"""Reports a period under which a percentage error says little; by the mean of the training part."""


@dataclass(frozen=True)
class SeriesScore:
    """One metric.

    Parameters
    ----------
    metric : str
        Its name.
    value : float
        Of the forecast.
    noise : float
        What Poisson noise alone leaves of an error, or gives of an accuracy; NaN where it has none.
    naive : float
        Of the seasonal naive forecast.
    """

    metric: str
    value: float
    noise: float
    naive: float


def r_squared_within(counts: Array, expected: Array) -> float:
    """One less the squared error over that of each area's own mean of the scored periods.

    Pooled over areas with their own means, since differences between areas, which every forecast knows,
    would lift it to nearly 1. NaN where no count varies.
    """
    spread = float(np.square(counts - counts.mean(axis=0)).sum())
    return 1.0 - ratio(float(np.square(counts - expected).sum()), spread)


def score_series(
    counts: Array, expected: Array, naive: Array, training: SeriesPanel, *, seed: int
) -> list[SeriesScore]:
    """Score forecasts one period ahead of consecutive periods.

    Parameters
    ----------
    counts, expected, naive : float64, shape (T, S)
        Truth, the forecast and the seasonal naive forecast of the same periods.
    training : SeriesPanel
        Periods before them; the last one is where the first direction starts from.
    seed : int
        Of the simulation of directional accuracy.

    Returns
    -------
    list of SeriesScore
        MAE, RMSE, MAPE (areas of 100 or more a period), MASE, R squared within areas, directional
        accuracy.
    """
    scale = seasonal_naive_mae(training.counts, season=training.season)
    large = training.counts.mean(axis=0) > LEAST_MEAN_FOR_MAPE
    with_last = training.counts[-1:]

    def metrics(forecast: Array) -> Mapping[str, float]:
        error = np.abs(counts - forecast)
        return {
            "mae": float(error.mean()),
            "rmse": math.sqrt(float(np.square(error).mean())),
            "mape": mape(counts[:, large], forecast[:, large]) if large.any() else math.nan,
            "mase": mase(counts, forecast, training=training.counts, season=training.season),
            "r_squared": r_squared_within(counts, forecast),
            "directional_accuracy": directional_accuracy(
                np.vstack([with_last, counts]), np.vstack([forecast[:1], forecast])
            ),
        }

    own, other = metrics(expected), metrics(naive)
    least = noise_floors.mae_floor(expected)
    within = float(np.square(expected - expected.mean(axis=0)).mean())
    noise = {
        "mae": least,
        "rmse": noise_floors.rmse_floor(expected),
        "mape": noise_floors.mape_floor(expected[:, large]) if large.any() else math.nan,
        "mase": ratio(least, scale),
        "r_squared": ratio(within, within + float(expected.mean())),
        "directional_accuracy": noise_floors.directional_accuracy_of_noise(expected, seed=seed),
    }
    return [SeriesScore(m, own[m], noise[m], other[m]) for m in own]


def overdispersion_between_neighbours(weeks: SeriesPanel, *, least_mean: float = 25.0) -> float:
    """Variance over mean of weekly counts around the line through their neighbours.

    Second differences take out a level and a trend that move slowly, whatever made them (Gasser, Sroka and
    Jennen-Steinmetz 1986, doi 10.1093/biomet/73.3.625): independent counts give var(y[t-1] - 2 y[t] +
    y[t+1]) = 6 phi mean. It needs no model, so it says how much noise there is beyond Poisson's.
    Over areas with at least `least_mean` reports a week; NaN without one.
    """
    counts = weeks.counts[:, weeks.counts.mean(axis=0) >= least_mean]
    second = counts[2:] - 2.0 * counts[1:-1] + counts[:-2]
    return ratio(float(np.square(second).sum()), 6.0 * float(counts[1:-1].sum()))
