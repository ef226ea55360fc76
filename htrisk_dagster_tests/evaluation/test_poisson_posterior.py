from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.evaluation.poisson_posterior import (
    lasting_level,
    posterior_mode,
    weekly_overdispersion,
)
from scipy.optimize import minimize


@pytest.fixture
def data():
    rng = np.random.default_rng(5)
    x = rng.normal(0, 1, (4_000, 2))
    offset = rng.normal(-2, 0.5, 4_000)
    counts = rng.poisson(np.exp(offset + 0.3 + x @ [0.5, -0.2])).astype(float)
    return np.concatenate([np.ones((4_000, 1)), x], axis=1), counts, offset


def test_with_a_flat_prior_the_score_equations_hold(data):
    design, counts, offset = data
    found = posterior_mode(
        design, counts, offset=offset, prior_mean=np.zeros(3), prior_precision=np.zeros((3, 3))
    )
    residual = counts - np.exp(offset + design @ found)
    np.testing.assert_allclose(design.T @ residual, 0, atol=1e-3)
    # In truth 0.3, 0.5 and -0.2; a standard error is 1 / sqrt(900 incidents).
    np.testing.assert_allclose(found, [0.3, 0.5, -0.2], atol=0.12)


@pytest.mark.parametrize("overdispersion", [1.0, 4.0])
@pytest.mark.parametrize("bound", [-np.inf, 0.0])
def test_the_mode_is_the_one_that_a_general_optimiser_finds(data, bound, overdispersion):
    design, counts, offset = data
    mean = np.array([0.0, 0.2, 0.1])
    # Of each by itself, and of the sum of the last two.
    precision = np.diag([0.05, 0.3, 0.1]) ** 2
    precision = np.linalg.inv(precision) + np.outer([0, 1, 1], [0, 1, 1]) / 0.2**2

    def loss(at):
        log_mean = offset + design @ at
        likelihood = (counts @ log_mean - np.exp(log_mean).sum()) / overdispersion
        return -likelihood + (at - mean) @ precision @ (at - mean) / 2

    bounds = [(None, None), *[(None if np.isinf(bound) else bound, None)] * 2]
    reference = minimize(loss, mean, method="L-BFGS-B", bounds=bounds, tol=1e-12)
    found = posterior_mode(
        design,
        counts,
        offset=offset,
        prior_mean=mean,
        prior_precision=precision,
        lower=np.array([-np.inf, bound, bound]),
        overdispersion=overdispersion,
    )
    np.testing.assert_allclose(found, reference.x, atol=1e-4)
    assert loss(found) <= reference.fun + 1e-9
    # The last coefficient is negative in truth, so the bound holds it at 0.
    assert (found[2] == 0.0) == (bound == 0.0)


def test_without_an_incident_the_mode_still_exists(data):
    design, counts, offset = data
    found = posterior_mode(
        design,
        0 * counts,
        offset=offset,
        prior_mean=np.zeros(3),
        prior_precision=np.eye(3) / 0.05**2,
    )
    # Fewer than expected: the level falls, within a few standard deviations of its prior.
    assert -1.0 < found[0] < -0.05


def test_overdispersion_of_weeks_by_hand():
    counts = np.zeros((14, 3))
    counts[2, 1], counts[9, 0] = 6, 2
    # Four a week are expected: (2^2 + 2^2) / 4 over one degree of freedom.
    assert weekly_overdispersion(counts, np.full((14, 3), 7.0)) == pytest.approx(2.0)
    # Counts that are as even as that tell as much as independent ones, never more.
    counts[2, 1] = 2
    assert weekly_overdispersion(counts, np.full((14, 3), 7.0)) == 1.0
    assert weekly_overdispersion(counts[:7], np.full((7, 3), 7.0)) == 1.0


def test_what_lasts_of_a_level_by_hand():
    # One quarter: variance 0.04^2 + 1 / 10,000 = 0.0017; two standard deviations are 0.0825.
    for level in (0.08, -0.08, 0.0):
        assert lasting_level(level, 91, 10_000, 1.0) == 0.0
    assert lasting_level(-0.2, 91, 10_000, 1.0) == pytest.approx(-0.2 * (1 - 4 * 0.0017 / 0.04))
    # Four quarters: 0.0004 + 0.0001.
    assert lasting_level(0.08, 364, 10_000, 1.0) == pytest.approx(0.08 * (1 - 4 * 0.0005 / 0.0064))
    # Twenty incidents: 0.4 is within two standard deviations of nothing.
    assert lasting_level(0.4, 84, 20, 1.0) == 0.0
