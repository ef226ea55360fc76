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
