from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from htrisk_dagster.features.catalogue import feature_catalogue
from htrisk_dagster.models.training_rows import (
    column_positions,
    draw_rows,
    learnable_columns,
    require_days,
    rolling_origins,
)


@pytest.fixture
def flat(small_city):
    """An offset that is the same for all but the first cell, which has ten times the rate."""
    rates = np.full(small_city.block.counts.shape, 0.1)
    rates[:, 0] = 1.0
    return np.log(rates)


def test_origins_judge_on_the_last_two_fifths_from_the_past_alone():
    first, second = rolling_origins(820)
    assert (first.train, first.valid) == (slice(28, 485), slice(492, 656))
    assert (second.train, second.valid) == (slice(28, 649), slice(656, 820))


def test_too_few_days_are_refused_and_the_fewest_are_not():
    with pytest.raises(ValueError, match="at least 91 training days; this block has 90"):
        require_days(90)
    first, second = rolling_origins(91)
    assert first.train.stop - first.train.start == 19
    assert second.valid.stop == 91


def test_all_rows_are_numbered_by_day_and_cell(small_city, flat):
    block = small_city.block
    rows = draw_rows(block, flat, slice(5, 9), 1e9, np.random.default_rng(0), most_zeros=10**9)
    wanted = [d * block.n_cells + c for d in range(5, 9) for c in range(block.n_cells)]
    np.testing.assert_array_equal(rows.index, wanted)
    np.testing.assert_array_equal(rows.counts, block.counts[5:9].ravel())
    np.testing.assert_array_equal(rows.log_rates, flat[5:9].ravel().astype(np.float32))
    np.testing.assert_array_equal(rows.weights, 1)
    part = rows.between(6 * block.n_cells, 7 * block.n_cells)
    np.testing.assert_array_equal(part.index, wanted[block.n_cells : 2 * block.n_cells])
    np.testing.assert_array_equal(part.counts, block.counts[6])


def test_zeros_are_drawn_by_half_evenly_and_by_half_by_rate(small_city, flat):
    """1,000 zeros wanted of about 9,000 in 99 cells of rate .1 and one of rate 1: .11 and .61."""
    block = small_city.block
    days = slice(10, 110)
    rows = draw_rows(block, flat, days, 20.0, np.random.default_rng(0), most_zeros=1000)
    is_zero = rows.counts == 0
    panel = block.counts[days]
    assert np.all(np.diff(rows.index) > 0)
    np.testing.assert_array_equal(block.counts.ravel()[rows.index], rows.counts)
    assert np.count_nonzero(~is_zero) == np.count_nonzero(panel)
    assert np.all(rows.weights[~is_zero] == 1)
    zeros = panel == 0
    total = 0.1 * zeros[:, 1:].sum() + zeros[:, 0].sum()
    for cell_rate, in_first in ((1.0, True), (0.1, False)):
        share = 500 / zeros.sum() + 500 * cell_rate / total
        drawn = rows.weights[is_zero & ((rows.index % block.n_cells == 0) == in_first)]
        np.testing.assert_allclose(drawn, 1 / share, rtol=1e-5)
        n_zeros = zeros[:, 0].sum() if in_first else zeros[:, 1:].sum()
        assert len(drawn) == pytest.approx(share * n_zeros, rel=0.15)


def test_weighted_likelihood_is_unbiased(small_city, flat):
    """Averaged over many draws, the weighted sum is that over all rows."""
    block = small_city.block
    value = np.sin(np.arange(block.n_days * block.n_cells))
    whole = value[: 60 * block.n_cells].sum()
    rng = np.random.default_rng(1)
    draws = []
    for _ in range(400):
        rows = draw_rows(block, flat, slice(0, 60), 20.0, rng, most_zeros=1200)
        draws.append((rows.weights * value[rows.index]).sum())
    standard_error = np.std(draws) / np.sqrt(len(draws))
    assert abs(np.mean(draws) - whole) < 3.5 * standard_error


def test_absent_columns_and_old_days_are_dropped_and_the_rest_kept_in_order(small_city):
    block = small_city.block
    features = block.features.copy()
    features[:60, :, 3] = np.nan
    late = replace(block, features=features)
    old = {f"target_lag_{k}" for k in range(8, 29)}
    kept = learnable_columns(late, slice(28, 61))
    wanted = tuple(n for n in block.names if n != "transit_subway_ratio" and n not in old)
    assert kept == wanted
    assert block.names[3] not in learnable_columns(late, slice(28, 60))
    np.testing.assert_array_equal(
        column_positions(block, ("weekday_cos", "target_lag_2")),
        [block.names.index("weekday_cos"), 1],
    )


def test_a_catalogue_without_its_single_days_keeps_all_else(small_city):
    names = tuple(f.name for f in feature_catalogue(["incidents", "robbery"]))
    block = small_city.block
    whole = replace(
        block, names=names, features=np.ones((block.n_days, block.n_cells, len(names)), np.float32)
    )
    kept = learnable_columns(whole, slice(28, 30))
    assert set(names) - set(kept) == {f"target_lag_{k}" for k in range(8, 29)}


def test_a_share_of_nothing_is_refused(small_city, flat):
    with pytest.raises(ValueError, match="above 0, not 0"):
        draw_rows(small_city.block, flat, slice(0, 9), 0.0, np.random.default_rng(0), most_zeros=9)
