"""Poisson regression of cell totals under a normal prior whose width the data choose.

Belongs here: the ridge fit, its evidence, the weights that keep busy cells from deciding alone.
Does not: covariates (`covariate_prior`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.models.count_distribution import estimate_dispersion

Array = NDArray[np.float64]

# Standard deviations of a coefficient. At 1, one standard deviation of a covariate changes the
# rate by a factor of e or less, most likely.
PRIOR_SDS = (0.05, 0.1, 0.2, 0.4, 1.0)
_WEIGHT_ROUNDS = 2


@dataclass(frozen=True)
class RidgeFit:
    """Posterior mode of log(mean) = intercept + covariates @ coefficients.

    Parameters
    ----------
    intercept : float
    coefficients : float64, shape (K,)
    prior_sd : float
        Standard deviation of the normal prior on each coefficient.
    log_evidence : float
        Laplace's approximation to the log marginal likelihood, without the factorials.
    """

    intercept: float
    coefficients: Array
    prior_sd: float
    log_evidence: float

    def expected(self, covariates: Array) -> Array:
        """Mean of each row of covariates, shape (C,)."""
        return np.asarray(np.exp(self.intercept + covariates @ self.coefficients))


def fit_ridge(
    totals: Array, covariates: Array, prior_sd: float, weights: Array | None = None
) -> RidgeFit:
    """Fit one Poisson regression with a normal prior on the coefficients, none on the intercept.

    Parameters
    ----------
    totals : float64, shape (C,)
        Counts, not all 0.
    covariates : float64, shape (C, K)
        Standardised, K at least 1.
    prior_sd : float
    weights : float64, shape (C,), or None
        How much of each cell's likelihood counts; all of it where None.
    """
    from sklearn.linear_model import PoissonRegressor

    weight = np.ones(len(totals)) if weights is None else weights
    precision = prior_sd**-2
    # scikit-learn divides the likelihood by the sum of weights.
    regression: Any = PoissonRegressor(
        alpha=precision / weight.sum(), solver="newton-cholesky", tol=1e-8, max_iter=200
    )
    regression.fit(covariates, totals, sample_weight=weight)
    beta = np.asarray(regression.coef_, dtype=np.float64)
    intercept = float(regression.intercept_)
    eta = intercept + covariates @ beta
    mean = np.exp(eta)
    design = np.column_stack([np.ones(len(totals)), covariates])
    hessian = design.T @ (design * (weight * mean)[:, None])
    hessian[np.arange(1, len(hessian)), np.arange(1, len(hessian))] += precision
    evidence = (
        float((weight * (totals * eta - mean)).sum())
        - 0.5 * precision * float(beta @ beta)
        + 0.5 * len(beta) * math.log(precision)
        - 0.5 * float(np.linalg.slogdet(hessian)[1])
    )
    return RidgeFit(intercept, beta, prior_sd, evidence)


def fit_by_evidence(totals: Array, covariates: Array) -> RidgeFit:
    """Fit with the prior of highest evidence, busy cells weighed by what they can tell.

    Cells differ by more than chance and covariates, so a Poisson likelihood believes the busiest
    too much. The negative binomial's score is the Poisson's with weights 1 / (1 + mean / r); two
    rounds of weights and size r come near its fit.

    Parameters
    ----------
    totals : float64, shape (C,)
        Counts, not all 0.
    covariates : float64, shape (C, K)
        Standardised, K at least 1.

    References
    ----------
    MacKay, D. (1992). Bayesian interpolation. Neural Computation 4.
    """
    from threadpoolctl import threadpool_limits

    weights = np.ones(len(totals))
    # Some thousand cells are nothing to share out: threads that wait for one another took ten times as
    # long, and sums over several differ in their last digit.
    with threadpool_limits(limits=1):
        for round_ in range(_WEIGHT_ROUNDS + 1):
            fits = [fit_ridge(totals, covariates, sd, weights) for sd in PRIOR_SDS]
            best = max(fits, key=lambda fit: fit.log_evidence)
            if round_ < _WEIGHT_ROUNDS:
                mean = best.expected(covariates)
                weights = 1 / (1 + mean / estimate_dispersion(totals, mean))
    return best
