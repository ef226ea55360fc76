"""XGBoost with a Poisson likelihood on counts at natural prevalence.

Belongs here: XGBoost's settings with their reasons, fit and predict. Does not: which rows are
trained on (`training_rows`), LightGBM (`boosting`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.models.artifacts import json_bytes, json_state
from htrisk_dagster.models.boosting import (
    FEATURE_SHARE,
    HESSIAN_OF_INCIDENT,
    MAX_DELTA_STEP,
    PATIENCE,
    PRIOR_INCIDENTS,
)
from htrisk_dagster.models.count_model import FitResult, Progress
from htrisk_dagster.models.training_rows import (
    draw_rows,
    feature_matrix,
    mean_count,
    present_columns,
    split_days,
)

_TREES, _STATE = "xgboost.ubj", "xgboost.json"


@dataclass
class XGBoostModel:
    """Gradient-boosted trees of fixed depth on the log of the expected count.

    Parameters
    ----------
    n_estimators : int
        Most trees; the last 28 days choose how many are kept.
    learning_rate : float
        Step per tree.
    max_depth : int
        Depth of each tree: up to 2^depth leaves.
    min_leaf_incidents : float
        Expected incidents a leaf must hold.
    zero_keep_share : float
        Share of cell-days without incident that is trained on; kept ones weigh more in return.
    num_threads : int
        Fixed, since the order of floating-point sums depends on it.
    """

    name: ClassVar[str] = "xgboost"
    n_estimators: int = 400
    learning_rate: float = 0.05
    max_depth: int = 4
    min_leaf_incidents: float = 10.0
    zero_keep_share: float = 1.0
    num_threads: int = 2
    _booster: Any = field(init=False, repr=False, default=None)
    _columns: tuple[str, ...] = field(init=False, repr=False, default=())

    def fit(self, block: CellDayBlock, *, seed: int, progress: Progress | None = None) -> FitResult:
        """Fit on all but the last weeks of the block, which decide when to stop."""
        import xgboost

        class Report(xgboost.callback.TrainingCallback):
            """Passes each tree on to `progress`."""

            def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
                if progress is not None:
                    progress("XGBoost trees", epoch + 1, n_estimators)
                return False

        n_estimators = self.n_estimators
        train_days, valid_days = split_days(block.n_days)
        rng = np.random.default_rng(seed)
        train = draw_rows(block, train_days, self.zero_keep_share, rng)
        valid = draw_rows(block, valid_days, 1.0, rng)
        self._columns = present_columns(block, train_days)
        features = feature_matrix(block, self._columns)
        # Quantised on the way in: a quarter of the memory of the plain matrix.
        train_set = xgboost.QuantileDMatrix(
            features[train.index], train.counts, weight=train.weights, nthread=self.num_threads
        )
        valid_set = xgboost.QuantileDMatrix(
            features[valid.index], valid.counts, ref=train_set, nthread=self.num_threads
        )
        curves: dict[str, Any] = {}
        booster = xgboost.train(
            self._settings(seed, mean_count(train)),
            train_set,
            num_boost_round=n_estimators,
            evals=[(train_set, "training"), (valid_set, "validation")],
            early_stopping_rounds=PATIENCE,
            evals_result=curves,
            verbose_eval=False,
            callbacks=[Report()],
        )
        self._booster = booster[: booster.best_iteration + 1]
        params: dict[str, Any] = {
            "n_estimators": n_estimators,
            "learning_rate": self.learning_rate,
            "max_depth": self.max_depth,
            "min_leaf_incidents": self.min_leaf_incidents,
            "zero_keep_share": self.zero_keep_share,
            "training_rows": len(train.index),
            "features": len(self._columns),
            "trees_kept": booster.best_iteration + 1,
        }
        return FitResult(
            params,
            {
                "train_loss": list(curves["training"]["poisson-nloglik"]),
                "validation_loss": list(curves["validation"]["poisson-nloglik"]),
            },
        )

    def _settings(self, seed: int, mean: float) -> dict[str, Any]:
        return {
            "objective": "count:poisson",
            "eval_metric": "poisson-nloglik",
            # Trees learn the log ratio to the city's mean rate.
            "base_score": mean,
            "max_delta_step": MAX_DELTA_STEP,
            "learning_rate": self.learning_rate,
            "max_depth": self.max_depth,
            "min_child_weight": self.min_leaf_incidents * HESSIAN_OF_INCIDENT,
            "reg_lambda": PRIOR_INCIDENTS * HESSIAN_OF_INCIDENT,
            "colsample_bytree": FEATURE_SHARE,
            "tree_method": "hist",
            "nthread": self.num_threads,
            "seed": seed,
        }

    def predict(self, block: CellDayBlock) -> NDArray[np.float64]:
        """Give expected counts, shape (D, C)."""
        if self._booster is None:
            raise ValueError("Model 'xgboost' has not been fitted.")
        expected = self._booster.inplace_predict(feature_matrix(block, self._columns))
        return np.asarray(expected, dtype=np.float64).reshape(block.n_days, block.n_cells)

    def to_bytes(self) -> dict[str, bytes]:
        """XGBoost's own UBJSON, and JSON with the columns."""
        return {
            _TREES: bytes(self._booster.save_raw("ubj")),
            _STATE: json_bytes({"columns": self._columns}),
        }

    @classmethod
    def from_bytes(cls, files: Mapping[str, bytes]) -> Self:
        """Read what `to_bytes` wrote."""
        import xgboost

        model = cls()
        model._booster = xgboost.Booster()
        model._booster.load_model(bytearray(files[_TREES]))
        model._booster.set_param({"nthread": model.num_threads})
        model._columns = tuple(json_state(files[_STATE])["columns"])
        return model
