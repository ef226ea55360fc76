"""Poisson regression refitted without each spatial block: interval and out-of-block deviance at once.

Belongs here: the regression, its delete-one-block refits, and what they say. Does not: which variables
and counts are related (`context_relation`).

Neighbouring cells resemble each other, so that an interval made as if they were independent is far too
narrow, and a fit judged on its neighbours looks too good (Roberts et al. 2017, "Cross-validation
strategies for data with temporal, spatial, hierarchical, or phylogenetic structure", Ecography 40).
Both are mended by the same refits. Leaving out one block of cells after the other gives

- the cluster jackknife, V = (G - 1)/G sum (b_g - mean b)^2, with Student's t at G - 1 degrees of freedom
  (MacKinnon, Nielsen and Webb 2023, "Fast and reliable jackknife and bootstrap methods for
  cluster-robust inference", Journal of Applied Econometrics 38): it needs no model of over-dispersion,
  for Poisson estimates are consistent whatever the variance;
- a forecast of every cell by a fit that saw nothing of its block.

All refits are one batch of weighted least squares: a block is left out by weights of zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_ITERATIONS = 60
_TOLERANCE = 1e-10
_WIDEST = (
    30.0  # of the linear predictor from the offset; a level without a count goes to minus infinity
)


@dataclass(frozen=True, eq=False)
class BlockFits:
    """Coefficients with all blocks and without each, and forecasts out of block.

    Parameters
    ----------
    coefficients : float64, shape (K,)
    without_block : float64, shape (G, K)
        Row g is fitted without block g.
    out_of_block : float64, shape (n,)
        Expected count of each cell by the fit without its block.
    """

    coefficients: NDArray[np.float64]
    without_block: NDArray[np.float64]
    out_of_block: NDArray[np.float64]

    @property
    def standard_errors(self) -> NDArray[np.float64]:
        """Cluster jackknife, shape (K,)."""
        g = len(self.without_block)
        spread = ((self.without_block - self.without_block.mean(axis=0)) ** 2).sum(axis=0)
        errors: NDArray[np.float64] = np.sqrt((g - 1) / g * spread)
        return errors

    def interval(self, k: int, coverage: float = 0.95) -> tuple[float, float]:
        """Interval of coefficient `k`, Student's t at G - 1 degrees of freedom."""
        from scipy.stats import t

        reach = t.ppf(0.5 + coverage / 2, len(self.without_block) - 1) * self.standard_errors[k]
        return float(self.coefficients[k] - reach), float(self.coefficients[k] + reach)


def fit_without_blocks(
    design: NDArray[np.float64],
    counts: NDArray[np.float64],
    exposure: NDArray[np.float64],
    block: NDArray[np.int64],
) -> BlockFits:
    """Fit counts ~ Poisson(exposure x exp(design b)), with all blocks and without each.

    Parameters
    ----------
    design : float64, shape (n, K)
        With a constant, or levels that sum to one.
    counts, exposure : float64, shape (n,)
        Exposure above 0.
    block : int64, shape (n,)
        0 to G-1; every block has a row.
    """
    n_blocks = int(block.max()) + 1
    weights = np.ones((n_blocks + 1, len(counts)))
    weights[block, np.arange(len(counts))] = 0.0  # row g is without block g; the last has all
    fitted = _newton(design, counts, np.log(exposure), weights)
    predictor = np.einsum("nk,nk->n", design, fitted[block]).clip(-_WIDEST, _WIDEST)
    return BlockFits(fitted[-1], fitted[:-1], exposure * np.exp(predictor))


def _newton(
    design: NDArray[np.float64],
    counts: NDArray[np.float64],
    offset: NDArray[np.float64],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Newton's steps for every row of weights, shape (R, K)."""
    k = design.shape[1]
    products = (design[:, :, None] * design[:, None, :]).reshape(len(design), k * k)
    # A level without a count has no curvature left on its way to minus infinity.
    ridge = 1e-9 * np.eye(k)
    total = np.log((weights @ counts) / (weights @ np.exp(offset)))
    # The constant is in the span of the design: start at the overall rate.
    start = np.linalg.lstsq(design, np.ones(len(design)), rcond=None)[0]
    beta: NDArray[np.float64] = total[:, None] * start
    for _ in range(_ITERATIONS):
        predictor = (beta @ design.T).clip(-_WIDEST, _WIDEST)
        expected = weights * np.exp(predictor + offset)
        gradient = (weights * counts - expected) @ design
        curvature = (expected @ products).reshape(-1, k, k) + ridge
        step = np.linalg.solve(curvature, gradient[:, :, None])[:, :, 0]
        step *= np.minimum(1.0, 2.0 / np.abs(step).max(axis=1, keepdims=True).clip(min=1e-12))
        beta = beta + step
        if np.abs(step).max() < _TOLERANCE:
            break
    return beta


def poisson_deviance(
    counts: NDArray[np.float64], expected: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Unit deviance 2 (y log(y/m) - y + m) of each cell, shape (n,)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(counts > 0, counts * np.log(counts / expected), 0.0)
    deviance: NDArray[np.float64] = 2.0 * (ratio - counts + expected)
    return deviance
