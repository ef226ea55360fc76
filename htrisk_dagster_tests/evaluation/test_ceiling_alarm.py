from __future__ import annotations

import math

import numpy as np
import pytest
from htrisk_dagster.evaluation.ceiling_alarm import (
    log_place_likelihood,
    no_forecast_is_beyond,
    no_forecast_is_beyond_plug_in,
)
from scipy.stats import multinomial


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(0)
    true = rng.lognormal(-2.5, 1.0, 80) * rng.lognormal(0, 0.4, (70, 80))
    return true, rng.poisson(true)


def alarm(counts, true, **given):
    forecasts = given.pop("forecasts", {"a": true})
    return no_forecast_is_beyond(counts, forecasts, intensity=true, n_draws=100, seed=1, **given)


def test_likelihood_is_that_of_the_multinomial():
    counts, expected = np.array([[2, 0, 1], [0, 3, 0]]), np.array([[1.0, 2, 1], [0.5, 0.2, 0.3]])
    even = np.ones_like(expected)
    exact = sum(
        multinomial.logpmf(c, c.sum(), e / e.sum()) - multinomial.logpmf(c, c.sum(), np.ones(3) / 3)
        for c, e in zip(counts, expected, strict=True)
    )
    found = log_place_likelihood(counts, expected) - log_place_likelihood(counts, even)
    assert found == pytest.approx(exact)
    # The level of a day, such as its shock, says nothing of where.
    shocked = expected * np.array([[3.0], [0.1]])
    assert log_place_likelihood(counts, shocked) == pytest.approx(
        log_place_likelihood(counts, expected)
    )


def test_honest_models_and_the_truth_itself_pass(world):
    true, counts = world
    mean = np.tile(true.mean(axis=0), (70, 1))
    finding = alarm(counts, true, forecasts={"mean": mean, "truth": true})
    assert finding.holds
    assert finding.figures["mean_log_likelihood_ratio"] < -20
    assert finding.figures["truth_log_likelihood_ratio"] == 0


def test_a_model_that_has_seen_some_of_the_counts_is_caught_by_its_likelihood(world):
    true, counts = world
    finding = alarm(counts, true, forecasts={"leaky": 0.85 * true + 0.15 * counts})
    assert not finding.holds
    assert "says better where incidents fell" in finding.sentence


def test_a_model_whose_level_is_absurd_is_caught_by_its_ranking(world):
    true, counts = world
    # Nearly all expected in the one cell where nothing was reported: its likelihood is hopeless,
    # the order of the other cells is nearly perfect.
    leaky = true * np.exp(3.0 * (counts > 0))
    leaky[:, np.argmin(counts.sum(axis=0))] = 1e9
    finding = alarm(counts, true, forecasts={"leaky": leaky})
    assert finding.figures["leaky_log_likelihood_ratio"] < 0
    assert not finding.holds
    assert "Model 'leaky' has auc" in finding.sentence


def test_shocks_of_whole_days_raise_no_alarm():
    rng = np.random.default_rng(2)
    true = np.tile(rng.lognormal(-2.5, 1.0, 80), (70, 1))
    shock = rng.lognormal(-0.125, 0.5, 70)
    counts = rng.poisson(true * shock[:, None])
    assert alarm(counts, true, day_shock=shock).holds
    # Nobody can know the shock of the day: who ranks days by it has seen them.
    knows_shock = true * shock[:, None]
    finding = alarm(counts, true, forecasts={"b": knows_shock}, day_shock=shock)
    assert not finding.holds
    assert "has auc" in finding.sentence


def test_false_alarms_of_the_luckiest_models_are_rare():
    rng = np.random.default_rng(3)
    true = np.tile(rng.lognormal(-2.5, 1.0, 40), (40, 1))
    raised = 0
    for seed in range(40):
        counts = np.random.default_rng(seed).poisson(true)
        noisy = {str(i): true * rng.lognormal(0, 0.05, true.shape) for i in range(8)}
        raised += not no_forecast_is_beyond(
            counts, noisy, intensity=true, n_draws=60, seed=seed
        ).holds
    assert raised == 0


def test_nothing_happened_is_no_alarm(world):
    true, counts = world
    assert alarm(np.zeros_like(counts), true).holds


def test_above_the_bracket(world):
    true, counts = world
    upper = 0.9 * true + 0.1 * counts
    assert no_forecast_is_beyond_plug_in(counts, {"a": true}, upper=upper, seed=1).holds
    leaky = {"a": 0.5 * true + 0.5 * counts}
    finding = no_forecast_is_beyond_plug_in(counts, leaky, upper=true, seed=1)
    assert not finding.holds
    assert finding.figures["a_auc_over_bracket"] > 0.05
    assert math.isfinite(finding.figures["a_auc_over_bracket"])
