"""Columns land where they belong, whatever their number and order; the rest is NaN."""

from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.features.column_writer import ColumnWriter


@pytest.mark.parametrize("n_columns", [0, 1, 8, 9, 23])
def test_columns_land_where_they_belong(n_columns: int) -> None:
    rng = np.random.default_rng(n_columns)
    features = np.zeros((5, 7, 23), dtype=np.float32)
    places = rng.permutation(23)[:n_columns]
    columns = rng.random((n_columns, 5, 7))
    reused = np.empty((5, 7))
    writer = ColumnWriter(features)
    for where, values in zip(places, columns, strict=True):
        reused[...] = values  # as a caller may
        writer.put(int(where), reused)
    writer.close()

    expected = np.full((5, 7, 23), np.nan, dtype=np.float32)
    for where, values in zip(places, columns, strict=True):
        expected[:, :, where] = values
    np.testing.assert_array_equal(features, expected)
