"""What both libraries owe to the offset they start from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from htrisk_dagster.models.boosted_trees import BoostedTrees, TreeRows
from htrisk_dagster.models.boosting import LightGBMModel
from htrisk_dagster.models.count_model import load_model, make_model
from htrisk_dagster.models.empirical_bayes import EmpiricalBayes
from htrisk_dagster.models.training_rows import Rows
from sklearn.metrics import mean_poisson_deviance

N_TRAIN = 460
each_library = pytest.mark.parametrize("name", ["lightgbm", "xgboost"])


def deviance(block, expected) -> float:
    return float(mean_poisson_deviance(block.counts.ravel(), expected.ravel()))


def rates_of_empirical_bayes(train, test):
    model = EmpiricalBayes()
    model.fit(train, seed=0)
    return model.predict(test.without_truth())


@each_library
def test_without_trees_it_is_empirical_bayes_to_the_bit(name, small_city):
    train, test, _ = small_city.split(240)
    model = make_model(name, n_estimators=0)
    assert model.fit(train, seed=1).params["trees_kept"] == 0
    expected = model.predict(test.without_truth())
    np.testing.assert_array_equal(expected, rates_of_empirical_bayes(train, test))
    files = model.to_bytes()
    assert set(files) - set(EmpiricalBayes().to_bytes()) == {f"{name}.json", "rate_offset.json"}
    np.testing.assert_array_equal(load_model(name, files).predict(test.without_truth()), expected)


@each_library
def test_events_and_drift_are_worth_having(name, changing_city):
    train, test, truth = changing_city.split(N_TRAIN)
    model = make_model(name)
    assert model.fit(train, seed=1).params["trees_kept"] > 10
    plain = deviance(test, rates_of_empirical_bayes(train, test))
    best = deviance(test, truth)
    gained = (plain - deviance(test, model.predict(test.without_truth()))) / (plain - best)
    assert 0.25 < gained < 1.0


@each_library
def test_where_there_is_nothing_to_learn_little_is_lost(name, still_city):
    train, test, _ = still_city.split(N_TRAIN)
    model = make_model(name)
    model.fit(train, seed=1)
    plain = deviance(test, rates_of_empirical_bayes(train, test))
    assert deviance(test, model.predict(test.without_truth())) < 1.001 * plain


@each_library
def test_trees_grown_on_the_offset_predict_without_it(name, small_city):
    """After the first tree, the library's own expected count is exp(offset + our correction)."""
    rng = np.random.default_rng(3)
    features = rng.normal(size=(4000, 2)).astype(np.float32)
    offset = rng.normal(-1, 0.7, 4000).astype(np.float32)
    counts = rng.poisson(np.exp(offset + 0.5 * features[:, 0])).astype(np.float32)
    rows = Rows(np.arange(4000), counts, np.ones_like(counts), offset)
    seen = []
    model: BoostedTrees = make_model(name)
    model._booster = model._grow(
        TreeRows(rows, features), 120, 0, lambda _, expected: seen.append(expected)
    )
    assert len(seen) == 120
    ours = np.exp(offset + model._corrections(features))
    np.testing.assert_allclose(seen[-1], ours, rtol=1e-5)
    # The slope of the truth, 0.5 on the log rate, and nothing of the offset's own spread.
    slope = np.polyfit(features[:, 0], model._corrections(features), 1)[0]
    assert slope == pytest.approx(0.45, abs=0.08)


@each_library
def test_a_row_of_weight_three_counts_as_three_rows(name):
    rng = np.random.default_rng(4)
    features = rng.normal(size=(1500, 3)).astype(np.float32)
    counts = rng.poisson(np.exp(0.6 * features[:, 0])).astype(np.float32)
    zero = np.zeros_like(counts)
    weights = np.where(np.arange(1500) % 2 == 0, 3, 1).astype(np.float32)
    model: BoostedTrees = make_model(name)
    found = []
    for repeats, weight in ((np.ones(1500, int), weights), (weights.astype(int), None)):
        index = np.repeat(np.arange(1500), repeats)
        weight = np.ones(len(index), np.float32) if weight is None else weight
        rows = Rows(np.arange(len(index)), counts[index], weight, zero[index])
        model._booster = model._grow(TreeRows(rows, features[index]), 5, 0, lambda *_: None)
        found.append(model._corrections(features))
    # Bins are cut at quantiles of rows or of weights, so the trees are alike but not equal.
    assert np.corrcoef(*found)[0, 1] > 0.99
    np.testing.assert_allclose(found[0].mean(), found[1].mean(), atol=0.02)


def test_settings_of_a_fit_are_reported(small_city):
    train, _, _ = small_city.split(120)
    result = LightGBMModel(n_estimators=3, num_leaves=4).fit(train, seed=0)
    assert result.params["num_leaves"] == 4
    assert set(result.params) >= {"learning_rate", "zeros_per_incident", "trees_kept", "features"}
    assert [len(curve) for curve in result.curves.values()] == [3, 3]


def test_a_lone_fit_and_one_among_others_are_the_same(small_city):
    """Nothing is kept from one fit to the next."""
    train, _, _ = small_city.split(200)
    model = LightGBMModel(n_estimators=20)
    model.fit(replace(train, counts=train.counts + 1), seed=0)
    model.fit(train, seed=2)
    fresh = LightGBMModel(n_estimators=20)
    fresh.fit(train, seed=2)
    assert model.to_bytes() == fresh.to_bytes()
