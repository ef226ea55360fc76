"""Models of one series at a time, from statsforecast: SARIMAX with its order chosen, ETS, Theta.

Belongs here: how a panel becomes the series those models take, and back. Does not: the pooled model
(`hierarchical_smoothing`), the choice between models (`evaluation/series_choice`).

All are fitted to the log of reports a day, so that a month's length is known and not learned, the
season multiplies and the spread does not grow with the level. A model's order and coefficients
are those of the training periods; from a later origin they are kept and only the states are brought
up to date. Imports are inside functions: statsforecast compiles its core when it is imported.

- `sarimax`: seasonal ARIMA, orders by AICc and unit-root tests, stepwise up to (2,1,2)(1,1,1)
  (Hyndman and Khandakar 2008, doi 10.18637/jss.v027.i03; higher orders took ten times as long);
  what is exogenous is the calendar, through the rate a day.
- `ets`: exponential smoothing with additive errors, a damped trend and a season, the form by AICc
  (Hyndman et al. 2002, doi 10.1016/S0169-2070(01)00110-8).
- `theta`: the optimised Theta model (Fiorucci et al. 2016, doi 10.1016/j.ijforecast.2016.02.005).
- `seasonal_naive`: the same period of the last season.
- `trailing_mean`: the mean rate of the last season, without a season: what "reverts to the mean".
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from htrisk_dagster.models.series.hierarchical_smoothing import LEAST_RATE
from htrisk_dagster.models.series.panel import Array, SeriesPanel, days_in
from htrisk_dagster.models.series.seasonal_pattern import HALF_A_REPORT, log_rates

Kind = Literal["sarimax", "ets", "theta"]
LEAST_SEASONS = 3
"""Seasons with a report in most periods under which a series is too young for a model of its own."""


@dataclass(frozen=True)
class SeasonalNaive:
    """The rate a day of the same period one season before; also its own fitted model."""

    name: str = "seasonal_naive"

    def fit(self, panel: SeriesPanel) -> SeasonalNaive:
        """Nothing to fit."""
        return self

    def forecast(self, panel: SeriesPanel, horizon: int) -> Array:
        """Expected counts, shape (H, S).

        Raises
        ------
        ValueError
            Where the panel is shorter than one season.
        """
        season = panel.season
        if panel.n_periods < season:
            raise ValueError(
                f"A seasonal naive forecast needs {season} periods; this panel has {panel.n_periods}."
            )
        last = panel.counts[-season:] / panel.days[-season:, None]
        rate = last[np.arange(horizon) % season]
        return _as_counts(rate, panel, horizon)


@dataclass(frozen=True)
class TrailingMean:
    """The mean count of the last season, whatever the period; also its own fitted model."""

    name: str = "trailing_mean"

    def fit(self, panel: SeriesPanel) -> TrailingMean:
        """Nothing to fit."""
        return self

    def forecast(self, panel: SeriesPanel, horizon: int) -> Array:
        """Expected counts, shape (H, S)."""
        mean = panel.counts[-panel.season :].mean(axis=0)
        least = LEAST_RATE * float(panel.days.mean())
        return np.asarray(np.maximum(np.repeat(mean[None], horizon, axis=0), least))


@dataclass(frozen=True)
class Univariate:
    """A statsforecast model for each series.

    Parameters
    ----------
    kind : {"sarimax", "ets", "theta"}
        See the module's text.
    """

    kind: Kind

    @property
    def name(self) -> str:
        """The kind."""
        return self.kind

    def fit(self, panel: SeriesPanel) -> FittedUnivariate:
        """Choose form and coefficients of every series that is old enough."""
        values = log_rates(panel.counts, panel.days.astype(np.float64))
        old_enough = _old_enough(panel)
        models: list[Any] = []
        with warnings.catch_warnings():
            # Of optimisers that stop early: the order is judged by its criterion, not by them.
            warnings.simplefilter("ignore")
            for series in range(len(panel.areas)):
                model = _make(self.kind, panel.season) if old_enough[series] else None
                models.append(model.fit(values[:, series]) if model is not None else None)
        return FittedUnivariate(self.kind, tuple(models))


@dataclass(frozen=True, eq=False)
class FittedUnivariate:
    """Fitted models by series; None where a series was too young."""

    kind: Kind
    models: tuple[Any, ...]

    def forecast(self, panel: SeriesPanel, horizon: int) -> Array:
        """Expected counts of the `horizon` periods after the panel's last, shape (H, S).

        A series that was too young is given the mean of its last season.
        """
        values = log_rates(panel.counts, panel.days.astype(np.float64))
        rate = TrailingMean().forecast(panel, horizon) / _days(panel, horizon)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for series, model in enumerate(self.models):
                if model is not None:
                    ahead = model.forward(y=values[:, series], h=horizon)["mean"]
                    # A coefficient at the edge of stationarity may run away far ahead.
                    bounds = values[:, series].min() - 1.0, values[:, series].max() + 1.0
                    rate[:, series] = np.exp(np.clip(ahead, *bounds))
        return _as_counts(rate, panel, horizon)

    def orders(self) -> list[str]:
        """Form of each series: (p,d,q)(P,D,Q) and season, ETS's letters, or a dash."""
        return [_order(model) for model in self.models]


def _old_enough(panel: SeriesPanel) -> np.ndarray:
    seen = (panel.counts > HALF_A_REPORT).sum(axis=0)
    return np.asarray(seen >= min(LEAST_SEASONS * panel.season, panel.n_periods))


def _make(kind: Kind, season: int) -> Any:
    from statsforecast import models

    if kind == "sarimax":
        return models.AutoARIMA(
            season_length=season, max_p=2, max_q=2, max_P=1, max_Q=1, approximation=True
        )
    if kind == "ets":
        return models.AutoETS(season_length=season, model="AZA", damped=True)
    return models.OptimizedTheta(season_length=season)


def _order(model: Any) -> str:
    if model is None:
        return "–"
    if "arma" in model.model_:
        p, q, sp, sq, season, d, sd = model.model_["arma"]
        return f"({p},{d},{q})({sp},{sd},{sq})[{season}]"
    return str(model.model_.get("method", model.model_.get("modeltype", "")))


def _days(panel: SeriesPanel, horizon: int) -> Array:
    return days_in(panel.coming(horizon), panel.frequency).astype(np.float64)[:, None]


def _as_counts(rate: Array, panel: SeriesPanel, horizon: int) -> Array:
    return np.asarray(np.maximum(rate, LEAST_RATE) * _days(panel, horizon))
