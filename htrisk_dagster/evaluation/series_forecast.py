"""The coming periods of area series: the champion's forecast with bands, and what it was worth.

Belongs here: which origins are blind, which models are asked, the choice, the forecast of the coming
periods. Does not: its steps (`series_rolling`, `series_choice`, `series_bands`), counts
(`models/series/aggregation`).

The last periods of the history are forecast blind, form and coefficients chosen anew at some of them, as
far back as two seasons of training leave; from these come the champion, the bands and the errors that
stand beside them. Where the history is too short for errors far ahead, the band of the farthest horizon
that has them is widened as that of a random walk would be.

Weeks and days are forecast as months are, with what their number forces: ETS knows no season of 52, a
SARIMAX of 52 takes minutes a series, and a level of years ago tells nothing of tomorrow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from htrisk_dagster.evaluation.series_bands import LEAST_ORIGINS, SeriesBands, fit_bands
from htrisk_dagster.evaluation.series_choice import CHAMPION, NAIVE, SeriesChoice, choose
from htrisk_dagster.evaluation.series_rolling import Array, RollingForecasts, SeriesModel, roll
from htrisk_dagster.evaluation.series_scores import SeriesScore, score_series
from htrisk_dagster.models.series.hierarchical_smoothing import HierarchicalSmoothing
from htrisk_dagster.models.series.panel import SEASON, Frequency, SeriesPanel
from htrisk_dagster.models.series.univariate import SeasonalNaive, Univariate
from htrisk_dagster.models.series.weekly_lstm import LEAST_WEEKS, WeeklyLSTM


@dataclass(frozen=True)
class Scheme:
    """How periods of one length are forecast.

    Parameters
    ----------
    horizon : int
        Periods ahead.
    most_blind : int
        Blind origins at most.
    refit_every : int
        Origins from one choice of form and coefficients to the next.
    half_life : float
        Periods after which an error counts half in a band.
    most_periods : int, optional
        Newest periods of the history that are read; all if not given.
    """

    horizon: int
    most_blind: int
    refit_every: int
    half_life: float
    most_periods: int | None = None


SCHEMES: Mapping[Frequency, Scheme] = {
    # The half-life of months is what blind origins chose on New York's precincts.
    "month": Scheme(horizon=12, most_blind=60, refit_every=24, half_life=6.0),
    "week": Scheme(horizon=52, most_blind=104, refit_every=52, half_life=26.0),
    "day": Scheme(horizon=31, most_blind=84, refit_every=42, half_life=28.0, most_periods=730),
}


@dataclass(frozen=True, eq=False)
class PanelForecast:
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


def least_periods(frequency: Frequency) -> int:
    """Periods under which no forecast is made: two seasons of training and the least blind origins."""
    return 2 * SEASON[frequency] + LEAST_ORIGINS


def first_blind(panel: SeriesPanel) -> int:
    """First blind origin of a panel."""
    return max(2 * panel.season, panel.n_periods - SCHEMES[panel.frequency].most_blind)


def series_models(panel: SeriesPanel, *, profile: str, seed: int) -> list[SeriesModel]:
    """Models that a forecast chooses from, the seasonal naive one among them.

    Parameters
    ----------
    panel : SeriesPanel
        What they are to forecast: the LSTM is asked where its first blind origin knows four years of weeks.
    profile : {"smoke", "quick", "full"}
        Training effort: the pooled model alone, those of seconds, or those of minutes for a city too.
        SARIMAX takes seconds a series: in months it is asked of the whole area with the quick ones.
    seed : int
        Of the LSTM.
    """
    models: list[SeriesModel] = [HierarchicalSmoothing(), SeasonalNaive()]
    if profile == "smoke":
        return models
    if panel.frequency == "month":
        models += [Univariate("ets"), Univariate("theta")]
        with_sarimax = profile == "full" or len(panel.areas) == 1
        return [*models, Univariate("sarimax")] if with_sarimax else models
    if profile == "full" and panel.frequency == "day":
        models += [Univariate("ets"), Univariate("theta")]
    elif profile == "full":
        models.append(Univariate("theta"))
        if first_blind(panel) >= LEAST_WEEKS and len(panel.areas) > 1:
            models.append(WeeklyLSTM(seed))
    return models


def forecast_panel(
    panel: SeriesPanel, models: Sequence[SeriesModel], *, seed: int
) -> PanelForecast:
    """Choose on blind origins, forecast the coming periods, and put bands around them.

    Parameters
    ----------
    panel : SeriesPanel
        Whole periods, all known.
    models : sequence of SeriesModel
        `NAIVE` among them.
    seed : int
        Of the simulated accuracy of noise.

    Raises
    ------
    ValueError
        Where the panel is shorter than `least_periods`.
    """
    n, scheme = panel.n_periods, SCHEMES[panel.frequency]
    horizon = scheme.horizon
    if n < least_periods(panel.frequency):
        raise ValueError(
            f"{n} whole periods are too few to forecast and to say how well; give "
            f"{least_periods(panel.frequency)}."
        )
    first = first_blind(panel)
    fits = list(range(first, n, scheme.refit_every))
    expected = {m.name: roll(m, panel, fits, n, horizon=horizon) for m in models}
    rolled = RollingForecasts(panel, np.arange(first, n), expected)
    choice = choose(rolled, [m for m in expected if m != NAIVE], known_before=n)
    rolled = rolled.with_model(CHAMPION, choice.forecast(expected))
    ahead = {m.name: m.fit(panel).forecast(panel, horizon) for m in models}
    middle = choice.forecast(ahead)
    low, high = _bands(rolled, n, horizon, scheme.half_life).ends(middle)
    counts = panel.counts[first:]
    scores = {
        name: score_series(
            counts, forecast[:, 0], rolled.expected[NAIVE][:, 0], panel.until(first), seed=seed
        )
        for name, forecast in rolled.expected.items()
    }
    return PanelForecast(middle, low, high, ahead[NAIVE], choice, scores, n - first)


def _bands(rolled: RollingForecasts, origin: int, horizon: int, half_life: float) -> SeriesBands:
    n_known = int(min(horizon, len(rolled.origins) - LEAST_ORIGINS + 1))
    near = RollingForecasts(
        rolled.panel, rolled.origins, {CHAMPION: rolled.expected[CHAMPION][:, :n_known]}
    )
    bands = fit_bands(near, CHAMPION, origin=origin, half_life=half_life)
    return bands.extended(horizon)
