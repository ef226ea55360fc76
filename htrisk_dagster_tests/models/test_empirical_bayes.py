from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from htrisk_dagster.models.empirical_bayes import EmpiricalBayes, shrunk_ratio, weekday_of
from htrisk_dagster.models.historical_mean import HistoricalMean
from scipy.stats import nbinom


def log_score(truth, expected) -> float:
    """Expected Poisson log likelihood of one draw from `truth`, without the term free of both."""
    return float((truth * np.log(expected) - expected).sum())


def test_one_level_against_the_closed_form():
    """Given k, the posterior of a gamma prior is a gamma: integrate it on a grid instead."""
    observed = np.array([0.0, 1.0, 2.0, 9.0, 0.0, 14.0, 3.0, 0.0])
    expected = np.array([2.0, 3.0, 1.0, 4.0, 5.0, 6.0, 3.0, 0.5])
    ratio, k = shrunk_ratio(observed, expected)
    log_theta = np.linspace(-40, 5, 200_001)[:, None]
    theta = np.exp(log_theta)
    # Over log theta, hence k + observed and not k - 1 + observed.
    log_density = (k + observed) * log_theta - (k + expected) * theta
    density = np.exp(log_density - log_density.max(axis=0))
    by_integration = (theta * density).sum(axis=0) / density.sum(axis=0)
    np.testing.assert_allclose(ratio, by_integration, rtol=1e-8)


def test_strength_maximises_scipys_marginal_likelihood():
    rng = np.random.default_rng(4)
    expected = rng.uniform(0.5, 6, size=3000)
    observed = rng.poisson(expected * rng.gamma(2.0, 1 / 2.0, size=3000)).astype(float)
    _, k = shrunk_ratio(observed, expected)
    grid = np.exp(np.linspace(math.log(0.5), math.log(8), 400))
    likelihood = [nbinom.logpmf(observed, g, g / (g + expected)).sum() for g in grid]
    assert k == pytest.approx(grid[int(np.argmax(likelihood))], rel=0.01)
    assert k == pytest.approx(2.0, rel=0.15)


def test_units_that_differ_by_chance_alone_are_pooled_whole():
    ratio, k = shrunk_ratio(np.array([5.0, 5.0, 6.0]), np.array([5.0, 6.0, 5.0]))
    assert math.isinf(k)
    np.testing.assert_array_equal(ratio, 1)


def test_weekdays_against_the_calendar():
    days = np.datetime64("1969-12-25") + np.arange(20_000)
    np.testing.assert_array_equal(weekday_of(days), [d.weekday() for d in days.astype(object)])


def test_beats_the_historical_mean_at_411_events(rare_city):
    train, test, truth = rare_city.split(700)
    scores = {}
    for model in (HistoricalMean(), EmpiricalBayes()):
        model.fit(train, seed=0)
        scores[model.name] = log_score(truth, model.predict(test.without_truth()))
    constant = log_score(truth, np.full_like(truth, train.counts.mean()))
    ceiling = log_score(truth, truth)
    skill = {name: (s - constant) / (ceiling - constant) for name, s in scores.items()}
    assert skill["empirical_bayes"] > 0.55
    assert skill["empirical_bayes"] > skill["historical_mean"] + 0.15


def test_covariates_are_worth_having(rare_city):
    train, test, truth = rare_city.split(700)
    bare = replace(train, features=train.features[:, :, :1], names=train.names[:1])
    scores = []
    for block in (bare, train):
        model = EmpiricalBayes()
        params = model.fit(block, seed=0).params
        scores.append(log_score(truth, model.predict(test.without_truth())))
    assert params["covariates"] == "incidents_mean_364"
    assert scores[1] > scores[0]


def test_weekday_multipliers_are_found_and_average_1(small_city):
    model = EmpiricalBayes()
    block = small_city.block
    model.fit(block, seed=0)
    day_totals = model.predict(block.without_truth()).sum(axis=1)
    assert day_totals.mean() == pytest.approx(block.counts.sum() / block.n_days, rel=0.01)
    weekday = weekday_of(block.days)
    # Saturday is 1.4 / 0.8 of Monday in the simulation; about 550 incidents on each.
    assert day_totals[weekday == 5][0] / day_totals[weekday == 0][0] == pytest.approx(1.75, rel=0.2)


def test_no_incident_at_all_still_gives_small_positive_rates(small_city):
    block = replace(small_city.block, counts=np.zeros_like(small_city.block.counts))
    model = EmpiricalBayes()
    model.fit(block, seed=0)
    expected = model.predict(block.without_truth())
    assert expected.min() > 0
    assert expected.sum() <= 0.5 + 1e-9
