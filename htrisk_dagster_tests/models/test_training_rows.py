from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from htrisk_dagster.models.training_rows import (
    draw_rows,
    feature_matrix,
    mean_count,
    present_columns,
    split_days,
)


def test_split_leaves_thin_history_and_a_gap():
    train, valid = split_days(365)
    assert (train.start, train.stop) == (28, 330)
    assert (valid.start, valid.stop) == (337, 365)


def test_too_few_days_are_refused_and_the_fewest_are_not():
    with pytest.raises(ValueError, match="at least 91 training days; this block has 90"):
        split_days(90)
    train, valid = split_days(91)
    assert train.stop - train.start == 28
    assert valid.stop - valid.start == 28


def test_rows_are_numbered_by_day_and_cell(small_city):
    block = small_city.block
    rows = draw_rows(block, slice(5, 9), 1.0, np.random.default_rng(0))
    wanted = [d * block.n_cells + c for d in range(5, 9) for c in range(block.n_cells)]
    np.testing.assert_array_equal(rows.index, wanted)
    np.testing.assert_array_equal(rows.counts, block.counts[5:9].ravel())
    np.testing.assert_array_equal(rows.weights, 1)


def test_drawn_zeros_weigh_as_many_as_there_were(small_city):
    block = small_city.block
    rows = draw_rows(block, slice(10, 110), 0.1, np.random.default_rng(0))
    panel = block.counts[10:110]
    n_zeros = np.count_nonzero(panel == 0)
    is_zero = rows.counts == 0
    assert np.all(np.diff(rows.index) > 0)
    np.testing.assert_array_equal(block.counts.ravel()[rows.index], rows.counts)
    assert np.count_nonzero(~is_zero) == np.count_nonzero(panel)
    assert np.count_nonzero(is_zero) == round(0.1 * n_zeros)
    assert rows.weights[is_zero].sum() == pytest.approx(n_zeros, rel=1e-5)
    assert mean_count(rows) == pytest.approx(float(panel.mean()), rel=1e-5)


def test_weighted_likelihood_is_unbiased(small_city):
    """Averaged over many draws, the weighted sum is that over all rows."""
    block = small_city.block
    value = np.sin(np.arange(block.n_days * block.n_cells))
    whole = value[: 60 * block.n_cells].sum()
    rng = np.random.default_rng(1)
    draws = []
    for _ in range(400):
        rows = draw_rows(block, slice(0, 60), 0.2, rng)
        draws.append((rows.weights * value[rows.index]).sum())
    standard_error = np.std(draws) / np.sqrt(len(draws))
    assert abs(np.mean(draws) - whole) < 3.5 * standard_error


def test_absent_columns_are_dropped_and_the_rest_kept_in_order(small_city):
    block = small_city.block
    features = block.features.copy()
    features[:60, :, 3] = np.nan
    late = replace(block, features=features)
    kept = present_columns(late, slice(28, 61))
    assert kept == tuple(n for n in block.names if n != "transit_subway_ratio")
    assert block.names[3] not in present_columns(late, slice(28, 60))
    matrix = feature_matrix(block, ("weekday_cos", "target_lag_2"))
    np.testing.assert_array_equal(matrix[:, 0], block.column("weekday_cos").ravel())
    np.testing.assert_array_equal(matrix[:, 1], block.column("target_lag_2").ravel())
    assert np.shares_memory(feature_matrix(block, block.names), block.features)


def test_a_share_of_nothing_is_refused(small_city):
    with pytest.raises(ValueError, match="above 0, not 0"):
        draw_rows(small_city.block, slice(0, 9), 0.0, np.random.default_rng(0))
