"""LightGBM with a Poisson likelihood on counts at natural prevalence.

Belongs here: LightGBM's own calls and options. Does not: what it shares with XGBoost
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
class LightGBMModel(BoostedTrees):
    """Trees of few leaves, grown best leaf first.

    Parameters
    ----------
    num_leaves : int
        Leaves per tree; few, since at a few incidents a day interactions cannot be told from noise.
    """

    name: ClassVar[str] = "lightgbm"
    title: ClassVar[str] = "LightGBM"
    trees_file: ClassVar[str] = "lightgbm.txt"
    num_leaves: int = 8

    def _grow(
        self, train: TreeRows, n_trees: int, seed: int, watch: Watch, also: TreeRows | None = None
    ) -> Any:
        import lightgbm

        sets: list[Any] = []
        for part in (train,) if also is None else (train, also):
            sets.append(
                lightgbm.Dataset(
                    part.features,
                    part.rows.counts,
                    weight=part.rows.weights,
                    init_score=part.rows.log_rates,
                    reference=sets[0] if sets else None,
                )
            )

        def watched(expected: NDArray[np.floating], dataset: Any) -> tuple[str, float, bool]:
            watch(next(i for i, known in enumerate(sets) if known is dataset), expected)
            return "watched", 0.0, False

        return lightgbm.train(
            self._settings(seed), sets[0], num_boost_round=n_trees, valid_sets=sets, feval=watched
        )

    def _settings(self, seed: int) -> dict[str, Any]:
        return {
            "objective": "poisson",
            "metric": "none",
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

    def _corrections(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        summed = self._booster.predict(features, raw_score=True, num_threads=self.num_threads)
        return np.asarray(summed, dtype=np.float64)

    def _contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        found = self._booster.predict(features, pred_contrib=True, num_threads=self.num_threads)
        return np.asarray(found, dtype=np.float64)

    def _write_trees(self) -> bytes:
        return str(self._booster.model_to_string()).encode()

    def _read_trees(self, content: bytes) -> None:
        import lightgbm

        self._booster = lightgbm.Booster(model_str=content.decode())
