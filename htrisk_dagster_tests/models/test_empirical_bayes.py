from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from htrisk_dagster.models.empirical_bayes import EmpiricalBayes
from htrisk_dagster.models.historical_mean import HistoricalMean
from htrisk_dagster.models.weekdays import weekday_of
from htrisk_dagster_tests.models.as_of_panel import panel_block


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


def stepped_city(seed: int, *, steps: float):
    """Even rates but for what a precinct adds; cells of a precinct lie apart, so none is near."""
    rng = np.random.default_rng(seed)
    block = panel_block(np.zeros((364 + 120, 400)), 120, 20)
    precinct = rng.permutation(400) % 10
    rates = 0.02 * np.exp(steps * rng.normal(size=10))[precinct]
    counts = rng.poisson(rates, (120, 400)).astype(np.float32)
    return replace(block, precinct_index=precinct.astype(np.int32), counts=counts), rates


def test_precincts_are_pooled_to_where_they_differ_and_not_where_they_do_not():
    params, truth, found = {}, {}, {}
    for steps in (0.0, 0.8):
        block, truth[steps] = stepped_city(1, steps=steps)
        model = EmpiricalBayes()
        params[steps] = model.fit(block, seed=0).params
        found[steps] = model.predict(block.without_truth())[0]
    assert params[0.8]["pooled_to"] == "precinct"
    assert params[0.8]["precinct_prior_incidents"] < 10 < params[0.0]["precinct_prior_incidents"]
    assert np.corrcoef(np.log(found[0.8]), np.log(truth[0.8]))[0, 1] > 0.95
    assert found[0.0].std() < 0.15 * found[0.0].mean()


def test_without_positions_neighbours_are_left_out(small_city):
    block = small_city.block
    keep = [i for i, name in enumerate(block.names) if name not in ("x_km", "y_km")]
    bare = replace(
        block, features=block.features[:, :, keep], names=tuple(block.names[i] for i in keep)
    )
    model = EmpiricalBayes()
    params = model.fit(bare, seed=0).params
    assert params["around_prior_incidents"] == np.inf
    again = EmpiricalBayes.from_bytes(model.to_bytes())
    np.testing.assert_array_equal(again.predict(bare), model.predict(bare))
