"""Decompositions give back what a series was made of."""

from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.models.series.decomposition import (
    FORMS,
    METHODS,
    decompose,
    decomposition_table,
)
from htrisk_dagster_tests.models.series.city_of_months import SEASON, months

T = np.arange(96)
TREND, WAVE = 50.0 + 0.2 * T, np.tile(SEASON - SEASON.mean(), 8)


@pytest.mark.parametrize("method", METHODS)
def test_an_additive_series_is_taken_apart(method) -> None:
    parts = decompose(TREND + 20.0 * WAVE, 12, method, "additive")
    seen = np.isfinite(parts.trend)
    assert parts.trend[seen] == pytest.approx(TREND[seen], abs=0.3)
    assert parts.seasonal == pytest.approx(20.0 * WAVE, abs=0.3)
    assert parts.strength(parts.seasonal, "additive") > 0.99


@pytest.mark.parametrize("method", METHODS)
def test_a_multiplicative_series_is_taken_apart(method) -> None:
    values = TREND * np.exp(WAVE)
    parts = decompose(values, 12, method, "multiplicative")
    seen = np.isfinite(parts.trend)
    assert parts.seasonal == pytest.approx(np.exp(WAVE), rel=0.02)
    product = parts.trend * parts.seasonal * parts.rest
    assert product[seen] == pytest.approx(values[seen])
    assert parts.strength(parts.seasonal, "multiplicative") > 0.99


def test_noise_has_no_season_to_speak_of() -> None:
    noise = np.random.default_rng(1).normal(size=240)
    parts = decompose(noise, 12, "classical", "additive")
    assert parts.strength(parts.seasonal, "additive") < 0.2


def test_the_table_holds_every_area_method_and_form() -> None:
    panel = months(4, rates=np.array([3.0, 0.0]), seed=1)
    table = decomposition_table(panel)
    assert table.height == 2 * len(METHODS) * len(FORMS) * 48
    additive = table.filter(place="0", method="stl", form="additive")
    whole = additive["trend"] + additive["seasonal"] + additive["rest"]
    assert whole.to_numpy() == pytest.approx(panel.counts[:, 0] / panel.days)


def test_short_series_and_zeros_are_refused() -> None:
    with pytest.raises(ValueError, match="less than two seasons"):
        decompose(np.ones(20), 12, "stl", "additive")
    with pytest.raises(ValueError, match="above 0"):
        decompose(np.zeros(36), 12, "stl", "multiplicative")
