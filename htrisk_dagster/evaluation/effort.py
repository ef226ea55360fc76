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
            "lightgbm": {"n_estimators": 5, "zero_keep_share": 0.02},
            "xgboost": {"n_estimators": 5, "zero_keep_share": 0.02},
            "lstm": {"epochs": 1, "zeros_per_incident": 2.0},
        },
    ),
    "quick": Effort(
        n_folds=2,
        test_days=28,
        options={
            "lightgbm": {"n_estimators": 100, "zero_keep_share": 0.1},
            "xgboost": {"n_estimators": 80, "zero_keep_share": 0.05},
            "lstm": {"epochs": 3},
        },
    ),
    # Kept zeros weigh more in return, so that the expected likelihood is that of all rows: on
    # New York's shootings a quarter of the zeros trains four times as fast.
    "full": Effort(
        n_folds=3,
        test_days=28,
        options={"lightgbm": {"zero_keep_share": 0.25}, "xgboost": {"zero_keep_share": 0.25}},
    ),
}
