"""What every model's reasons promise, and what each kind does to keep it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from htrisk_dagster.models.attribution import GROUPS, LEARNED_LEVEL, Explains, by_group, top_reasons
from htrisk_dagster.models.boosted_trees import TreeRows
from htrisk_dagster.models.boosting import LightGBMModel
from htrisk_dagster.models.count_model import load_model, make_model
from htrisk_dagster.models.empirical_bayes import EmpiricalBayes
from htrisk_dagster.models.rate_reasons import PARTS, RateReasons, explainer, rate_parts
from htrisk_dagster.models.training_rows import Rows

N_TRAIN = 300
OPTIONS = {
    "empirical_bayes": {},
    "lightgbm": {"n_estimators": 40},
    "xgboost": {"n_estimators": 40},
    "lstm": {"epochs": 4, "hidden": 8, "batch_size": 512, "learning_rate": 0.01},
}
LEARNERS = ("lightgbm", "xgboost", "lstm")


@pytest.fixture(scope="module")
def fitted(changing_city):
    train, _, _ = changing_city.split(N_TRAIN)
    models = {name: make_model(name, **options) for name, options in OPTIONS.items()}
    for model in models.values():
        model.fit(train, seed=3)
    return models


@pytest.fixture(scope="module")
def test_days(changing_city):
    _, test, _ = changing_city.split(N_TRAIN)
    return test.without_truth()


@pytest.fixture
def rows(test_days):
    """All cells of days 3 and 11, and some of day 30."""
    n = test_days.n_cells
    return np.r_[3 * n : 4 * n, 11 * n : 12 * n, 30 * n + 5, 30 * n + 77]


@pytest.mark.parametrize("name", OPTIONS)
def test_contributions_add_up_to_the_forecast(name, fitted, test_days, rows):
    model = fitted[name]
    if name in LEARNERS:
        assert isinstance(model, Explains)
        assert explainer(model) is model
    found = explainer(model).explain(test_days, rows)
    assert found.contributions.shape == (len(rows), len(found.names))
    log_ratio = np.log(model.predict(test_days).ravel()[rows]) - found.base
    off = found.contributions.sum(axis=1) - log_ratio
    if name == "lstm":
        assert np.abs(off).max() < 0.01 * np.abs(log_ratio).max()
    else:
        assert np.abs(off).max() < 1e-6
    assert np.abs(log_ratio).max() > 1


@pytest.mark.parametrize("name", LEARNERS)
def test_base_is_the_log_of_the_citys_mean(name, fitted, changing_city, test_days, rows):
    train, _, _ = changing_city.split(N_TRAIN)
    found = fitted[name].explain(test_days, rows)
    assert found.base == pytest.approx(math.log(train.counts.mean()), rel=1e-6)


@pytest.mark.parametrize("name", LEARNERS)
def test_reasons_survive_storing_and_do_not_depend_on_the_rows_beside(
    name, fitted, test_days, rows
):
    model = fitted[name]
    whole = model.explain(test_days, rows)
    again = load_model(name, model.to_bytes()).explain(test_days, rows)
    np.testing.assert_array_equal(again.contributions, whole.contributions)
    alone = model.explain(test_days, rows[-1:])
    np.testing.assert_allclose(alone.contributions, whole.contributions[-1:], atol=1e-6)


@pytest.mark.parametrize("name", LEARNERS)
def test_an_event_is_the_reason_on_its_day(name, fitted, test_days):
    """The same cell-day with and without its event: nothing else may take the difference."""
    event = test_days.names.index("event_today")
    features = test_days.features[:1].copy()
    reasons = []
    for value in (0, 1):
        features[0, 20, event] = value
        day = replace(test_days, days=test_days.days[:1], features=features)
        found = fitted[name].explain(day, np.array([20]))
        reasons.append(dict(zip(found.names, found.contributions[0], strict=True)))
    gained = {n: reasons[1][n] - reasons[0][n] for n in reasons[0]}
    total = sum(gained.values())
    assert total > 0.4
    assert gained["event_today"] > 0.8 * total


def test_learned_level_is_the_same_for_all(fitted, test_days, rows):
    for name in LEARNERS:
        found = fitted[name].explain(test_days, rows)
        assert found.names[-1] == LEARNED_LEVEL
        assert np.ptp(found.contributions[:, -1]) < 1e-9


def test_trees_are_the_shapley_values_of_their_definition():
    """Stumps add: a feature's value is its leaf less the mean over its leaves."""
    model = LightGBMModel(num_leaves=2)
    rng = np.random.default_rng(0)
    features = rng.integers(0, 2, size=(4000, 2)).astype(np.float32)
    counts = rng.poisson(np.exp(features @ [0.8, -0.5])).astype(np.float32)
    rows = Rows(np.arange(4000), counts, np.ones_like(counts), np.zeros_like(counts))
    model._booster = model._grow(TreeRows(rows, features), 30, 0, lambda *_: None)
    corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], dtype=np.float32)
    value, shap = model._corrections(corners), model._contributions(corners)
    # Stumps add, so a feature's effect is the same at either value of the other.
    np.testing.assert_allclose(shap[1, 0] - shap[0, 0], value[1] - value[0], atol=1e-9)
    np.testing.assert_allclose(shap[2, 1] - shap[0, 1], value[2] - value[0], atol=1e-9)
    share = features[:, 0].mean()
    assert share * shap[1, 0] + (1 - share) * shap[0, 0] == pytest.approx(0, abs=1e-7)


