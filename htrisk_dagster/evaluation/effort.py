"""How much work a training may take, by profile.

Belongs here: folds and model options of each profile. Does not: what a model does with them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Effort:
    """How much work training may take.

    Parameters
    ----------
    n_folds, test_days : int
        Blind folds before the last fit, and the days each forecasts.
    options : dict
        Arguments of the models by name.
    """

    n_folds: int
    test_days: int
    options: Mapping[str, Mapping[str, float | int | str]]


EFFORTS = {
    # For tests: everything happens, nothing is learnt.
    "smoke": Effort(
        n_folds=1,
        test_days=14,
        options={
            "lightgbm": {"n_estimators": 5, "zeros_per_incident": 2.0, "offset_blocks": 2},
            "xgboost": {"n_estimators": 5, "zeros_per_incident": 2.0, "offset_blocks": 2},
            "lstm": {"epochs": 1, "most_zeros": 5_000, "offset_blocks": 2},
        },
    ),
    "quick": Effort(
        n_folds=2,
        test_days=28,
        options={
            "lightgbm": {"n_estimators": 50, "zeros_per_incident": 10.0, "offset_blocks": 2},
            "xgboost": {"n_estimators": 50, "zeros_per_incident": 10.0, "offset_blocks": 2},
            "lstm": {"epochs": 3, "hidden": 16, "most_zeros": 40_000, "offset_blocks": 2},
        },
    ),
    # Smaller steps need more trees, and end a little better.
    "full": Effort(
        n_folds=3,
        test_days=28,
        options={
            "lightgbm": {"n_estimators": 250, "learning_rate": 0.05},
            "xgboost": {"n_estimators": 250, "learning_rate": 0.05},
        },
    ),
    # Many small cities on one core: at most 15 CPU seconds a fit.
    "skill": Effort(
        n_folds=3,
        test_days=28,
        options={
            "lightgbm": {"n_estimators": 120, "most_zeros": 60_000, "offset_blocks": 3},
            "xgboost": {"n_estimators": 120, "most_zeros": 60_000, "offset_blocks": 3},
            "lstm": {
                "epochs": 6,
                "hidden": 16,
                "most_zeros": 40_000,
                "patience": 2,
                "offset_blocks": 3,
            },
        },
    ),
}
