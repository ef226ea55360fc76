"""Sums that come out the same whatever the order: integers of a fixed unit, divided last.

Belongs here: from floating-point terms to integer sums, their union over units of work, and the figures
read from them. Does not: the terms (`evaluation`).

Sums of doubles depend on their order, and with tiles and machines the order is chance. A term is rounded
once to a multiple of 2^-32, 2e-10 of an incident; from there on all is integer arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

UNIT = 2.0**-32
# int64 holds 2e9 of a term's unit of 1; a row of cells is summed at once, rows in Python's integers.
_LARGEST = 2.0**20

Sums = Mapping[str, int]


def fixed_sum(terms: NDArray[np.floating]) -> int:
    """Sum of terms in units of 2^-32.

    Parameters
    ----------
    terms : float, shape (D, C)

    Raises
    ------
    ValueError
        Where a term is not finite, or 2^20 and more.
    """
    if not (np.abs(terms) < _LARGEST).all():
        raise ValueError("A term of a fixed-point sum is not finite or above a million.")
    units = np.rint(terms.astype(np.float64) / UNIT).astype(np.int64)
    return sum(int(row) for row in np.atleast_2d(units).sum(axis=-1))


def added(parts: Iterable[Sums]) -> dict[str, int]:
    """Sums of all parts by name, in order of name."""
    total: dict[str, int] = {}
    for part in parts:
        for name, value in part.items():
            total[name] = total.get(name, 0) + value
    return dict(sorted(total.items()))


def figures(sums: Sums, forecasts: Iterable[str], budgets: Iterable[float]) -> dict[str, float]:
    """Means and rates by name, each one division of two integers.

    Parameters
    ----------
    sums : mapping of str to int
        With `cell_days`, `incidents`, and of each forecast `expected:<name>`, `deviance:<name>` in units
        and `hits:<name>:<budget>`.
    forecasts : iterable of str
    budgets : iterable of float
        Shares of the area.
    """
    incidents = max(sums["incidents"], 1)
    found = {"incidents": float(sums["incidents"]), "cell_days": float(sums["cell_days"])}
    for name in forecasts:
        found[f"expected:{name}"] = sums[f"expected:{name}"] * UNIT
        found[f"deviance:{name}"] = sums[f"deviance:{name}"] / sums["cell_days"] * UNIT
        for budget in budgets:
            found[f"hit_rate:{name}:{budget}"] = sums[f"hits:{name}:{budget}"] / incidents
    return found
