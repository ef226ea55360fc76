"""A pure function that spawned processes can import, in place of a city's hour."""

from __future__ import annotations

import numpy as np


def square(number: int) -> dict[str, object]:
    if number < 0:
        raise ValueError(f"{number} is below 0.")
    return {
        "square": np.int64(number) ** 2,
        "halves": np.array([number / 2, np.inf]),
        "cpu_seconds": {"a model": 1.25},
    }


def constant_one(category: str) -> dict[str, object]:
    """A result of the tensors with the published errors of the constant 1."""
    row = {"mae": 1.0, "rmse": 1.0, "poisson_deviance": 2.0, "masked_mae": 0.6732,
           "masked_mape": 0.2314}  # fmt: skip
    return {
        "category": category, "cell_days": 100, "zero_share": 0.9, "chosen": "stack",
        "models": {"constant 1": row, "historical_mean": row, "champion": row},
    }  # fmt: skip
