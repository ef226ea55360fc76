from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from htrisk_dagster.models.empirical_bayes import EmpiricalBayes
from htrisk_dagster.models.historical_mean import HistoricalMean
from htrisk_dagster.models.weekdays import weekday_of


def log_score(truth, expected) -> float:
    """Expected Poisson log likelihood of one draw from `truth`, without the term free of both."""
    return float((truth * np.log(expected) - expected).sum())


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
    assert params["covariates"] == "incidents_mean_364, around_incidents_mean_364"
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
