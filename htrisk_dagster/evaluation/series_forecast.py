"""The coming year of area series: the champion's forecast with bands, and what it was worth.

Belongs here: which origins are blind, the choice, the forecast of the coming periods. Does not: its
steps (`series_rolling`, `series_choice`, `series_bands`), counts (`models/series/aggregation`).

The last months of the history, five years of them at most, are forecast blind, form and coefficients
chosen anew every two years, as far back as two seasons of training leave; from these come the champion, the
bands and the errors that stand beside them. Where the history is too short for errors far ahead, the
band of the farthest horizon that has them is widened as that of a random walk would be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from htrisk_dagster.evaluation.series_bands import LEAST_ORIGINS, SeriesBands, fit_bands
from htrisk_dagster.evaluation.series_choice import CHAMPION, NAIVE, SeriesChoice, choose
from htrisk_dagster.evaluation.series_rolling import Array, RollingForecasts, SeriesModel, roll
from htrisk_dagster.evaluation.series_scores import SeriesScore, score_series
from htrisk_dagster.models.series.hierarchical_smoothing import HierarchicalSmoothing
from htrisk_dagster.models.series.panel import SeriesPanel
from htrisk_dagster.models.series.univariate import SeasonalNaive, Univariate

HORIZON = 12
MOST_BLIND = 60
REFIT_EVERY = 24
HALF_LIFE = 6.0
"""Months after which an error counts half in a band: what blind origins chose on New York's precincts."""


@dataclass(frozen=True, eq=False)
class YearForecast:
    """Forecasts of the periods after a panel's last.

    Parameters
    ----------
    expected, low, high, naive : float64, shape (H, S)
        Champion, ends of its 95% band, and the seasonal naive forecast.
    choice : SeriesChoice
    scores : dict of str to list of SeriesScore
        One period ahead over the blind origins, by model and of the champion.
    blind : int
        Blind origins.
    """

    expected: Array
    low: Array
    high: Array
    naive: Array
    choice: SeriesChoice
    scores: dict[str, list[SeriesScore]]
    blind: int


def least_periods(season: int) -> int:
    """Periods under which no forecast is made: two seasons of training and the least blind origins."""
    return 2 * season + LEAST_ORIGINS


def series_models(*, with_sarimax: bool) -> list[SeriesModel]:
    """Models that a forecast chooses from, the seasonal naive one among them."""
    models: list[SeriesModel] = [
        HierarchicalSmoothing(), Univariate("ets"), Univariate("theta"), SeasonalNaive(),
    ]  # fmt: skip
    return [*models, Univariate("sarimax")] if with_sarimax else models


def forecast_year(
    panel: SeriesPanel, models: Sequence[SeriesModel], *, seed: int, horizon: int = HORIZON
) -> YearForecast:
    """Choose on blind origins, forecast the coming periods, and put bands around them.

    Parameters
    ----------
    panel : SeriesPanel
        Whole periods, all known.
    models : sequence of SeriesModel
        `NAIVE` among them.
    seed : int
        Of the simulated accuracy of noise.
    horizon : int
        Periods ahead.

    Raises
    ------
    ValueError
        Where the panel is shorter than `least_periods`.
    """
    n = panel.n_periods
    if n < least_periods(panel.season):
        raise ValueError(
            f"{n} whole periods are too few to forecast and to say how well; give "
            f"{least_periods(panel.season)}."
        )
    first = max(2 * panel.season, n - MOST_BLIND)
    fits = list(range(first, n, REFIT_EVERY))
    expected = {m.name: roll(m, panel, fits, n, horizon=horizon) for m in models}
    rolled = RollingForecasts(panel, np.arange(first, n), expected)
    choice = choose(rolled, [m for m in expected if m != NAIVE], known_before=n)
    rolled = rolled.with_model(CHAMPION, choice.forecast(expected))
    ahead = {m.name: m.fit(panel).forecast(panel, horizon) for m in models}
    middle = choice.forecast(ahead)
    low, high = _bands(rolled, n, horizon).ends(middle)
    counts = panel.counts[first:]
    scores = {
        name: score_series(
            counts, forecast[:, 0], rolled.expected[NAIVE][:, 0], panel.until(first), seed=seed
        )
        for name, forecast in rolled.expected.items()
    }
    return YearForecast(middle, low, high, ahead[NAIVE], choice, scores, n - first)


def _bands(rolled: RollingForecasts, origin: int, horizon: int) -> SeriesBands:
    n_known = int(min(horizon, len(rolled.origins) - LEAST_ORIGINS + 1))
    near = RollingForecasts(
        rolled.panel, rolled.origins, {CHAMPION: rolled.expected[CHAMPION][:, :n_known]}
    )
    bands = fit_bands(near, CHAMPION, origin=origin, half_life=HALF_LIFE)
    return bands.extended(horizon)
