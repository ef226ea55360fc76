"""What the protocol promises, for every model alike."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from htrisk_dagster.errors import SettingError
from htrisk_dagster.models.count_model import MODEL_NAMES, CountModel, load_model, make_model
from numpy.typing import NDArray
from sklearn.metrics import mean_poisson_deviance, roc_auc_score

N_TRAIN = 240
OPTIONS: dict[str, dict[str, float | int]] = {
    "historical_mean": {},
    "kde": {},
    "ewma": {},
    "kde_ewma": {},
    "prospective_hotspot": {},
    "etas": {},
    "risk_terrain": {},
    "empirical_bayes": {},
    "lightgbm": {"n_estimators": 80, "learning_rate": 0.1},
    "xgboost": {"n_estimators": 80, "learning_rate": 0.1},
    "lstm": {"epochs": 12, "hidden": 8, "batch_size": 512, "learning_rate": 0.01},
}
LEARNERS = ("lightgbm", "xgboost", "lstm")
each_model = pytest.mark.parametrize("name", MODEL_NAMES)
each_baseline = pytest.mark.parametrize("name", [n for n in MODEL_NAMES if n not in LEARNERS])


@pytest.fixture(scope="module")
def fitted(small_city) -> dict[str, CountModel]:
    train, _, _ = small_city.split(N_TRAIN)
    models = {}
    for name in MODEL_NAMES:
        models[name] = make_model(name, **OPTIONS[name])
        models[name].fit(train, seed=5)
    return models


def deviance(block, expected: NDArray[np.float64]) -> float:
    return float(mean_poisson_deviance(block.counts.ravel(), expected.ravel()))


def test_options_cover_every_model():
    assert set(OPTIONS) == set(MODEL_NAMES)


@each_model
def test_beats_the_city_mean_on_later_days(name, small_city, fitted):
    train, test, truth = small_city.split(N_TRAIN)
    expected = fitted[name].predict(test.without_truth())
    assert expected.shape == (test.n_days, test.n_cells)
    assert expected.dtype == np.float64
    assert expected.min() > 0
    constant = np.full_like(expected, train.counts.mean())
    best = deviance(test, truth)
    gained = (deviance(test, constant) - deviance(test, expected)) / (
        deviance(test, constant) - best
    )
    # At 24 incidents a cell, the historical mean knows most of what a static map can.
    assert 0.5 < gained < 1.0
    assert expected.sum() == pytest.approx(truth.sum(), rel=0.12)


@pytest.mark.parametrize("name", LEARNERS)
def test_learners_find_the_event_effect_that_the_mean_cannot(name, small_city, fitted):
    _, test, _ = small_city.split(N_TRAIN)
    event = test.names.index("event_today")
    features = np.repeat(test.features[:, :, None], 1, axis=2).reshape(test.features.shape).copy()
    features[:, :, event] = 0
    without = fitted[name].predict(replace(test, features=features, counts=None))
    features = features.copy()
    features[:, :, event] = 1
    with_event = fitted[name].predict(replace(test, features=features, counts=None))
    # The truth is 3; shrinkage keeps estimates below.
    assert 1.7 < with_event.sum() / without.sum() < 3.8


@each_model
def test_prediction_does_not_depend_on_the_truth(name, small_city, fitted):
    _, test, _ = small_city.split(N_TRAIN)
    assert test.counts is not None
    changed = replace(test, counts=test.counts + 7)
    np.testing.assert_array_equal(
        fitted[name].predict(changed), fitted[name].predict(test.without_truth())
    )


@each_model
def test_bytes_round_trip_to_equal_predictions(name, small_city, fitted):
    _, test, _ = small_city.split(N_TRAIN)
    files = fitted[name].to_bytes()
    again = load_model(name, files)
    np.testing.assert_array_equal(
        again.predict(test.without_truth()), fitted[name].predict(test.without_truth())
    )
    assert again.to_bytes() == files
    for file, content in files.items():
        if file.endswith(".json"):
            json.loads(content)
        assert b"pickle" not in content


@each_model
def test_same_seed_same_bytes(name, small_city, fitted):
    train, _, _ = small_city.split(N_TRAIN)
    again = make_model(name, **OPTIONS[name])
    again.fit(train, seed=5)
    assert again.to_bytes() == fitted[name].to_bytes()


@pytest.mark.parametrize("name", LEARNERS)
def test_another_seed_other_bytes(name, small_city, fitted):
    train, _, _ = small_city.split(N_TRAIN)
    other = make_model(name, **OPTIONS[name])
    other.fit(train, seed=6)
    assert other.to_bytes() != fitted[name].to_bytes()


@each_model
def test_shuffled_counts_cannot_be_forecast(name, small_city):
    """A block whose counts were dealt out anew holds nothing to learn: AUC 0.5."""
    rng = np.random.default_rng(3)
    counts = rng.permutation(small_city.block.counts.ravel())
    shuffled = replace(small_city.block, counts=counts.reshape(small_city.block.counts.shape))
    days = shuffled.days
    model = make_model(name, **OPTIONS[name])
    model.fit(shuffled.between(days[0], days[N_TRAIN]), seed=5)
    test = shuffled.between(days[N_TRAIN], days[-1])
    auc = roc_auc_score(test.counts.ravel() > 0, model.predict(test.without_truth()).ravel())
    # 900 positives of 8,000: a standard error of 0.01.
    assert auc == pytest.approx(0.5, abs=0.035)


@each_model
def test_fit_reports_progress_params_and_curves(name, small_city):
    train, _, _ = small_city.split(N_TRAIN)
    seen: list[tuple[str, int, int]] = []
    result = make_model(name, **OPTIONS[name]).fit(
        train, seed=5, progress=lambda what, done, total: seen.append((what, done, total))
    )
    assert [done for _, done, _ in seen] == list(range(1, len(seen) + 1))
    assert {(what, total) for what, _, total in seen} == {(seen[0][0], seen[0][2])}
    assert len(seen) <= seen[0][2]
    for value in result.params.values():
        assert isinstance(value, float | int | str)
    if name in LEARNERS:
        assert set(result.curves) == {"train_loss", "validation_loss"}
        assert len(result.curves["train_loss"]) <= len(seen)
        assert result.curves["train_loss"][-1] < result.curves["train_loss"][0]


@each_model
def test_fit_without_counts_is_refused(name, small_city):
    with pytest.raises(ValueError, match="with counts"):
        make_model(name).fit(small_city.block.without_truth(), seed=1)


@each_baseline
def test_a_day_alone_has_the_bytes_of_a_day_in_a_range(name, small_city, fitted):
    _, test, _ = small_city.split(N_TRAIN)
    block = test.without_truth()
    whole = fitted[name].predict(block)
    for d in (0, 11, 40):
        alone = fitted[name].predict(block.between(block.days[d], block.days[d + 1]))
        np.testing.assert_array_equal(alone[0], whole[d])


@each_baseline
def test_a_city_without_incidents_expects_little_and_never_0(name, small_city):
    train, test, _ = small_city.split(N_TRAIN)
    features = train.features.copy()
    for i, column in enumerate(train.names):
        if column.startswith(("target_", "city_target_")):
            features[:, :, i] = 0
    model = make_model(name)
    model.fit(replace(train, features=features, counts=np.zeros_like(train.counts)), seed=1)
    expected = model.predict(replace(test, features=features[: test.n_days], counts=None))
    assert expected.min() > 0
    assert expected.sum() < 2


@each_baseline
def test_other_cells_are_refused(name, small_city, fitted):
    block = small_city.block
    fewer = replace(
        block,
        features=block.features[:, :50],
        precinct_index=block.precinct_index[:50],
        borough_index=block.borough_index[:50],
        counts=None,
    )
    with pytest.raises(ValueError, match="100 cells and the block has 50"):
        fitted[name].predict(fewer)


@pytest.mark.parametrize("name", LEARNERS)
def test_a_missing_feature_is_named(name, small_city, fitted):
    block = small_city.block.without_truth()
    fewer = replace(block, features=block.features[:, :, 1:], names=block.names[1:])
    with pytest.raises(ValueError, match="feature 'target_lag_1'"):
        fitted[name].predict(fewer)


@pytest.mark.parametrize("name", LEARNERS)
def test_a_column_absent_in_training_does_not_matter(name, small_city, fitted):
    _, test, _ = small_city.split(N_TRAIN)
    features = test.features.copy()
    features[:, :, test.names.index("transit_subway_ratio")] = 1e6
    np.testing.assert_array_equal(
        fitted[name].predict(replace(test, features=features)), fitted[name].predict(test)
    )


def test_unknown_names_and_options_are_sentences():
    with pytest.raises(SettingError, match=r"no model 'oracle'\. Choose one of historical_mean"):
        make_model("oracle")
    with pytest.raises(SettingError, match=r"'xgboost' has no option 'trees'\. It takes n_estim"):
        make_model("xgboost", trees=3)


def test_listing_models_imports_no_learner():
    code = (
        "import sys; from htrisk_dagster.models.count_model import make_model, MODEL_NAMES; "
        "[make_model(name) for name in MODEL_NAMES]; "
        "heavy = {'torch', 'lightgbm', 'xgboost', 'sklearn', 'scipy'} & set(sys.modules); "
        "sys.exit(', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_simulated_lags_stop_at_the_cutoff(small_city):
    """The test city itself must not leak: lag 1 of day d is the count of day d - 2."""
    block = small_city.block
    lags = [block.column(f"target_lag_{k}") for k in (1, 2)]
    np.testing.assert_array_equal(lags[0][2:], block.counts[:-2])
    for newer, older in pairwise(lags):
        np.testing.assert_array_equal(newer[:-1], older[1:])
