"""A series taken apart into trend, season and rest, by two methods and in two forms.

Belongs here: STL and the classical decomposition, how strong trend and season are, the table. Does not:
the pattern that forecasts use (`seasonal_pattern`), tests of stationarity (`stationarity`).

What is taken apart is the rate, reports a day, so that long months are no season. STL is Cleveland et
al. 1990 (Journal of Official Statistics 6, 3-73) in its robust form, which a lockdown does not bend;
the classical one is that of moving averages. A multiplicative STL is an additive one of logarithms.
Strengths are those of Wang, Smith and Hyndman 2006 (doi 10.1007/s10618-005-0039-x).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from htrisk_dagster.models.series.panel import Array, SeriesPanel
from htrisk_dagster.models.series.seasonal_pattern import HALF_A_REPORT
from htrisk_dagster.schemas.series import DECOMPOSITION

Method = Literal["stl", "classical"]
Form = Literal["additive", "multiplicative"]
METHODS: tuple[Method, ...] = ("stl", "classical")
FORMS: tuple[Form, ...] = ("additive", "multiplicative")


@dataclass(frozen=True, eq=False)
class Parts:
    """Parts of one series: additive ones sum to it, multiplicative ones multiply to it.

    Parameters
    ----------
    trend, seasonal, rest : float64, shape (T,)
        NaN where the classical method has no moving average, at both ends.
    """

    trend: Array
    seasonal: Array
    rest: Array

    def strength(self, part: Array, form: Form) -> float:
        """Share of the variance of `part` and rest that is the part's, 0 to 1."""
        seen = np.isfinite(self.rest) & np.isfinite(part)
        own, rest = part[seen], self.rest[seen]
        if form == "multiplicative":
            own, rest, both = np.log(own), np.log(rest), np.log(own * rest)
        else:
            both = own + rest
        spread = float(both.var())
        return max(0.0, 1.0 - float(rest.var()) / spread) if spread > 0 else 0.0


def decompose(values: Array, season: int, method: Method, form: Form) -> Parts:
    """Take one series apart.

    Parameters
    ----------
    values : float64, shape (T,)
        Above 0 for the multiplicative form.
    season : int
        Periods of a season; two seasons at least.

    Raises
    ------
    ValueError
        Where the series is too short, or not above 0 for the multiplicative form.
    """
    if len(values) < 2 * season:
        raise ValueError(
            f"{len(values)} periods are less than two seasons of {season}; give a longer series."
        )
    if form == "multiplicative" and not (values > 0).all():
        raise ValueError("A multiplicative decomposition needs values above 0.")
    from statsmodels.tsa.seasonal import STL, seasonal_decompose

    if method == "classical":
        found = seasonal_decompose(values, model=form, period=season)
        return Parts(found.trend, found.seasonal, found.resid)
    on = np.log(values) if form == "multiplicative" else values
    found = STL(on, period=season, robust=True).fit()
    parts = (found.trend, found.seasonal, found.resid)
    return Parts(*(np.exp(p) for p in parts)) if form == "multiplicative" else Parts(*parts)


def decomposition_table(panel: SeriesPanel) -> pl.DataFrame:
    """Every area by both methods in both forms, as `schemas.series.DECOMPOSITION`.

    In the multiplicative form half a report is added to each count.
    """
    days = panel.days.astype(np.float64)
    tables = []
    for column, area in enumerate(panel.areas):
        counts = panel.counts[:, column]
        for form in FORMS:
            rates = (counts + (HALF_A_REPORT if form == "multiplicative" else 0.0)) / days
            for method in METHODS:
                parts = decompose(rates, panel.season, method, form)
                tables.append(
                    pl.DataFrame(
                        {
                            "place": area,
                            "method": method,
                            "form": form,
                            "period_on": panel.starts,
                            "rate": rates,
                            "trend": parts.trend,
                            "seasonal": parts.seasonal,
                            "rest": parts.rest,
                            "trend_strength": parts.strength(parts.trend, form),
                            "seasonal_strength": parts.strength(parts.seasonal, form),
                        }
                    ).with_columns(pl.col("trend", "seasonal", "rest").fill_nan(None))
                )
    return DECOMPOSITION.conform(pl.concat(tables))
