"""Gamma-Poisson shrinkage: the ratio of observed to expected, pooled over units or neighbours.

Belongs here: how much a unit's own count is believed, and its neighbours'. Does not: what is
expected (`covariate_prior`), the order of levels (`empirical_bayes`).

A unit with y incidents where e were expected gets the ratio (k + y) / (k + e): the posterior mean of
theta ~ Gamma(k, k) under y ~ Poisson(e theta). The strength k, in incidents, maximises the negative
binomial marginal likelihood over all units (Clayton and Kaldor 1987). Neighbours enter as so much
of an incident each, by a kernel on distance: a power prior (Ibrahim and Chen 2000).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.models.cell_lattice import CellLattice
from htrisk_dagster.models.count_distribution import estimate_dispersion

Array = NDArray[np.float64]

# In cells: of 500 m, from next door to half a borough.
BANDWIDTHS_CELLS = (0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 5.7, 8.0)
# In incidents.
NEIGHBOUR_STRENGTHS = (0.25, 1.0, 4.0, 16.0, 64.0, 256.0)


@dataclass(frozen=True)
class Neighbourhood:
    """How neighbours are pooled: `ratio` is (k + around observed) / (k + around expected).

    Parameters
    ----------
    bandwidth_cells : float
        Of the kernel that weighs neighbours, in cells; 0 where neighbours tell nothing.
    strength : float
        k, in incidents; inf where neighbours tell nothing.
    """

    bandwidth_cells: float
    strength: float

    def ratio(self, observed: Array, expected: Array, lattice: CellLattice) -> Array:
        """Ratio of each cell from the cells around it, its own count left out, shape (..., C)."""
        if math.isinf(self.strength):
            return np.ones_like(observed)
        around = lattice.sum_around(np.stack([observed, expected]), self.bandwidth_cells)
        result: Array = (self.strength + around[0]) / (self.strength + around[1])
        return result


def shrunk_ratio(observed: Array, expected: Array) -> tuple[Array, float]:
    """Posterior mean ratio of observed to expected for each unit of one level.

    Parameters
    ----------
    observed, expected : float64, shape (U,)
        Incidents counted, and expected by the level above (above 0), of each unit.

    Returns
    -------
    ratio : float64, shape (U,)
        (k + observed) / (k + expected), all above 0.
    strength : float
        k, in incidents; inf where the units differ no more than chance, and all ratios are 1.

    References
    ----------
    Clayton, D. and Kaldor, J. (1987). Empirical Bayes estimates of age-standardized relative risks
    for use in disease mapping. Biometrics 43.
    """
    strength = estimate_dispersion(observed, expected)
    return ratio_given(strength, observed, expected), strength


def ratio_given(strength: float, observed: Array, expected: Array) -> Array:
    """(k + observed) / (k + expected) for a strength k that is known; 1 where k is inf."""
    if math.isinf(strength):
        return np.ones_like(observed)
    return (strength + observed) / (strength + expected)


def ratio_of_others(
    unit: NDArray[np.int64], observed: Array, expected: Array
) -> tuple[Array, float]:
    """Shrunk ratio of each cell's unit without the cell itself, and the strength.

    Parameters
    ----------
    unit : int64, shape (C,)
        0-based unit of each cell, such as its precinct.
    observed, expected : float64, shape (C,)
        Incidents counted, and expected by the level above (above 0), of each cell.

    Returns
    -------
    ratio : float64, shape (C,)
    strength : float
        k of `shrunk_ratio` over units.
    """
    of_unit, due = np.bincount(unit, observed), np.bincount(unit, expected)
    strength = estimate_dispersion(of_unit, due)
    others = np.maximum(due[unit] - expected, 0)
    return ratio_given(strength, of_unit[unit] - observed, others), strength


def choose_neighbourhood(
    observed: Array, expected: Array, lattice: CellLattice
) -> tuple[Neighbourhood, float]:
    """Bandwidth and strength under which each cell is likeliest, given the cells around it.

    The score is `marginal_likelihood` of the counts around what each cell's neighbours, without
    itself, make of what was expected. That is a pseudo-likelihood (Besag 1975): no cell is asked to
    predict itself. Ignoring neighbours is one of the candidates.

    Parameters
    ----------
    observed, expected : float64, shape (C,)
        Incidents counted, and expected by the level above (above 0), of each cell.
    lattice : CellLattice
        Where the C cells lie.

    Returns
    -------
    neighbourhood : Neighbourhood
    score : float

    References
    ----------
    Besag, J. (1975). Statistical analysis of non-lattice data. The Statistician 24.
    Ibrahim, J. and Chen, M.-H. (2000). Power prior distributions for regression models. Stat. Sci. 15.
    """
    best, top = Neighbourhood(0.0, math.inf), marginal_likelihood(observed, expected)
    if not observed.any():
        return best, top
    both = np.stack([observed, expected])
    for bandwidth in BANDWIDTHS_CELLS:
        around, due = lattice.sum_around(both, bandwidth)
        for strength in NEIGHBOUR_STRENGTHS:
            ratio = ratio_given(strength, around, due)
            score = marginal_likelihood(observed, expected * ratio)
            if score > top:
                best, top = Neighbourhood(bandwidth, strength), score
    return best, top


def marginal_likelihood(observed: Array, mean: Array) -> float:
    """Negative binomial log likelihood at its best size, without the terms free of the mean."""
    from scipy.special import gammaln

    size = estimate_dispersion(observed, mean)
    hit = observed > 0
    y, mu = observed[hit], mean[hit]
    if math.isinf(size):
        return float((y * np.log(mu)).sum() - mean.sum())
    of_hits = gammaln(y + size) - gammaln(size) - y * np.log(size + mu) + y * np.log(mu)
    return float(of_hits.sum() - size * np.log1p(mean / size).sum())
