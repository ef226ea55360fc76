"""statsforecast's models as statsmodels has them, and series that are too young."""

from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.models.series.panel import SeriesPanel
from htrisk_dagster.models.series.seasonal_pattern import log_rates
from htrisk_dagster.models.series.univariate import SeasonalNaive, TrailingMean, Univariate
from htrisk_dagster_tests.models.series.city_of_months import months
from statsmodels.tsa.statespace.sarimax import SARIMAX


def test_seasonal_naive_repeats_the_rate_a_day_of_the_year_before() -> None:
    panel = months(2, rates=np.array([3.0]))
    ahead = SeasonalNaive().forecast(panel.until(20), 12)  # to August 2011
    # February 2012 has a day more than February 2011.
    assert ahead[5, 0] == pytest.approx(panel.counts[13, 0] * 29 / 28)
    with pytest.raises(ValueError, match="needs 12 periods"):
        SeasonalNaive().forecast(panel.until(6), 1)


def test_the_trailing_mean_is_that_of_twelve_counts() -> None:
    panel = months(3, rates=np.array([3.0]), seed=1)
    assert TrailingMean().forecast(panel, 2)[:, 0] == pytest.approx(panel.counts[-12:, 0].mean())


def test_sarimax_with_its_order_and_coefficients_is_statsmodels_own() -> None:
    walk = np.cumsum(np.random.default_rng(5).normal(scale=0.05, size=120))
    panel = months(10, rates=np.array([30.0]), seed=6, level=walk)
    fitted = Univariate("sarimax").fit(panel.until(108))
    (model,) = fitted.models
    p, q, sp, sq, season, d, sd = model.model_["arma"]
    values = log_rates(panel.counts[:, 0], panel.days.astype(float))
    assert fitted.orders() == [f"({p},{d},{q})({sp},{sd},{sq})[12]"]
    coef = dict(model.model_["coef"])
    # R's drift: a line in time, taken out before and put back after.
    line = coef.pop("drift", 0.0) * np.arange(1.0, 124.0)
    twin = SARIMAX(
        values - line[:120], order=(p, d, q), seasonal_order=(sp, sd, sq, season),
        enforce_stationarity=False,
    )  # fmt: skip
    names = [("ar", p), ("ma", q), ("sar", sp), ("sma", sq)]
    params = [coef.pop(f"{n}{i + 1}") for n, k in names for i in range(k)]
    assert not coef
    expected = twin.filter([*params, model.model_["sigma2"]]).forecast(3) + line[120:]
    days = np.array([31, 29, 31])
    ahead = fitted.forecast(panel, 3)[:, 0]
    # How the first states are begun differs, and is not quite forgotten after ten years.
    assert ahead == pytest.approx(np.exp(expected) * days, rel=0.012)


def test_ets_and_theta_continue_a_season_and_a_young_series_has_its_mean() -> None:
    panel = months(9, rates=np.array([40.0, 40.0]))
    counts = panel.counts.copy()
    counts[:90, 1] = 0.0
    panel = SeriesPanel(panel.areas, panel.starts, counts)
    for kind in ("ets", "theta"):
        fitted = Univariate(kind).fit(panel.until(96))  # type: ignore[arg-type]
        ahead = fitted.forecast(panel.until(96), 12)
        assert ahead[:, 0] == pytest.approx(counts[96:, 0], rel=0.02), kind
        assert fitted.models[1] is None
        assert fitted.orders()[1] == "–"
        assert ahead[:, 1] == pytest.approx(counts[84:96, 1].mean(), rel=1e-6)
