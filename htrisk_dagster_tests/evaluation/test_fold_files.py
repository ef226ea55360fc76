from __future__ import annotations

import numpy as np
from htrisk_dagster.evaluation.fold_files import fold_files, fold_forecasts


def test_folds_come_back_in_order_and_to_the_bit() -> None:
    made = [np.random.default_rng(i).random((2, 3)) for i in range(12)]

    read = fold_forecasts(fold_files(made))

    assert len(read) == 12  # after 9 comes 10, not 1
    assert all(np.array_equal(a, b) for a, b in zip(made, read, strict=True))


def test_the_same_forecasts_are_the_same_bytes() -> None:
    made = [np.full((2, 3), 0.25)]

    assert fold_files(made) == fold_files(made)
