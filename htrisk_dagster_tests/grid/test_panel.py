from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
from htrisk_dagster.grid.panel import count_panel, day_number, day_numbers


def test_count_panel_counts_rows_and_keeps_zeros():
    rng = np.random.default_rng(0)
    day, cell = rng.integers(-3, 9, 300), rng.integers(-1, 6, 300)
    expected = np.zeros((6, 4), dtype=np.int32)
    for d, c in zip(day, cell, strict=True):
        if 0 <= d < 6 and 0 <= c < 4:
            expected[d, c] += 1
    found = count_panel(day, cell, 6, 4)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.int32
    assert count_panel(day[:0], cell[:0], 2, 3).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_day_numbers_count_from_1970():
    assert day_number(date(1970, 1, 1)) == 0
    assert date(1970, 1, 1) + timedelta(day_number(date(2024, 2, 29))) == date(2024, 2, 29)
    days = pl.Series([date(1969, 12, 31), date(2015, 7, 1)])
    assert day_numbers(days).tolist() == [-1, day_number(date(2015, 7, 1))]
