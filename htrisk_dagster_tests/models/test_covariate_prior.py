from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.models.cell_lattice import CellLattice
from htrisk_dagster.models.covariate_prior import (
    covariate_matrix,
    expected_totals,
    series_levels,
)


def make_block(**columns) -> CellDayBlock:
    values = np.stack([np.asarray(c, dtype=np.float32) for c in columns.values()], axis=-1)
    n_cells = values.shape[1]
    return CellDayBlock(
        days=np.datetime64("2015-01-01") + np.arange(len(values)),
        features=values,
        names=tuple(columns),
        precinct_index=np.zeros(n_cells, dtype=np.int32),
        borough_index=np.zeros(n_cells, dtype=np.int32),
    )


def test_only_surroundings_enter_logged_and_standardised():
    mean = np.array([[0.0, 1.0, np.nan], [np.nan, 3.0, np.nan]])
    own = np.ones((2, 3))
    block = make_block(
        target_mean_364=own * [0.1, 1, 3],
        incidents_mean_364=mean,
        precinct_robbery_mean_364=own * [1, 2, 3],
        robbery_near_mean_364=own * [1, 2, 3],
        target_near_mean_364=own * np.nan,
        land_share=own * [0.0, 0.5, 1.0],
    )
    names, values = covariate_matrix(block, None)
    assert names == ("incidents_mean_364", "land_share")
    # Two cells known, so they stand at -1 and 1; the unknown one at their average.
    np.testing.assert_allclose(values[:, 0], [-1, 1, 0], atol=1e-6)
    land = np.log([0.01, 0.5, 1.0])
    np.testing.assert_allclose(values[:, 1], (land - land.mean()) / land.std(), atol=1e-6)


def test_cells_around_enter_series_by_series():
    """Four cells in a row; each sees the others by a kernel of one cell."""
    lattice = CellLattice(np.zeros(4, dtype=int), np.arange(4), np.ones(4))
    level = np.array([4.0, 0.0, 1.0, 2.0])
    names, values = covariate_matrix(make_block(robbery_mean_364=level[None]), lattice)
    assert names == ("robbery_mean_364", "around_robbery_mean_364")
    step = np.abs(np.arange(4)[:, None] - np.arange(4))
    weight = np.where(step > 0, np.exp(-0.5 * step**2.0), 0)
    around = np.log(364 * (weight @ level) / weight.sum(axis=1) + 0.5)
    np.testing.assert_allclose(values[:, 1], (around - around.mean()) / around.std(), rtol=1e-6)


def test_the_target_is_taken_out_of_what_covers_it():
    target = np.array([[0.1, 0.2, 0.4]])
    block = make_block(
        target_mean_364=target,
        incidents_mean_364=target + np.array([1.0, 2.0, 1.0]),
        same_mean_364=target,
        part_mean_364=target * [[0.5, 0.1, 1.0]],
        other_mean_364=[[0.0, 0.3, 0.3]],
    )
    levels = series_levels(block)
    assert set(levels) == {"incidents_mean_364", "same_mean_364", "other_mean_364"}
    np.testing.assert_allclose(levels["incidents_mean_364"], [1, 2, 1], rtol=1e-6)
    np.testing.assert_allclose(levels["other_mean_364"], [0, 0.3, 0.3], rtol=1e-6)
    # Nothing is left of the series that is the target, and a constant is no covariate.
    assert "same_mean_364" not in covariate_matrix(block, None)[0]


def test_a_constant_covariate_is_left_out():
    names, values = covariate_matrix(make_block(land_share=np.ones((3, 4))), None)
    assert names == ()
    assert values.shape == (4, 0)


def test_expected_totals_follow_the_covariate_and_keep_the_sum():
    rng = np.random.default_rng(7)
    X = rng.normal(size=(3000, 2))
    y = rng.poisson(np.exp(0.3 + X @ [0.8, -0.4])).astype(float)
    expected, prior_sd = expected_totals(y, X)
    assert prior_sd >= 0.4
    assert expected.sum() == pytest.approx(y.sum())
    slopes = np.linalg.lstsq(np.column_stack([np.ones(3000), X]), np.log(expected))[0]
    np.testing.assert_allclose(slopes, [0.3, 0.8, -0.4], atol=0.05)


def test_without_covariates_all_cells_expect_the_mean():
    expected, prior_sd = expected_totals(np.array([4.0, 0, 2]), np.empty((3, 0)))
    np.testing.assert_array_equal(expected, 2)
    assert prior_sd == 0
    assert expected_totals(np.zeros(5), np.ones((5, 1)))[0].sum() == pytest.approx(0.5)


def test_days_count_alike_whatever_their_number():
    """Twice the same days are the same averages."""
    block = make_block(incidents_mean_364=[[0.1, 0.4, 0.2]], land_share=[[1.0, 0.2, 0.3]])
    twice = replace(
        block, days=block.days[0] + np.arange(2), features=np.repeat(block.features, 2, axis=0)
    )
    once = covariate_matrix(block, None)[1]
    np.testing.assert_allclose(once, covariate_matrix(twice, None)[1], rtol=1e-6)
