from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from htrisk_dagster.models.poisson_regression import PRIOR_SDS, fit_by_evidence, fit_ridge
from scipy.stats import norm


@pytest.fixture
def data():
    rng = np.random.default_rng(7)
    X = rng.normal(size=(300, 2))
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    return X, rng.poisson(np.exp(0.3 + X @ [0.8, -0.4])).astype(float)


@pytest.mark.parametrize("prior_sd", [0.1, 1.0])
def test_coefficients_equal_statsmodels_penalised_glm(data, prior_sd):
    X, y = data
    fit = fit_ridge(y, X, prior_sd)
    # statsmodels divides the likelihood by the number of rows; the intercept is not penalised.
    penalty = np.array([0.0, 1, 1]) / (prior_sd**2 * len(y))
    glm = sm.GLM(y, sm.add_constant(X), family=sm.families.Poisson())
    wanted = glm.fit_regularized(alpha=penalty, L1_wt=0.0, cnvrg_tol=1e-12, maxiter=500).params
    np.testing.assert_allclose([fit.intercept, *fit.coefficients], wanted, atol=2e-5)


def test_a_wide_prior_is_statsmodels_maximum_likelihood(data):
    X, y = data
    fit = fit_ridge(y, X, prior_sd=1e4)
    wanted = sm.GLM(y, sm.add_constant(X), family=sm.families.Poisson()).fit().params
    np.testing.assert_allclose([fit.intercept, *fit.coefficients], wanted, rtol=1e-5)


def test_weights_count_a_cell_twice(data):
    X, y = data
    weights = np.where(np.arange(len(y)) < 100, 2.0, 1.0)
    twice = fit_ridge(np.concatenate([y, y[:100]]), np.concatenate([X, X[:100]]), 0.4)
    np.testing.assert_allclose(
        fit_ridge(y, X, 0.4, weights).coefficients, twice.coefficients, rtol=1e-6
    )


def test_evidence_against_integration_of_the_posterior(data):
    """One covariate: integrate likelihood times prior over slope and intercept (flat)."""
    X, y = data[0][:60, :1], data[1][:60]

    differences = []
    for prior_sd in (0.1, 1.0):
        fit = fit_ridge(y, X, prior_sd)
        step = np.linspace(-1, 1, 401)
        intercept = fit.intercept + step[:, None, None]
        slope = fit.coefficients[0] + step[None, :, None]
        eta = intercept + X[:, 0] * slope
        log_joint = (y * eta - np.exp(eta)).sum(axis=2) + norm.logpdf(slope[..., 0], scale=prior_sd)
        top = log_joint.max()
        integral = np.exp(log_joint - top).sum() * (step[1] - step[0]) ** 2
        differences.append(np.log(integral) + top - fit.log_evidence)
    # A constant is left out, the same for all priors.
    assert differences[0] == pytest.approx(differences[1], abs=0.05)


def test_useless_covariates_get_a_narrow_prior_and_useful_ones_a_wide():
    rng = np.random.default_rng(8)
    X = rng.normal(size=(800, 12))
    noise = fit_by_evidence(rng.poisson(0.5, 800).astype(float), X)
    assert noise.prior_sd == PRIOR_SDS[0]
    assert np.abs(noise.coefficients).max() < 0.1
    slopes = np.where(np.arange(12) < 4, 0.8, 0.0)
    told = fit_by_evidence(rng.poisson(0.3 * np.exp(X @ slopes)).astype(float), X)
    assert told.prior_sd >= 0.4
    np.testing.assert_allclose(told.coefficients, slopes, atol=0.15)


def test_busy_cells_do_not_decide_alone():
    """Cells differ by more than the covariate says: the weighted fit has the smaller error."""
    rng = np.random.default_rng(9)
    plain, weighted = [], []
    for _ in range(25):
        X = rng.normal(size=(600, 1))
        y = rng.poisson(20 * np.exp(0.7 * X[:, 0]) * rng.gamma(0.7, 1 / 0.7, 600)).astype(float)
        plain.append(fit_ridge(y, X, 1.0).coefficients[0])
        weighted.append(fit_by_evidence(y, X).coefficients[0])
    assert np.std(weighted) < 0.9 * np.std(plain)
    assert np.mean(weighted) == pytest.approx(0.7, abs=0.06)
