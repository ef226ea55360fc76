from __future__ import annotations

import math

import numpy as np
import pytest
from htrisk_dagster.evaluation.discrimination import average_precision, prevalence, roc_auc
from sklearn.metrics import average_precision_score, roc_auc_score


@pytest.mark.parametrize("decimals", [1, 2, 12])
def test_equal_to_scikit_learn_with_few_and_many_ties(decimals):
    rng = np.random.default_rng(decimals)
    expected = np.round(rng.gamma(0.5, 1.0, (30, 40)), decimals) + 0.05
    counts = rng.poisson(expected * 0.3)
    y, score = counts.ravel() > 0, expected.ravel()
    assert roc_auc(counts, expected) == pytest.approx(roc_auc_score(y, score), abs=1e-12)
    assert average_precision(counts, expected) == pytest.approx(
        average_precision_score(y, score), abs=1e-12
    )
    assert prevalence(counts, expected) == y.mean()


def test_one_forecast_for_all_gives_half_and_the_prevalence():
    counts = np.array([[0, 1, 0, 2, 0]])
    flat = np.ones((1, 5))
    assert roc_auc(counts, flat) == 0.5
    assert average_precision(counts, flat) == 0.4


def test_undefined_without_one_of_the_classes():
    expected = np.array([[0.1, 0.2]])
    assert math.isnan(roc_auc([[0, 0]], expected))
    assert math.isnan(roc_auc([[1, 2]], expected))
    assert math.isnan(average_precision([[0, 0]], expected))
    assert average_precision([[1, 2]], expected) == 1.0


def test_auc_of_rare_events_is_half_of_one_plus_gini():
    rng = np.random.default_rng(8)
    intensity = np.tile(rng.lognormal(-6, 1.2, 1000), (2000, 1))
    cells = np.sort(intensity[0])
    n = cells.size
    gini = 2 * (np.arange(1, n + 1) * cells).sum() / (n * cells.sum()) - (n + 1) / n
    counts = rng.poisson(intensity)
    # About 10,000 incidents: the standard error of AUC is 0.002.
    assert roc_auc(counts, intensity) == pytest.approx((1 + gini) / 2, abs=0.008)
