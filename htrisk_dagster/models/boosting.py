"""LightGBM with a Poisson likelihood on counts at natural prevalence.

Belongs here: LightGBM's settings with their reasons, fit and predict. Does not: which rows are
trained on (`training_rows`), XGBoost (`xgboost_model`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.models.artifacts import json_bytes, json_state
from htrisk_dagster.models.count_model import FitResult, Progress
from htrisk_dagster.models.training_rows import (
    draw_rows,
    feature_matrix,
    mean_count,
    present_columns,
    split_days,
)

_TREES, _STATE = "lightgbm.txt", "lightgbm.json"
# Both libraries inflate the Poisson hessian by e to this power to keep steps short; a sum of
# hessians is therefore this factor times a number of expected incidents.
MAX_DELTA_STEP = 0.7
HESSIAN_OF_INCIDENT = math.exp(MAX_DELTA_STEP)
# Pulls a leaf's rate toward its parent's as this many further incidents at that rate would.
PRIOR_INCIDENTS = 2.0
# Each tree sees 70% of features, since lags and means of one series are near copies.
FEATURE_SHARE = 0.7
PATIENCE = 30


@dataclass
class LightGBMModel:
    """Gradient-boosted trees on the log of the expected count.

    Parameters
    ----------
    n_estimators : int
        Most trees; the last 28 days choose how many are kept.
    learning_rate : float
        Step per tree.
    num_leaves : int
        Leaves per tree; few, since at a few incidents a day interactions cannot be told from noise.
    min_leaf_incidents : float
        Expected incidents a leaf must hold. Rows are the wrong measure when nearly all are 0.
    zero_keep_share : float
        Share of cell-days without incident that is trained on; kept ones weigh more in return.
    num_threads : int
        Fixed, since the order of floating-point sums depends on it.
    """

    name: ClassVar[str] = "lightgbm"
    n_estimators: int = 400
    learning_rate: float = 0.05
    num_leaves: int = 15
    min_leaf_incidents: float = 10.0
    zero_keep_share: float = 1.0
    num_threads: int = 2
    _booster: Any = field(init=False, repr=False, default=None)
    _columns: tuple[str, ...] = field(init=False, repr=False, default=())
    _log_mean: float = field(init=False, repr=False, default=0.0)

    def fit(self, block: CellDayBlock, *, seed: int, progress: Progress | None = None) -> FitResult:
        """Fit on all but the last weeks of the block, which decide when to stop."""
        import lightgbm

        train_days, valid_days = split_days(block.n_days)
        rng = np.random.default_rng(seed)
        train = draw_rows(block, train_days, self.zero_keep_share, rng)
        valid = draw_rows(block, valid_days, 1.0, rng)
        self._columns = present_columns(block, train_days)
        self._log_mean = math.log(mean_count(train))
        features = feature_matrix(block, self._columns)
        sets: list[Any] = []
        for rows in (train, valid):
            sets.append(
                lightgbm.Dataset(
                    features[rows.index],
                    rows.counts,
                    weight=rows.weights,
                    # Trees learn the log ratio to the city's mean rate.
                    init_score=np.full(len(rows.index), self._log_mean),
                    reference=sets[0] if sets else None,
                )
            )
        curves: dict[str, Any] = {}
        callbacks: list[Any] = [
            lightgbm.record_evaluation(curves),
            lightgbm.early_stopping(PATIENCE, verbose=False),
        ]
        if progress is not None:
            callbacks.append(
                lambda env: progress("LightGBM trees", env.iteration + 1, self.n_estimators)
            )
        self._booster = lightgbm.train(
            self._settings(seed),
            sets[0],
            num_boost_round=self.n_estimators,
            valid_sets=sets,
            # Early stopping passes over the set of this name.
            valid_names=["training", "validation"],
            callbacks=callbacks,
        )
        params: dict[str, Any] = {
            "n_estimators": self.n_estimators,
            "learning_rate": self.learning_rate,
            "num_leaves": self.num_leaves,
            "min_leaf_incidents": self.min_leaf_incidents,
            "zero_keep_share": self.zero_keep_share,
            "training_rows": len(train.index),
            "features": len(self._columns),
            "trees_kept": self._booster.best_iteration,
        }
        return FitResult(
            params,
            {
                "train_loss": [float(loss) for loss in curves["training"]["poisson"]],
                "validation_loss": [float(loss) for loss in curves["validation"]["poisson"]],
            },
        )

    def _settings(self, seed: int) -> dict[str, Any]:
        return {
            "objective": "poisson",
            "metric": "poisson",
            "poisson_max_delta_step": MAX_DELTA_STEP,
            "learning_rate": self.learning_rate,
            "num_leaves": self.num_leaves,
            "min_sum_hessian_in_leaf": self.min_leaf_incidents * HESSIAN_OF_INCIDENT,
            "lambda_l2": PRIOR_INCIDENTS * HESSIAN_OF_INCIDENT,
            "feature_fraction": FEATURE_SHARE,
            "seed": seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": self.num_threads,
            "verbosity": -1,
        }

    def predict(self, block: CellDayBlock) -> NDArray[np.float64]:
        """Give expected counts, shape (D, C)."""
        if self._booster is None:
            raise ValueError("Model 'lightgbm' has not been fitted.")
        log_ratio = self._booster.predict(
            feature_matrix(block, self._columns), raw_score=True, num_threads=self.num_threads
        )
        expected = np.exp(np.asarray(log_ratio, dtype=np.float64) + self._log_mean)
        return expected.reshape(block.n_days, block.n_cells)

    def to_bytes(self) -> dict[str, bytes]:
        """LightGBM's own text, and JSON with the columns and the mean."""
        return {
            _TREES: self._booster.model_to_string().encode(),
            _STATE: json_bytes({"columns": self._columns, "log_mean": self._log_mean}),
        }

    @classmethod
    def from_bytes(cls, files: Mapping[str, bytes]) -> Self:
        """Read what `to_bytes` wrote."""
        import lightgbm

        state = json_state(files[_STATE])
        model = cls()
        model._booster = lightgbm.Booster(model_str=files[_TREES].decode())
        model._columns, model._log_mean = tuple(state["columns"]), state["log_mean"]
        return model
