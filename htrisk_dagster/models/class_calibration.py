"""Probabilities of classes brought back to how often each class is.

Belongs here: bias-corrected temperature scaling. Does not: where the predictions come from
(`offence_mix`), whether they are calibrated (`evaluation/class_scores`).

p'_k is proportional to exp(b_k) p_k^t: a temperature and a bias a class (Alexandari, Kundaje and
Shrikumar 2020, arXiv 1901.06852). It is what undoes weights and synthetic rows: both change
how often classes are, the biases change it back. The loss is convex, so the answer is one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_FLOOR = 1e-6
# As if so many rows said "as it is": a class with three rows must not get a bias of its own choosing.
_PRIOR_ROWS = 5.0


@dataclass(frozen=True)
class ClassCalibration:
    """Temperature t and biases b, shape (K,)."""

    temperature: float
    biases: Array

    def apply(self, probabilities: Array) -> Array:
        """Calibrated probabilities, rows of (n, K) that sum to 1."""
        return _softmax(self.temperature * _logs(probabilities) + self.biases)


def fit_class_calibration(probabilities: Array, labels: NDArray[np.int64]) -> ClassCalibration:
    """Likeliest temperature and biases on rows that the classifier has not seen.

    Parameters
    ----------
    probabilities : array, shape (n, K)
    labels : int, shape (n,)
        Number of the class of each row.
    """
    from scipy.optimize import minimize

    logs = _logs(probabilities)
    n, n_classes = logs.shape
    hit = np.zeros((n, n_classes))
    hit[np.arange(n), labels] = 1.0

    def loss(theta: Array) -> tuple[float, Array]:
        scores = theta[0] * logs + theta[1:]
        shifted = scores - scores.max(axis=1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        excess = np.exp(log_p) - hit
        ridge = np.concatenate([[theta[0] - 1.0], theta[1:]])
        value = -(hit * log_p).sum() + _PRIOR_ROWS / 2 * (ridge**2).sum()
        gradient = (
            np.concatenate([[(excess * logs).sum()], excess.sum(axis=0)]) + _PRIOR_ROWS * ridge
        )
        return float(value), gradient

    start = np.concatenate([[1.0], np.zeros(n_classes)])
    found = minimize(loss, start, jac=True, method="L-BFGS-B").x
    return ClassCalibration(float(found[0]), np.asarray(found[1:]))


def _logs(probabilities: Array) -> Array:
    return np.asarray(np.log(np.maximum(probabilities, _FLOOR)))


def _softmax(scores: Array) -> Array:
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))
