"""What a cell's surroundings say about its rate, before its own incidents are looked at.

Belongs here: the covariates of a place, and what the empirical Bayes prior expects of them. Does
not: the regression (`poisson_regression`), shrinkage, how the features are made (`features`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.models.cell_lattice import CellLattice
from htrisk_dagster.models.poisson_regression import fit_by_evidence

Array = NDArray[np.float64]

_DAYS = 364
_SMALLEST_LAND_SHARE = 0.01
# Of the kernel over the cells around, its own left out.
_AROUND_CELLS = 1.0
_TARGET = "target"
LEVEL_SUFFIX = f"_mean_{_DAYS}"
IN_CELL, NEAR, IN_PRECINCT = (
    f"{{}}{LEVEL_SUFFIX}", f"{{}}_near{LEVEL_SUFFIX}", f"precinct_{{}}{LEVEL_SUFFIX}"
)  # fmt: skip
SERIES_FORMS = (IN_CELL, NEAR, IN_PRECINCT)


def covariate_matrix(
    block: CellDayBlock, lattice: CellLattice | None
) -> tuple[tuple[str, ...], Array]:
    """Covariates of each cell, averaged over the block's days, logged and standardised.

    They are the incidents of each series over 364 days in the cell and in the cells around, and the
    share of land. Rates multiply, so a covariate enters as a power: means per day as
    log(incidents in 364 days + 1/2), the share of land as its log. A cell that lacks one on all
    days gets the average of the others; a covariate that most cells lack, or that is the same
    everywhere, is left out.

    A series that covers the target enters without it, and one that is part of the target not at
    all: in training days they hold the very counts to be explained.

    Parameters
    ----------
    block : CellDayBlock
    lattice : CellLattice or None
        Where the cells lie; without it nothing is known of the cells around.

    Returns
    -------
    names : tuple of str, length K
    values : float64, shape (C, K)
        Mean 0 and standard deviation 1 over cells.
    """
    return standardised(_logged_levels(block, lattice), block.n_cells)


def standardised(
    covariates: Iterable[tuple[str, Array]], n_cells: int
) -> tuple[tuple[str, ...], Array]:
    """Covariates with mean 0 and standard deviation 1 over cells, those that tell something.

    Parameters
    ----------
    covariates : iterable of str and float64, shape (C,)
        Name and values, NaN where a cell lacks one.
    n_cells : int
        C.

    Returns
    -------
    names : tuple of str, length K
    values : float64, shape (C, K)
        0 where a cell lacks one; a covariate that most cells lack, or that is the same everywhere,
        is left out.
    """
    names: list[str] = []
    columns: list[Array] = []
    for name, values in covariates:
        found = np.isfinite(values)
        if found.mean() < 0.5:
            continue
        spread = float(values[found].std())
        if spread > 1e-9:
            names.append(name)
            columns.append(np.where(found, (values - values[found].mean()) / spread, 0))
    matrix = np.column_stack(columns) if columns else np.empty((n_cells, 0))
    return tuple(names), matrix


def day_mean(block: CellDayBlock, name: str) -> Array:
    """Mean of a feature over the days on which it is known, shape (C,); NaN where on none."""
    daily = block.column(name)
    known = np.isfinite(daily)
    n_known = known.sum(axis=0)
    total = np.where(known, daily, 0).sum(axis=0, dtype=np.float64)
    return np.where(n_known > 0, total / np.maximum(n_known, 1), np.nan)


def series_levels(block: CellDayBlock, form: str = IN_CELL) -> dict[str, Array]:
    """Incidents per day of each series, the target's taken out of it, by the name of its column.

    Parameters
    ----------
    block : CellDayBlock
    form : str
        How the columns are named, `{}` for the series: in the cell, around it or in its precinct.

    Returns
    -------
    dict of str to float64, shape (C,)
        A series that covers the target everywhere is given without it; one that the target covers
        everywhere is part of it and left out.
    """
    before, after = form.split("{}")
    longer = [f for f in SERIES_FORMS if f != form and len(f) > len(form)]
    levels = {
        name: day_mean(block, name)
        for name in block.names
        if name.startswith(before)
        and name.endswith(after)
        and not any(_has_form(name, other) for other in longer)
    }
    target = levels.pop(form.format(_TARGET), None)
    if target is None:
        return levels
    apart = {}
    for name, level in levels.items():
        if np.all((level >= target) | np.isnan(level)):
            apart[name] = level - target
        elif not np.all((level <= target) | np.isnan(level)):
            apart[name] = level
    return apart


def _has_form(name: str, form: str) -> bool:
    before, after = form.split("{}")
    return name.startswith(before) and name.endswith(after)


def log_level(per_day: Array) -> Array:
    """log(incidents in 364 days + 1/2) of means per day."""
    return np.asarray(np.log(np.maximum(per_day, 0) * _DAYS + 0.5))


def log_land(block: CellDayBlock) -> Array:
    """Log of each cell's share of land, shape (C,); a hundredth at least."""
    return np.asarray(np.log(np.maximum(day_mean(block, "land_share"), _SMALLEST_LAND_SHARE)))


def _logged_levels(block: CellDayBlock, lattice: CellLattice | None) -> Iterator[tuple[str, Array]]:
    for name, level in series_levels(block).items():
        yield name, log_level(level)
        if lattice is not None:
            known = np.isfinite(level)
            both = np.stack([np.where(known, level, 0), known.astype(np.float64)])
            total, number = lattice.sum_around(both, _AROUND_CELLS)
            with np.errstate(invalid="ignore"):
                around = np.where(number > 1e-6, total / number, np.nan)
            yield f"around_{name}", log_level(around)
    if "land_share" in block.names:
        yield "land_share", log_land(block)


def expected_totals(totals: Array, covariates: Array) -> tuple[Array, float]:
    """Estimate the incidents of each cell by a Poisson regression on the covariates.

    Parameters
    ----------
    totals : float64, shape (C,)
        Incidents over the training days.
    covariates : float64, shape (C, K)
        Standardised; K = 0 gives every cell the city's mean.

    Returns
    -------
    expected : float64, shape (C,)
        Above 0, with the sum of `totals` (of half an incident where there is none).
    prior_sd : float
        Standard deviation of the prior on the coefficients; 0 where there is no regression.
    """
    n_cells = len(totals)
    city_total = max(float(totals.sum()), 0.5)
    if covariates.shape[1] == 0 or not totals.any():
        return np.full(n_cells, city_total / n_cells), 0.0
    fit = fit_by_evidence(totals, covariates)
    fitted = fit.expected(covariates)
    return np.asarray(fitted * (city_total / fitted.sum())), fit.prior_sd
