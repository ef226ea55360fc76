"""Two tests and a sentence, on series whose nature is known; autocorrelations in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.models.series.stationarity import (
    autocorrelation_table,
    autocorrelations,
    examine,
    stationarity_table,
)
from htrisk_dagster_tests.models.series.city_of_months import months

RNG = np.random.default_rng(3)


def test_noise_is_steady_and_a_random_walk_wanders() -> None:
    noise = RNG.normal(size=300)
    assert examine(noise).verdict == "steady"
    walk = examine(np.cumsum(noise))
    assert walk.verdict == "wandering"
    assert "starts from the newest level" in walk.sentence("5")
    assert "5: " in walk.sentence("5")


def test_a_break_in_the_level_is_neither() -> None:
    noise = np.random.default_rng(4).normal(size=300)
    broken = noise + np.where(np.arange(300) < 150, 0.0, 0.5)
    assert examine(broken).verdict == "steady around a trend or break"


def test_a_constant_series_is_steady_and_a_short_one_refused() -> None:
    assert examine(np.ones(40)).verdict == "steady"
    with pytest.raises(ValueError, match="too few to test"):
        examine(np.ones(10))


def test_an_autoregression_remembers_as_its_closed_form_says() -> None:
    shocks = RNG.normal(size=20_000)
    values = np.zeros(20_000)
    for t in range(1, len(values)):
        values[t] = 0.6 * values[t - 1] + shocks[t]
    own, half, partial, partial_half = autocorrelations(values, 4)
    assert own == pytest.approx(0.6 ** np.arange(1, 5), abs=0.03)
    assert partial == pytest.approx([0.6, 0.0, 0.0, 0.0], abs=0.03)
    assert partial_half == pytest.approx(1.96 / np.sqrt(20_000), rel=1e-3)
    # Bartlett: at lag 1 as if independent, at lag 2 wider by 1 + 2 r(1)^2.
    assert half[1] / half[0] == pytest.approx(np.sqrt(1 + 2 * own[0] ** 2), rel=1e-6)


def test_tables_hold_every_area() -> None:
    panel = months(5, rates=np.array([3.0, 9.0]), seed=1)
    assert stationarity_table(panel)["place"].to_list() == ["0", "1"]
    lags = autocorrelation_table(panel)
    assert lags.filter(place="0")["lag"].to_list() == list(range(1, 25))
    # A season of a year: months half a year apart are against each other.
    assert lags.filter(place="1", lag=6)["autocorrelation"][0] < 0
