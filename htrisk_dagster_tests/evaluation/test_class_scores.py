from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.evaluation.class_scores import (
    class_log_loss,
    class_scores,
    classwise_calibration_error,
    macro_f1,
)
from htrisk_dagster_tests.models.mixed_offences import draw, truth
from sklearn.metrics import log_loss

LABELS = np.array([0, 0, 1, 2])
PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.2, 0.7, 0.1], [0.3, 0.6, 0.1], [0.5, 0.4, 0.1]])


def test_log_loss_is_that_of_a_second_library():
    contexts, labels = draw(500, 1)
    right = truth(contexts)
    assert class_log_loss(labels, right) == pytest.approx(log_loss(labels, right))


def test_macro_f1_of_a_worked_example():
    # Class 0: precision 1/2, recall 1/2; class 1: 1/2 and 1, F1 2/3; class 2 is never called.
    assert macro_f1(LABELS, PROBABILITIES) == pytest.approx((0.5 + 2 / 3 + 0) / 3)


def test_calibration_error_of_a_worked_example():
    # One bin: |2 - 1.7|, |1 - 1.9| and |1 - 0.4| over 4 rows, mean of the classes.
    found = classwise_calibration_error(LABELS, PROBABILITIES, n_bins=1)
    assert found == pytest.approx((0.3 + 0.9 + 0.6) / 4 / 3)


def test_the_truth_is_calibrated_and_a_sharper_forecast_is_not():
    contexts, labels = draw(30_000, 2)
    right = truth(contexts)
    sharper = right**2 / (right**2).sum(axis=1, keepdims=True)
    good, bad = (class_scores(labels, p) for p in (right, sharper))
    assert good["calibration_error"] < 0.01 < 0.03 < bad["calibration_error"]
    assert good["log_loss"] < bad["log_loss"]
    assert good["macro_f1"] == bad["macro_f1"]
