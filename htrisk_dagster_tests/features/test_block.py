from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.features.block import CellDayBlock

DAYS = np.arange("2024-01-01", "2024-01-05", dtype="datetime64[D]")


@pytest.fixture
def block() -> CellDayBlock:
    numbers = np.arange(4 * 3 * 5, dtype=np.float32).reshape(4, 3, 5)
    areas = np.zeros(3, dtype=np.int32)
    return CellDayBlock(DAYS, numbers, tuple("abcde"), areas, areas, numbers[:, :, 0])


def test_features_are_selected_in_the_order_asked_and_lie_side_by_side(block):
    chosen = block.select(["d", "a"])
    assert chosen.names == ("d", "a")
    assert chosen.features.flags.c_contiguous
    np.testing.assert_array_equal(chosen.features, block.features[:, :, [3, 0]])
    np.testing.assert_array_equal(chosen.column("a"), block.column("a"))
    assert chosen.counts is block.counts
    assert block.select(block.names) is block


def test_days_by_position_are_views_with_their_counts(block):
    part = block.at(slice(1, 3))
    np.testing.assert_array_equal(part.days, DAYS[1:3])
    assert np.shares_memory(part.features, block.features)
    np.testing.assert_array_equal(part.counts, block.counts[1:3])
    between = block.between(DAYS[1], DAYS[3])
    np.testing.assert_array_equal(between.features, part.features)
