from __future__ import annotations

import math

import numpy as np
import pytest
from htrisk_dagster.evaluation.ceiling_simulation import ceiling_rows, draw_hits, simulated_scores
from htrisk_dagster.evaluation.ceilings import ceiling_values, information_gain_ceiling
from htrisk_dagster.evaluation.comparison import INFORMATION_GAIN, METRICS, SHARES
from htrisk_dagster.evaluation.count_scores import information_gain

CLOSED = ("poisson_deviance", "poisson_log_score", "average_precision", "prevalence", "auc", "brier",
          "log_loss", *(f"{m}_{s}" for m in ("pai", "hit_rate") for s in SHARES))  # fmt: skip


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(0)
    true = rng.lognormal(-4.5, 1.2, 300) * rng.lognormal(0, 0.4, (60, 300))
    return true, np.tile(true.mean(axis=0), (60, 1))


@pytest.mark.parametrize("size", [math.inf, 0.8])
def test_draws_have_the_right_mean_and_variance(size):
    true = np.array([[0.05, 0.4, 1.5, 3.0]])
    dense = np.zeros((4000, 4))
    for row, (hit, count) in zip(
        dense, draw_hits(true, size=size, n_draws=4000, seed=1), strict=True
    ):
        row[hit] = count
    assert dense.mean(axis=0) == pytest.approx(true[0], rel=0.1)
    assert dense.var(axis=0) == pytest.approx((true + true**2 / size)[0], rel=0.2)


def test_every_score_equals_the_metric_on_the_dense_counts(world):
    true, mean = world
    tied = np.round(true, 2) + 0.01
    found = simulated_scores(true, {"a": tied}, reference=mean, n_draws=3, seed=2)["a"]
    for i, (hit, count) in enumerate(draw_hits(true, n_draws=3, seed=2)):
        counts = np.zeros(true.size)
        counts[hit] = count
        counts = counts.reshape(true.shape)
        for name in set(METRICS) & set(found):
            assert found[name][i] == pytest.approx(METRICS[name](counts, tied), rel=1e-9), name
        gain = information_gain(counts, tied, reference=mean)
        assert found[INFORMATION_GAIN][i] == pytest.approx(gain, rel=1e-9)
    assert set(METRICS) - set(found) == {"pei_star_1pct", "calibration_slope"}


@pytest.mark.parametrize("size", [math.inf, 1.5])
def test_closed_forms_lie_within_a_hundredth_of_the_simulation(world, size):
    true, mean = world
    found = simulated_scores(true, {"truth": true}, reference=mean, size=size, n_draws=400, seed=3)[
        "truth"
    ]
    for name, value in ceiling_values(true, shares=SHARES, size=size).items():
        if name in CLOSED:
            error = found[name].std() / math.sqrt(400)
            allowed = max(0.01 * value, 3 * error)
            assert found[name].mean() == pytest.approx(value, abs=allowed), name
    assert found[INFORMATION_GAIN].mean() == pytest.approx(
        information_gain_ceiling(true, reference=mean), abs=0.01
    )


def test_rows_of_the_comparison(world):
    true, mean = world
    active = true.sum(axis=0) > 0.5
    rows = ceiling_rows(
        true, {"ceiling_omniscient": true}, reference=mean, active=active, n_draws=50, seed=4
    )
    auc = rows.filter(metric="auc", mask="land").row(0, named=True)
    assert auc["model"] == "ceiling_omniscient"
    assert auc["lower_95"] < auc["value"] < auc["upper_95"]
    assert auc["value"] == pytest.approx(ceiling_values(true, shares=SHARES)["auc"], abs=0.005)
    # The same draws score the mean, so that the difference is a paired one.
    assert 0 < auc["difference_lower_95"] < auc["difference"]
    again = ceiling_rows(
        true, {"ceiling_omniscient": true}, reference=mean, active=active, n_draws=50, seed=4
    )
    assert rows.equals(again)


def test_a_rare_city_has_draws_without_an_incident():
    true = np.full((3, 4), 0.02)
    found = simulated_scores(true, {"truth": true}, reference=true, n_draws=200, seed=5)["truth"]
    empty = found["prevalence"] == 0
    assert 0.6 < empty.mean() < 0.95
    assert np.isnan(found["auc"][empty]).all()
    rows = ceiling_rows(
        true, {"a": true}, reference=true, active=np.ones(4, dtype=bool), n_draws=50, seed=5
    )
    assert rows.filter(metric="auc")["value"].to_list() == [0.5, 0.5]
