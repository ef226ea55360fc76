"""Invented contexts whose class probabilities are known: by place and hour, one class rare."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from htrisk_dagster.features.offence_contexts import CONTEXT
from htrisk_dagster.models import offence_mix
from numpy.typing import NDArray

N_CLASSES = 3


def truth(contexts: NDArray[np.float64]) -> NDArray[np.float64]:
    """True probabilities, shape (n, 3): drugs at place 0, forgery by day, a rare third at place 2."""
    place, hour = contexts[:, CONTEXT.index("location")], contexts[:, CONTEXT.index("hour")]
    scores = np.column_stack([
        1.5 * (place == 0) - 0.5, 1.5 * ((hour > 8) & (hour < 18)), 1.0 * (place == 2) - 2.5
    ])  # fmt: skip
    shares = np.exp(scores)
    return shares / shares.sum(axis=1, keepdims=True)


def draw(n: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Contexts of `n` rows and a class drawn from `truth` for each."""
    rng = np.random.default_rng(seed)
    columns = {
        "agency": rng.integers(0, 4, n), "location": rng.integers(0, 3, n), "hour": rng.integers(0, 24, n),
        "weekday": rng.integers(0, 7, n), "month": rng.integers(1, 13, n),
        "log_residents": np.full(n, 9.0), "officers_per_1000": np.full(n, 2.0),
    }  # fmt: skip
    contexts = np.column_stack([columns[name].astype(float) for name in CONTEXT])
    cumulated = truth(contexts).cumsum(axis=1)
    return contexts, (rng.random(n)[:, None] > cumulated).sum(axis=1)


@contextmanager
def few_rounds() -> Iterator[None]:
    """Trees in plenty for three classes and two thousand rows; the whole choice takes four times as long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(offence_mix, "ROUND_STEPS", (15, 30))
        yield
