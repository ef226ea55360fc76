from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.models.class_calibration import fit_class_calibration
from htrisk_dagster_tests.models.mixed_offences import draw, truth


def distorted(right: np.ndarray, temperature: float, biases: np.ndarray) -> np.ndarray:
    scores = temperature * np.log(right) + biases
    return np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)


def test_a_known_distortion_is_undone():
    contexts, labels = draw(20_000, 1)
    right = truth(contexts)
    wrong = distorted(right, 2.0, np.array([0.0, 1.0, 3.0]))
    found = fit_class_calibration(wrong, labels)
    assert found.temperature == pytest.approx(0.5, abs=0.03)
    assert np.abs(found.apply(wrong) - right).mean() < 0.01
    assert found.biases - found.biases[0] == pytest.approx([0.0, -0.5, -1.5], abs=0.12)


def test_what_is_calibrated_stays_as_it_is():
    contexts, labels = draw(10_000, 2)
    right = truth(contexts)
    assert fit_class_calibration(right, labels).apply(right) == pytest.approx(right, abs=0.03)


def test_a_class_that_never_occurred_is_not_driven_to_nothing():
    contexts, labels = draw(300, 3)
    kept = labels != 2
    found = fit_class_calibration(truth(contexts)[kept], labels[kept])
    assert found.apply(truth(contexts))[:, 2].min() > 1e-4
