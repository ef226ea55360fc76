"""How many reported incidents fell in the small area that was pointed at.

Belongs here: indices at a share of the area, chosen anew each day, or of all cell-days together.
Does not: indices over all thresholds at once (`discrimination`), which reward order among cells
nobody will visit.

Each day the ceil(share x C) cells with the highest expected count are taken; among equal
expectations the lower cell index comes first. The area share of an index is the realised one,
cells taken over C, so rounding up never flatters a model. All cells are of one area.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from htrisk_dagster.evaluation.pairs import cells_in_budget, checked_pair, ratio


def counts_in_forecast_order(
    counts: NDArray[np.float64], expected: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Order the counts of each day by expectation, highest first; ties by lower cell index."""
    order = np.argsort(-expected, axis=1, kind="stable")
    return np.take_along_axis(counts, order, axis=1)


def counts_in_best_order(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Order the counts of each day, highest first: the best order, known only afterwards."""
    return -np.sort(-counts, axis=1)


def hit_rate(counts: ArrayLike, expected: ArrayLike, *, share: float) -> float:
    """Share of all incidents that fell in the top `share` of cells of their day, 0 to 1.

    NaN without an incident. Never print it without the share.
    """
    observed, forecast = checked_pair(counts, expected)
    taken = cells_in_budget(observed.shape[1], share)
    hits = counts_in_forecast_order(observed, forecast)[:, :taken].sum()
    return ratio(float(hits), float(observed.sum()))


def top_k_hit_rate(counts: ArrayLike, expected: ArrayLike, *, k: int) -> float:
    """Share of all incidents that fell in the `k` cells of the day with the highest expectation.

    The budget of a team that can visit k places a day. NaN without an incident.

    Raises
    ------
    ValueError
        Where k is not from 1 to the number of cells.
    """
    n_cells = int(np.shape(counts)[1])
    if not 1 <= k <= n_cells:
        raise ValueError(f"{k} of {n_cells} cells cannot be taken a day; use 1 to {n_cells}.")
    return hit_rate(counts, expected, share=k / n_cells)


def global_hit_rate(counts: ArrayLike, expected: ArrayLike, *, share: float) -> float:
    """Share of all incidents in the top `share` of all cell-days, 0 to 1.

    Days of high risk may take more cells than others, so this also rewards knowing *when*; a
    budget that must be spent evenly is scored by `hit_rate`. Ties go to the earlier day, then to
    the lower cell. NaN without an incident.
    """
    observed, forecast = checked_pair(counts, expected)
    return hit_rate(observed.reshape(1, -1), forecast.reshape(1, -1), share=share)


def global_pai(counts: ArrayLike, expected: ArrayLike, *, share: float) -> float:
    """Give `global_hit_rate` over the share of cell-days taken. NaN without an incident."""
    observed, forecast = checked_pair(counts, expected)
    return pai(observed.reshape(1, -1), forecast.reshape(1, -1), share=share)


def pai(counts: ArrayLike, expected: ArrayLike, *, share: float) -> float:
    """Predictive accuracy index: hit rate over the share of area taken.

    Chainey, Tompson and Uhlig 2008, doi 10.1057/palgrave.sj.8350066: (n / N) / (a / A). Cells
    taken at random give 1, and no forecast gives more than one over the share. NaN without an
    incident.
    """
    n_cells = int(np.shape(counts)[1])
    return hit_rate(counts, expected, share=share) * n_cells / cells_in_budget(n_cells, share)


def pei_star(counts: ArrayLike, expected: ArrayLike, *, share: float) -> float:
    """Prediction efficiency index PEI*: hits over the most that as many cells could have held.

    After White, Hunt and Green 2023, Security Journal (NCJ 306617): n / n*, where n* takes each
    day's best cells with hindsight, as many as the forecast took. 0 to 1. Where no day has more
    places with an incident than cells taken, n* is all incidents and PEI* is the hit rate. NaN
    without an incident.
    """
    observed, forecast = checked_pair(counts, expected)
    taken = cells_in_budget(observed.shape[1], share)
    hits = counts_in_forecast_order(observed, forecast)[:, :taken].sum()
    best = counts_in_best_order(observed)[:, :taken].sum()
    return ratio(float(hits), float(best))


def oracle_pai(intensity: ArrayLike, *, share: float) -> float:
    """PAI that knowing the true intensity, shape (D, C), gives in expectation.

    PAI*(a) = (sum of intensity in each day's top cells / sum of intensity) / a: a point of the
    Lorenz curve. It is the ceiling where the intensity is known, as in a synthetic city.
    """
    true = np.asarray(intensity, dtype=np.float64)
    return pai(true, true, share=share)


def pai_over_oracle(
    counts: ArrayLike, expected: ArrayLike, *, share: float, intensity: ArrayLike
) -> float:
    """PAI as a share of the oracle's: 1 is all that can be known beforehand.

    It may exceed 1 by chance on a finite test block. NaN without an incident.
    """
    return pai(counts, expected, share=share) / oracle_pai(intensity, share=share)
