"""Poisson regression with a Gaussian prior: coefficients that few incidents move little.

Belongs here: the most probable coefficients given counts, a prior and lower bounds, and what of a
level lasts. Does not: what is regressed on what (`recalibration`, `stacking`).

log E[count] = offset + design x coefficients. The log-likelihood is divided by `overdispersion`,
the quasi-likelihood of McCullagh and Nelder 1989, section 9.2: counts that vary together by week
tell less than as many independent ones. The sum of it and of the log-density of the prior is
concave, so there is one mode. It is found by Newton's method, each step a bounded least-squares
problem, halved until the sum rises.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.evaluation.bootstrap import sum_by_week

Array = NDArray[np.float64]

_MAX_STEPS = 100
_MAX_HALVINGS = 40
_SEASON_SD = 0.04
_SEASON_DAYS = 91
# Of the log-posterior, in nats: far below anything that would move a forecast.
_TOLERANCE = 1e-9


def posterior_mode(
    design: Array,
    counts: Array,
    *,
    offset: Array,
    prior_mean: Array,
    prior_precision: Array,
    lower: Array | None = None,
    overdispersion: float = 1.0,
) -> Array:
    """Most probable coefficients of a Poisson regression.

    Parameters
    ----------
    design : float64, shape (N, P)
        Columns of moderate size; centre them, or the prior of the intercept means little.
    counts, offset : float64, shape (N,)
        Observed counts, and the log of what is expected where all coefficients are 0.
    prior_mean : float64, shape (P,)
        Of a normal prior.
    prior_precision : float64, shape (P, P)
        Inverse of its covariance; zeros for a flat one.
    lower : float64, shape (P,), optional
        Lower bounds, -inf for none.
    overdispersion : float
        1 or above; see `weekly_overdispersion`.

    Returns
    -------
    float64, shape (P,)
    """
    from scipy.optimize import lsq_linear

    bounds = (np.full(len(prior_mean), -np.inf) if lower is None else lower, np.inf)

    def log_posterior(coefficients: Array) -> tuple[float, Array]:
        log_mean = offset + design @ coefficients
        mean = np.exp(log_mean)
        likelihood = float(counts @ log_mean - mean.sum()) / overdispersion
        off = coefficients - prior_mean
        return likelihood - float(off @ prior_precision @ off) / 2, mean

    at = np.maximum(prior_mean, bounds[0])
    value, mean = log_posterior(at)
    for _ in range(_MAX_STEPS):
        curvature = _curvature(design, mean / overdispersion, prior_precision)
        slope = design.T @ (counts - mean) / overdispersion
        slope -= prior_precision @ (at - prior_mean)
        # Maximising the quadratic within the bounds is least squares in its Cholesky factor.
        factor = np.linalg.cholesky(curvature)
        target = np.linalg.solve(factor, curvature @ at + slope)
        step = lsq_linear(factor.T, target, bounds, method="bvls", tol=1e-12).x - at
        risen, _ = log_posterior(at + step)
        halvings = 0
        while not risen >= value and halvings < _MAX_HALVINGS:
            step, halvings = step / 2, halvings + 1
            risen, _ = log_posterior(at + step)
        if not risen > value:
            break
        at, last = at + step, value
        value, mean = log_posterior(at)
        if value - last < _TOLERANCE:
            break
    return np.asarray(at)


def weekly_overdispersion(counts: NDArray[np.floating], expected: Array) -> float:
    """Pearson's statistic of the weekly totals over its degrees of freedom, 1 at least.

    Parameters
    ----------
    counts, expected : arrays, shape (D, C)
        Consecutive days. The level of `expected` does not matter: the totals are compared with
        its course over the weeks.
    """
    observed = sum_by_week(counts.sum(axis=1, dtype=np.float64))
    wanted = sum_by_week(expected.sum(axis=1))
    if len(observed) < 2 or not observed.sum():
        return 1.0
    wanted = wanted * (observed.sum() / wanted.sum())
    return max(1.0, float((np.square(observed - wanted) / wanted).sum()) / (len(observed) - 1))


def lasting_level(level: float, n_days: int, n_incidents: float, overdispersion: float) -> float:
    """Part of a level seen in past days that is worth carrying to the next.

    A city's total strays by some 4% from any forecast for a season and then by another 4%, so that a
    level of that size, learnt in one season, is as often wrong in the next. The variance of a level
    is 0.04^2 over the number of quarters seen, and that of the count: overdispersion / n. Within two
    standard deviations it is dropped; beyond, it shrinks by 1 - 4 variance / level^2, the rule of
    James and Stein 1961 with a margin.

    Parameters
    ----------
    level : float
        Log of observed over expected.
    n_days : int
        Days it was seen on.
    n_incidents, overdispersion : float
        Incidents on those days, and the variance of their weekly totals over the mean.
    """
    if level == 0:
        return 0.0
    variance = _SEASON_SD**2 * _SEASON_DAYS / n_days + overdispersion / n_incidents
    return level * max(0.0, 1 - 4 * variance / level**2)


def _curvature(design: Array, weights: Array, precision: Array) -> Array:
    return np.asarray((design * weights[:, None]).T @ design + precision)
