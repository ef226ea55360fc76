"""How good probabilities of classes were: log loss, macro-F1, calibration.

Belongs here: scores of a classifier of several classes. Does not: any classifier (`models`), the
comparison of treatments (`offence_mix_comparison`). Log loss is proper and decides; macro-F1 is of
the likeliest class alone, counts a rare class as much as a common one, and rewards calling rare
classes more often than they are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Labels = NDArray[np.int64]


def class_log_loss(labels: Labels, probabilities: Array) -> float:
    """Mean of -log of the probability of the class that it was, in nats a row; lower is better."""
    return float(-np.log(probabilities[np.arange(len(labels)), labels]).mean())


def macro_f1(labels: Labels, probabilities: Array) -> float:
    """Mean over the classes of the rows of F1 of the likeliest class; 0 to 1."""
    from sklearn.metrics import f1_score

    classes = np.unique(labels)
    likeliest = probabilities.argmax(axis=1)
    return float(
        f1_score(labels, likeliest, labels=classes.tolist(), average="macro", zero_division=0)
    )


def classwise_calibration_error(labels: Labels, probabilities: Array, *, n_bins: int = 15) -> float:
    """Mean over classes of |share of rows - mean probability| by bins of equal rows, as a probability.

    Kull et al. 2019, arXiv 1910.12656, section 2, with bins of equal size. 0 is calibrated; chance
    alone keeps it above 0.
    """
    errors = []
    for k in range(probabilities.shape[1]):
        order = np.argsort(probabilities[:, k], kind="stable")
        hit = (labels == k)[order].astype(np.float64)
        gaps = [
            abs(float(part_hit.sum() - part_p.sum()))
            for part_hit, part_p in zip(
                np.array_split(hit, n_bins),
                np.array_split(probabilities[order, k], n_bins),
                strict=True,
            )
        ]
        errors.append(sum(gaps) / len(labels))
    return float(np.mean(errors))


def class_scores(labels: Labels, probabilities: Array) -> dict[str, float]:
    """All scores by name."""
    return {
        "log_loss": class_log_loss(labels, probabilities),
        "macro_f1": macro_f1(labels, probabilities),
        "accuracy": float((probabilities.argmax(axis=1) == labels).mean()),
        "calibration_error": classwise_calibration_error(labels, probabilities),
    }
