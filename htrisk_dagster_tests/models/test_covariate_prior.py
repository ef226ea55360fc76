from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.models.covariate_prior import covariate_matrix, expected_totals
from scipy.optimize import minimize


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
        target_mean_364=own * [1, 2, 3],
        incidents_mean_364=mean,
        precinct_target_near_mean_364=own * [1, 2, 3],
        land_share=own * [0.0, 0.5, 1.0],
        target_near_mean_364=own * np.nan,
    )
    names, values = covariate_matrix(block)
    assert names == ("incidents_mean_364", "land_share")
    # Two cells known, so they stand at -1 and 1; the unknown one at their average.
    np.testing.assert_allclose(values[:, 0], [-1, 1, 0], atol=1e-6)
    land = np.log([0.01, 0.5, 1.0])
    np.testing.assert_allclose(values[:, 1], (land - land.mean()) / land.std(), atol=1e-6)


def test_a_constant_covariate_is_left_out():
    names, values = covariate_matrix(make_block(land_share=np.ones((3, 4))))
    assert names == ()
    assert values.shape == (4, 0)


def test_regression_against_a_direct_minimisation():
    rng = np.random.default_rng(7)
    X = rng.normal(size=(300, 2))
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    y = rng.poisson(np.exp(0.3 + X @ [0.8, -0.4])).astype(float)

    def loss(beta):
        eta = beta[0] + X @ beta[1:]
        return (np.exp(eta) - y * eta).sum() + 0.5 * (beta[1:] ** 2).sum()

    beta = minimize(loss, np.zeros(3), method="BFGS", options={"gtol": 1e-7}).x
    np.testing.assert_allclose(expected_totals(y, X), np.exp(beta[0] + X @ beta[1:]), rtol=1e-4)


def test_without_covariates_all_cells_expect_the_mean():
    np.testing.assert_array_equal(expected_totals(np.array([4.0, 0, 2]), np.empty((3, 0))), 2)
    assert expected_totals(np.zeros(5), np.ones((5, 1))).sum() == pytest.approx(0.5)


def test_days_count_alike_whatever_their_number():
    """Twice the same days are the same averages."""
    block = make_block(incidents_mean_364=[[0.1, 0.4, 0.2]], land_share=[[1.0, 0.2, 0.3]])
    twice = replace(
        block, days=block.days[0] + np.arange(2), features=np.repeat(block.features, 2, axis=0)
    )
    np.testing.assert_allclose(covariate_matrix(block)[1], covariate_matrix(twice)[1], rtol=1e-6)
