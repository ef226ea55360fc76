from __future__ import annotations

import math

import numpy as np
import pytest
from htrisk_dagster.evaluation.series_errors import (
    directional_accuracy,
    mape,
    mase,
    r_squared,
    seasonal_naive_mae,
    wape,
)
from sklearn.metrics import mean_absolute_percentage_error, r2_score

COUNTS = np.array([[10.0], [20.0], [20.0], [40.0]])
EXPECTED = np.array([[12.0], [15.0], [24.0], [30.0]])


def test_by_hand():
    assert mape(COUNTS, EXPECTED) == pytest.approx((0.2 + 0.25 + 0.2 + 0.25) / 4)
    assert wape(COUNTS, EXPECTED) == pytest.approx((2 + 5 + 4 + 10) / 90)
    # 10 to 20 was called a rise, 20 to 20 is no change, 20 to 40 was called a rise.
    assert directional_accuracy(COUNTS, EXPECTED) == 1.0
    assert directional_accuracy(COUNTS, np.full((4, 1), 15.0)) == 0.5


def test_against_scikit_learn():
    rng = np.random.default_rng(1)
    expected = rng.gamma(20, 2, (60, 4))
    counts = rng.poisson(expected) + 1
    assert mape(counts, expected) == pytest.approx(
        mean_absolute_percentage_error(counts.ravel(), expected.ravel())
    )
    assert r_squared(counts, expected) == pytest.approx(r2_score(counts.ravel(), expected.ravel()))


def test_mase_of_hyndman_and_koehler():
    # In-sample |differences| two periods apart: 2, 4, 0, so the scale is 2.
    training = np.array([[1.0], [5.0], [3.0], [1.0], [3.0]])
    assert seasonal_naive_mae(training, season=2) == 2.0
    assert mase(COUNTS, EXPECTED, training=training, season=2) == pytest.approx(21 / 4 / 2)
    with pytest.raises(ValueError, match="longer than it"):
        mase(COUNTS, EXPECTED, training=training, season=5)
    repeated = np.tile([[1.0], [2.0]], (3, 1))
    assert math.isnan(mase(COUNTS, EXPECTED, training=repeated, season=2))


def test_a_count_of_zero_has_no_percentage_and_no_variance_no_r_squared():
    assert mape([[0], [4]], [[1.0], [5.0]]) == 0.25
    assert math.isnan(mape([[0]], [[1.0]]))
    assert math.isnan(wape([[0]], [[1.0]]))
    assert math.isnan(r_squared([[3], [3]], [[1.0], [2.0]]))
    assert math.isnan(directional_accuracy([[3], [3]], [[1.0], [2.0]]))