def test_parts_of_a_rate_by_hand(small_city):
    """Two boroughs of four precincts; rates that multiply come apart again."""
    block = small_city.block.between(small_city.block.days[0], small_city.block.days[14])
    of_borough, of_precinct = np.array([0.5, 1.5]), np.array([0.8, 1.2] * 4)
    of_cell = np.tile([0.9, 1.1], 50)
    cells = of_borough[block.borough_index] * of_precinct[block.precinct_index] * of_cell
    weekday = np.array([0.7, 1.0, 1.0, 1.0, 1.0, 1.0, 1.3])

    def predict(asked):
        numbers = asked.days.astype("datetime64[D]").astype(int) + 3
        return 0.02 * weekday[numbers % 7][:, None] * cells

    rows = np.arange(block.n_days * block.n_cells)
    found = rate_parts(predict, block.without_truth(), rows, math.log(0.01))
    assert found.names == PARTS
    city, day, borough, precinct, cell = found.contributions.T
    index = rows % block.n_cells
    mean = np.bincount(block.precinct_index, cells)
    np.testing.assert_allclose(city, math.log(2 * cells.mean()), atol=1e-12)
    monday = (block.days.astype(int) + 3) % 7 == 0
    np.testing.assert_allclose(day.reshape(14, -1)[monday], math.log(0.7), atol=1e-12)
    by_borough = np.bincount(block.borough_index, cells) / np.bincount(block.borough_index)
    np.testing.assert_allclose(
        borough, np.log(by_borough[block.borough_index] / cells.mean())[index], atol=1e-12
    )
    by_precinct = mean / np.bincount(block.precinct_index)
    np.testing.assert_allclose(
        precinct,
        np.log(by_precinct[block.precinct_index] / by_borough[block.borough_index])[index],
        atol=1e-12,
    )
    np.testing.assert_allclose(
        cell, np.log(cells / by_precinct[block.precinct_index])[index], atol=1e-12
    )


def test_a_rate_without_reasons_of_its_own_gets_them_from_its_forecasts(fitted, test_days, rows):
    model = fitted["empirical_bayes"]
    assert isinstance(model, EmpiricalBayes)
    reasons = explainer(model)
    assert isinstance(reasons, RateReasons)
    found = by_group(reasons.explain(test_days, rows))
    terms, contributions = top_reasons(found)
    assert terms.shape == contributions.shape == (len(rows), 3)
    # Cells differ by a factor of e^1.2 either way: their own rate is the first reason of most.
    assert (terms[:, 0] == GROUPS.index("long-run rate of the cell")).mean() > 0.4
