"""Shares of oracle skill by estimator, against `field.md` §1.4, second table (correlation .8)."""

from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.models.count_model import make_model
from htrisk_dagster_tests.models.static_world import SD, rare_auc, static_world
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

TABLE = {
    411: {"historical_mean": 0.379, "kde": 0.889, "empirical_bayes": 0.96},
    4110: {"historical_mean": 0.835, "kde": 0.976, "empirical_bayes": 0.96},
    41100: {"historical_mean": 0.974, "kde": 0.989, "empirical_bayes": 0.95},
}


@pytest.mark.slow
@pytest.mark.parametrize("events", TABLE)
def test_shares_of_skill_are_the_tables(events):
    shares = {name: [] for name in TABLE[events]}
    for seed in range(3):
        world = static_world(events=events, correlation=0.8, seed=seed)
        for name in shares:
            model = make_model(name)
            model.fit(world.block, seed=0)
            forecast = model.predict(world.block.without_truth())[0]
            shares[name].append(world.share_of_skill(forecast))
    for name, wanted in TABLE[events].items():
        assert np.mean(shares[name]) == pytest.approx(wanted, abs=0.05), name
    means = {name: np.mean(values) for name, values in shares.items()}
    assert means["empirical_bayes"] > means["kde"] > means["historical_mean"]


def test_ceiling_is_the_closed_form_and_the_auc_is_scikit_learns():
    world = static_world(events=411, correlation=0.8, seed=1)
    # (1 + Gini) / 2, and the Gini of a log-normal is 2 Phi(sd / sqrt 2) - 1.
    assert rare_auc(world.rates, world.rates) == pytest.approx(norm.cdf(SD / 2**0.5), abs=0.001)
    totals = world.block.counts.sum(axis=0)
    # Events against all cells, each once: what the AUC is when events are rare.
    label = np.concatenate([np.ones(len(totals)), np.zeros(len(totals))])
    weight = np.concatenate([world.rates, np.ones(len(totals))])
    by_sklearn = roc_auc_score(label, np.tile(totals, 2), sample_weight=weight)
    assert rare_auc(world.rates, totals) == pytest.approx(by_sklearn, abs=1e-9)
