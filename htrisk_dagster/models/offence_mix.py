"""LightGBM classifier of the offence mix: which category is reported, given that one is.

Belongs here: the three treatments of rare categories, blocked folds, calibration, predicting. Does not:
contexts (`features/offence_contexts`), the prior by place (`place_prior`), scores
(`evaluation/class_scores`).

Categories differ two hundredfold in number. Three treatments are offered: none; weights in inverse
proportion to a category's rows; SMOTE (Chawla et al. 2002, doi 10.1613/jair.953), in its form
for columns of codes, which invents rows between neighbours. The last two teach that categories are equally
frequent, which they are not: all three are calibrated on the same unseen blocks of days before
they are compared. Synthetic rows are made inside a training part alone and never judged on.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.features.offence_contexts import CATEGORICAL, CONTEXT
from htrisk_dagster.models.artifacts import json_bytes, json_state
from htrisk_dagster.models.class_calibration import ClassCalibration, fit_class_calibration
from htrisk_dagster.models.count_model import FitResult

Array = NDArray[np.float64]
Labels = NDArray[np.int64]
Treatment = Literal["none", "weights", "smote"]

TREATMENTS: tuple[Treatment, ...] = get_args(Treatment)
ROUND_STEPS = (20, 40, 80, 160)
N_BLOCKS = 4
_NEIGHBOURS = 5
_STATE_FILE, _TREES_FILE = "offence_mix.json", "offence_mix.txt"


@dataclass
class OffenceMix:
    """Trees, the rounds kept, and the calibration of their probabilities.

    Parameters
    ----------
    n_classes : int
    treatment : str
        Of `TREATMENTS`.
    learning_rate, num_leaves, min_rows, l2 : number
        Of the trees; `min_rows` in a leaf, and in a group of codes that are split off together.
    """

    n_classes: int
    treatment: Treatment = "none"
    learning_rate: float = 0.1
    num_leaves: int = 12
    min_rows: int = 20
    l2: float = 10.0
    n_rounds: int = field(init=False, default=0)
    calibration: ClassCalibration = field(init=False, repr=False)
    _booster: Any = field(init=False, repr=False, default=None)

    def fit(self, contexts: Array, labels: Labels, *, seed: int) -> FitResult:
        """Choose rounds and calibration on blocks of days left out in turn, then fit on all rows.

        Parameters
        ----------
        contexts : array, shape (n, F)
            In order of day, the columns of `offence_contexts.CONTEXT`.
        labels : int, shape (n,)
        seed : int
        """
        unseen = np.empty((len(ROUND_STEPS), len(labels), self.n_classes))
        for block in np.array_split(np.arange(len(labels)), N_BLOCKS):
            train = np.ones(len(labels), dtype=bool)
            train[block] = False
            booster = self._grow(contexts[train], labels[train], max(ROUND_STEPS), seed)
            for i, rounds in enumerate(ROUND_STEPS):
                unseen[i, block] = booster.predict(
                    contexts[block], num_iteration=rounds, num_threads=1
                )
        judged = []
        for probabilities in unseen:
            calibration = fit_class_calibration(probabilities, labels)
            hit = calibration.apply(probabilities)[np.arange(len(labels)), labels]
            judged.append((float(-np.log(hit).mean()), calibration))
        best = int(np.argmin([loss for loss, _ in judged]))
        self.n_rounds, self.calibration = ROUND_STEPS[best], judged[best][1]
        self._booster = self._grow(contexts, labels, self.n_rounds, seed)
        return FitResult(
            {
                "treatment": self.treatment, "rounds": self.n_rounds, "rows": len(labels),
                "classes": self.n_classes, "temperature": self.calibration.temperature,
            },
            {"validation_loss": [loss for loss, _ in judged]},
        )  # fmt: skip

    def predict(self, contexts: Array) -> Array:
        """Calibrated probabilities of each class, rows of (n, K) that sum to 1."""
        return self.calibration.apply(self.predict_uncalibrated(contexts))

    def predict_uncalibrated(self, contexts: Array) -> Array:
        """Probabilities in the world of the treatment, where rare classes may be frequent."""
        return np.asarray(self._booster.predict(contexts, num_threads=1))

    def to_bytes(self) -> dict[str, bytes]:
        """Options and calibration as JSON, the trees in LightGBM's own format."""
        state = {
            "n_classes": self.n_classes, "treatment": self.treatment, "n_rounds": self.n_rounds,
            "temperature": self.calibration.temperature, "biases": self.calibration.biases.tolist(),
        }  # fmt: skip
        return {
            _STATE_FILE: json_bytes(state),
            _TREES_FILE: str(self._booster.model_to_string()).encode(),
        }

    @classmethod
    def from_bytes(cls, files: Mapping[str, bytes]) -> Self:
        """Read what `to_bytes` wrote."""
        import lightgbm

        state = json_state(files[_STATE_FILE])
        model = cls(state["n_classes"], state["treatment"])
        model.n_rounds = state["n_rounds"]
        model.calibration = ClassCalibration(state["temperature"], np.array(state["biases"]))
        model._booster = lightgbm.Booster(model_str=files[_TREES_FILE].decode())
        return model

    def _grow(self, contexts: Array, labels: Labels, n_rounds: int, seed: int) -> Any:
        import lightgbm

        weights = None
        if self.treatment == "weights":
            sizes = np.bincount(labels, minlength=self.n_classes)
            weights = (len(labels) / self.n_classes / np.maximum(sizes, 1))[labels]
        if self.treatment == "smote":
            contexts, labels = with_synthetic_rows(contexts, labels, seed=seed)
        rows = lightgbm.Dataset(
            contexts, labels, weight=weights, feature_name=list(CONTEXT),
            categorical_feature=list(CATEGORICAL),
        )  # fmt: skip
        with warnings.catch_warnings():
            # A code of -1, a value that the training rows lack, is meant to be missing.
            warnings.filterwarnings("ignore", message=".*categorical_feature.*")
            return lightgbm.train(self._settings(seed), rows, num_boost_round=n_rounds)

    def _settings(self, seed: int) -> dict[str, Any]:
        return {
            "objective": "multiclass", "num_class": self.n_classes,
            "learning_rate": self.learning_rate, "num_leaves": self.num_leaves,
            "min_data_in_leaf": self.min_rows, "min_data_per_group": self.min_rows,
            "lambda_l2": self.l2, "cat_l2": self.l2, "feature_fraction": 0.8,
            "seed": seed, "deterministic": True, "force_row_wise": True, "num_threads": 1,
            "verbosity": -1,
        }  # fmt: skip


def with_synthetic_rows(contexts: Array, labels: Labels, *, seed: int) -> tuple[Array, Labels]:
    """Rows and synthetic ones, so that each class has as many as the largest.

    A class with fewer rows than neighbours are asked for is left as it is: between five rows there
    is nothing to invent.
    """
    from imblearn.over_sampling import SMOTENC

    sizes = np.bincount(labels)
    wanted = {
        int(label): int(sizes.max())
        for label in np.nonzero(sizes > _NEIGHBOURS)[0]
        if sizes[label] < sizes.max()
    }
    if not wanted:
        return contexts, labels
    smote = SMOTENC(
        list(CATEGORICAL), sampling_strategy=wanted, random_state=seed, k_neighbors=_NEIGHBOURS
    )
    found, classes = smote.fit_resample(contexts, labels)
    return np.asarray(found), np.asarray(classes)
