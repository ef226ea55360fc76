from __future__ import annotations

import math

import numpy as np
import pytest
from htrisk_dagster.evaluation.occurrence_scores import brier, brier_skill, log_loss
from scipy.stats import nbinom
from sklearn.metrics import brier_score_loss, r2_score
from sklearn.metrics import log_loss as sklearn_log_loss


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(3)
    expected = rng.gamma(0.5, 0.4, (20, 30)) + 1e-6
    return rng.poisson(expected), expected


def test_scores_equal_scikit_learn(pair):
    counts, expected = pair
    happened, p = (counts > 0).ravel(), -np.expm1(-expected).ravel()
    assert brier(counts, expected) == pytest.approx(brier_score_loss(happened, p), rel=1e-12)
    assert log_loss(counts, expected) == pytest.approx(sklearn_log_loss(happened, p), rel=1e-9)
    assert brier_skill(counts, expected) == pytest.approx(r2_score(happened, p), rel=1e-12)


def test_a_negative_binomial_has_its_own_probability(pair):
    counts, expected = pair
    p = 1 - nbinom(0.5, 0.5 / (0.5 + expected)).pmf(0)
    assert brier(counts, expected, size=0.5) == pytest.approx(
        np.square((counts > 0) - p).mean(), rel=1e-12
    )


def test_rare_events_keep_their_digits():
    # -log(1 - exp(-1e-12)): 27.631..., which 1 - exp(-m) would lose.
    assert log_loss([[1]], [[1e-12]]) == pytest.approx(12 * math.log(10), rel=1e-10)


def test_skill_of_one_kind_of_cell_day_is_undefined():
    assert math.isnan(brier_skill([[0, 0]], [[0.1, 0.2]]))
    assert math.isnan(brier_skill([[1, 2]], [[0.1, 0.2]]))
    assert math.isnan(brier(np.empty((0, 2)), np.empty((0, 2))))
