"""What a cell's surroundings say about its rate, before its own incidents are looked at.

Belongs here: the covariates of the empirical Bayes prior and the small Poisson regression on them.
Does not: shrinkage (`empirical_bayes`), how the features are made (`features`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.features.block import CellDayBlock

_DAYS = 364
_SMALLEST_LAND_SHARE = 0.01


def _is_covariate(name: str) -> bool:
    """Whether a feature describes a place rather than the forecast target in it."""
    if name == "land_share" or name == f"incidents_mean_{_DAYS}":
        return True
    return name.endswith(f"_near_mean_{_DAYS}") and not name.startswith(("precinct_", "city_"))


def covariate_matrix(block: CellDayBlock) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Covariates of each cell, averaged over the block's days, logged and standardised.

    Rates multiply, so a covariate enters as a power: means per day as log(incidents in 364 days +
    1/2), the share of land as its log. A cell that lacks one on all days, such as an island
    without neighbours, gets the average of the others; a covariate that most cells lack, or that
    is the same everywhere, is left out.

    Returns
    -------
    names : tuple of str, length K
    values : float64, shape (C, K)
        Mean 0 and standard deviation 1 over cells.
    """
    names: list[str] = []
    columns: list[NDArray[np.float64]] = []
    for name in filter(_is_covariate, block.names):
        daily = block.column(name)
        known = np.isfinite(daily)
        n_known = known.sum(axis=0)
        found = n_known > 0
        if found.mean() < 0.5:
            continue
        level = np.where(known, daily, 0).sum(axis=0, dtype=np.float64) / np.maximum(n_known, 1)
        if name == "land_share":
            logged = np.log(np.maximum(level, _SMALLEST_LAND_SHARE))
        else:
            logged = np.log(np.maximum(level, 0) * _DAYS + 0.5)
        spread = float(logged[found].std())
        if spread > 1e-9:
            names.append(name)
            columns.append(np.where(found, (logged - logged[found].mean()) / spread, 0))
    values = np.column_stack(columns) if columns else np.empty((block.n_cells, 0))
    return tuple(names), values


def expected_totals(
    totals: NDArray[np.float64], covariates: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Estimate the incidents of each cell by a Poisson regression on the covariates.

    The ridge penalty is a normal prior with standard deviation 1 on each coefficient: one
    standard deviation of a covariate changes the rate by a factor of e or less, most likely.

    Parameters
    ----------
    totals : float64, shape (C,)
        Incidents over the training days.
    covariates : float64, shape (C, K)
        Standardised; K = 0 gives every cell the city's mean.

    Returns
    -------
    float64, shape (C,)
        Above 0, with the sum of `totals` (of half an incident where there is none).
    """
    n_cells = len(totals)
    city_total = max(float(totals.sum()), 0.5)
    if covariates.shape[1] == 0 or not totals.any():
        return np.full(n_cells, city_total / n_cells)

    from sklearn.linear_model import PoissonRegressor

    # scikit-learn divides the likelihood by the number of rows, hence 1 / n for a unit prior.
    regression = PoissonRegressor(
        alpha=1 / n_cells, solver="newton-cholesky", tol=1e-8, max_iter=200
    )
    fitted = np.asarray(regression.fit(covariates, totals).predict(covariates), dtype=np.float64)
    return np.asarray(fitted * (city_total / fitted.sum()), dtype=np.float64)
