"""Tables of one training: scores by fold, spread, what differs, learning curves, curves."""

from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.evaluation.comparison import METRICS
from htrisk_dagster.evaluation.count_scores import information_gain
from htrisk_dagster.evaluation.curves import roc_curve
from htrisk_dagster.evaluation.training_comparison import (
    CEILING,
    changed_params,
    compared_curves,
    curves_as_data,
    differing_params,
    fold_scores,
    fold_spread,
    learning_summary,
    own_params,
)


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(6)
    truth = np.tile(rng.lognormal(-2, 1, 80), (14, 1))
    counts = [rng.poisson(truth) for _ in range(3)]
    forecasts = {
        "historical_mean": [np.full_like(truth, truth.mean())] * 3,
        "sharp": [truth * rng.lognormal(0, 0.3, truth.shape) for _ in range(3)],
    }
    return counts, forecasts, np.arange(80) < 60


def test_fold_scores_are_the_metrics_on_active_cells(world):
    counts, forecasts, active = world
    found = fold_scores(counts, forecasts, active=active)
    assert found.height == 2 * 3 * (len(METRICS) + 1)
    cut = counts[1][:, :60].copy(), forecasts["sharp"][1][:, :60].copy()
    values = found.filter(model="sharp", fold=1)
    by_name = dict(zip(values["metric"], values["value"], strict=True))
    for name, metric in METRICS.items():
        assert by_name[name] == metric(*cut)
    base = forecasts["historical_mean"][1][:, :60].copy()
    assert by_name["information_gain_bits"] == information_gain(*cut, reference=base) > 0


def test_undefined_scores_are_missing(world):
    _, forecasts, active = world
    none = [np.zeros((14, 80))] * 3
    found = fold_scores(none, forecasts, active=active).filter(metric="auc")
    assert found["value"].null_count() == found.height == 6


def test_spread_is_that_of_numpy(world):
    counts, forecasts, active = world
    by_fold = fold_scores(counts, forecasts, active=active).sample(fraction=1, shuffle=True, seed=1)
    row = fold_spread(by_fold).filter(model="sharp", metric="auc").row(0, named=True)
    values = by_fold.filter(model="sharp", metric="auc").sort("fold")["value"].to_numpy()
    quartiles = np.quantile(values, [0, 0.25, 0.5, 0.75, 1])
    found = [row[c] for c in ("lowest", "lower_quartile", "median", "upper_quartile", "highest")]
    assert found == pytest.approx(quartiles.tolist())
    assert (row["last"], row["n_folds"]) == (values[-1], 3)


PARAMS = {
    "a": {"rate": 0.05, "trees": 100, "seed": 7, "only_a": "x"},
    "b": {"rate": 0.1, "trees": 100, "seed": 7},
    "c": {"rate": 0.1, "seed": 7, "hidden": 64},
}


def test_only_what_differs_is_listed():
    found = differing_params(PARAMS)
    assert found.to_dicts() == [{"parameter": "rate", "a": "0.05", "b": "0.1", "c": "0.1"}]
    # `trees` is the same in all that have it, `seed` in all.
    assert own_params(PARAMS) == {"a": {"only_a": "x"}, "c": {"hidden": "64"}}
    more = {**PARAMS, "c": {**PARAMS["c"], "trees": 50, "alpha": 1}, "d": {"alpha": 2}}
    assert differing_params(more)["parameter"].to_list() == ["rate", "trees", "alpha"]


def test_what_changed_since_the_training_before():
    now = {**PARAMS, "b": {"rate": 0.2, "trees": 100, "leaves": 15}, "new": {"x": 1}}
    found = changed_params(PARAMS, now)
    assert found.to_dicts() == [
        {"model": "b", "parameter": "leaves", "before": None, "now": "15"},
        {"model": "b", "parameter": "rate", "before": "0.1", "now": "0.2"},
        {"model": "b", "parameter": "seed", "before": "7", "now": None},
    ]
    assert changed_params(PARAMS, PARAMS).is_empty()


def test_learning_curves_in_four_numbers():
    found = learning_summary({"m": {"validation_loss": [3.0, 1.0, 2.0], "empty": []}, "n": {}})
    assert found.to_dicts() == [
        {
            "model": "m", "curve": "validation_loss", "n_steps": 3,
            "lowest": 1.0, "lowest_step": 1, "highest": 3.0, "last": 2.0,
        }
    ]  # fmt: skip


def test_curves_are_over_all_folds_and_have_a_ceiling(world):
    counts, forecasts, active = world
    found = compared_curves(counts, forecasts, active=active, intensity=forecasts["sharp"])
    assert set(found) == {"roc", "precision_recall", "pai_by_area", "calibration"}
    assert set(found["roc"]) == {*forecasts, CEILING}
    wanted = roc_curve(
        np.concatenate(counts)[:, active], np.concatenate(forecasts["sharp"])[:, active]
    )
    np.testing.assert_array_equal(found["roc"]["sharp"].y, wanted.y)
    data = curves_as_data(found["roc"])["sharp"]
    assert data == {"false positive rate": wanted.x.tolist(), "recall": wanted.y.tolist()}
