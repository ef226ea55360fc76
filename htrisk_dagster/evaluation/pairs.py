"""What every metric is given: counts and the counts that were expected, by day and cell.

Belongs here: the checks that all metrics share, and the one conversion from a count to a
probability. Does not: any metric (the modules beside this one).

Every metric of `evaluation` is a pure function
`metric(counts, expected, *, <own options>) -> float` on two arrays of shape (D, C): D days by C
cells. It returns NaN where it is undefined, and its docstring says when that is.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray


def checked_pair(
    counts: ArrayLike, expected: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Check counts and expected counts, and return them as float64 of one shape (D, C).

    Raises
    ------
    ValueError
        Where the shapes differ or are not two-dimensional, a count is negative or missing, or an
        expected count is not a positive number: no event is impossible, so 0 is no forecast.
    """
    observed = np.asarray(counts, dtype=np.float64)
    forecast = np.asarray(expected, dtype=np.float64)
    if observed.ndim != 2 or observed.shape != forecast.shape:
        raise ValueError(
            f"Counts of shape {observed.shape} and expected counts of shape {forecast.shape} "
            "must be two arrays of one shape (days, cells)."
        )
    _refuse("Count", observed, ~(np.isfinite(observed) & (observed >= 0)), "0 or more")
    _refuse("Expected count", forecast, ~(np.isfinite(forecast) & (forecast > 0)), "above 0")
    return observed, forecast


def _refuse(what: str, values: NDArray[np.float64], wrong: NDArray[np.bool_], rule: str) -> None:
    if wrong.any():
        day, cell = (int(i) for i in np.argwhere(wrong)[0])
        raise ValueError(
            f"{what} of day {day}, cell {cell} is {values[day, cell]}; it must be {rule}."
        )


def ratio(numerator: float, denominator: float) -> float:
    """Quotient of two sums, NaN where the denominator is 0."""
    return float(numerator) / float(denominator) if denominator else math.nan


def cells_in_budget(n_cells: int, share: float) -> int:
    """Return the number of cells in a share of the area: ceil(share x C), one at least.

    All cells count as equal in area. A shore-line cell has less land than others, but a team that
    is sent to it covers the same square.

    Raises
    ------
    ValueError
        Where the share is not in (0, 1] or there is no cell.
    """
    if not 0 < share <= 1 or n_cells < 1:
        raise ValueError(
            f"A share of {share} of {n_cells} cells is no area; use a share in (0, 1]."
        )
    # 0.07 * 100 is 7.000000000000001 in binary; without the margin it would cost an eighth cell.
    return max(1, math.ceil(share * n_cells - 1e-9))


def probability_of_any(expected: ArrayLike) -> NDArray[np.float64]:
    """Probability of at least one event under a Poisson count, 1 - exp(-expected)."""
    return np.asarray(-np.expm1(-np.asarray(expected, dtype=np.float64)))


def top_cells(values: NDArray[np.float64], n: int) -> NDArray[np.bool_]:
    """The n highest cells of each row, as a mask of the same shape; a tie goes to the lower cell.

    Several times faster than sorting: it finds the n-th value and then who reaches it.
    """
    least = np.partition(values, values.shape[1] - n, axis=1)[:, values.shape[1] - n, None]
    above, tied = values > least, values == least
    left = n - above.sum(axis=1, keepdims=True)
    top: NDArray[np.bool_] = above | (tied & (np.cumsum(tied, axis=1) <= left))
    return top
