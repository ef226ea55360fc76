"""XGBoost with a Poisson likelihood on counts at natural prevalence.

Belongs here: XGBoost's own calls and options. Does not: what it shares with LightGBM
(`boosted_trees`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.models.boosted_trees import (
    FEATURE_SHARE,
    HESSIAN_OF_INCIDENT,
    MAX_DELTA_STEP,
    PRIOR_INCIDENTS,
    BoostedTrees,
    TreeRows,
    Watch,
)


@dataclass
class XGBoostModel(BoostedTrees):
    """Trees of fixed depth.

    Parameters
    ----------
    max_depth : int
        Depth of each tree: up to 2^depth leaves.
    """

    name: ClassVar[str] = "xgboost"
    title: ClassVar[str] = "XGBoost"
    trees_file: ClassVar[str] = "xgboost.ubj"
    max_depth: int = 3

    def _grow(
        self, train: TreeRows, n_trees: int, seed: int, watch: Watch, also: TreeRows | None = None
    ) -> Any:
        import xgboost

        sets: list[Any] = []
        for part in (train,) if also is None else (train, also):
            sets.append(
                # Quantised on the way in: a quarter of the memory of the plain matrix.
                xgboost.QuantileDMatrix(
                    part.features,
                    part.rows.counts,
                    weight=part.rows.weights,
                    base_margin=part.rows.log_rates,
                    ref=sets[0] if sets else None,
                    nthread=self.num_threads,
                )
            )

        def watched(expected: NDArray[np.floating], dataset: Any) -> tuple[str, float]:
            watch(next(i for i, known in enumerate(sets) if known is dataset), expected)
            return "watched", 0.0

        return xgboost.train(
            self._settings(seed),
            sets[0],
            num_boost_round=n_trees,
            evals=[(part, str(i)) for i, part in enumerate(sets)],
            custom_metric=watched,
            verbose_eval=False,
        )

    def _settings(self, seed: int) -> dict[str, Any]:
        return {
            "objective": "count:poisson",
            "disable_default_eval_metric": 1,
            # The offset is the whole start: log(1) is added to it.
            "base_score": 1.0,
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

    def _corrections(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        summed = self._booster.inplace_predict(features, predict_type="margin")
        return np.asarray(summed, dtype=np.float64)

    def _contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        import xgboost

        rows = xgboost.DMatrix(features, nthread=self.num_threads)
        return np.asarray(self._booster.predict(rows, pred_contribs=True), dtype=np.float64)

    def _write_trees(self) -> bytes:
        return bytes(self._booster.save_raw("ubj"))

    def _read_trees(self, content: bytes) -> None:
        import xgboost

        self._booster = xgboost.Booster()
        self._booster.load_model(bytearray(content))
        self._booster.set_param({"nthread": self.num_threads})
