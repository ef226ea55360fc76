"""Bands of risk: how many of a day's cells are called very high, high and elevated, and in which words.

Belongs here: shares of the cells, the band of a rank, the sentences of a legend. Does not: how a forecast
becomes a rank (`risk_table`), colours (`map_drawing`, the style sheets).

A band is an area budget: so many places can be visited. Half a percent of a city of beats or towns is
less than one of them, so that few places take wider budgets; else one beat would have a colour, and the
map would tell nothing of the others.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.evaluation.pairs import cells_in_budget
from htrisk_dagster.schemas.predictions import BANDS

# Upper ends of the first three bands as shares of the cells; DESIGN's area budgets of 0.5, 1 and 5%.
BAND_SHARES = (0.005, 0.01, 0.05)
# Of fewer cells than make the smallest of those budgets one whole cell.
BAND_SHARES_OF_FEW = (0.05, 0.15, 0.35)
FEW_CELLS = 200


def band_shares(n_cells: int) -> tuple[float, float, float]:
    """Upper ends of `very high`, `high` and `elevated` as shares of the cells."""
    return BAND_SHARES_OF_FEW if n_cells < FEW_CELLS else BAND_SHARES


def band_of(rank: NDArray[np.int32], n_cells: int) -> pl.Series:
    """Band of each rank; the top band has one cell at least, one that rounds to none is empty."""
    edges = [cells_in_budget(n_cells, share) for share in band_shares(n_cells)]
    return pl.Series(BANDS)[np.searchsorted(edges, rank, side="left")]


def band_words(n_cells: int, place: str = "cells") -> dict[str, str]:
    """Return what each band is, for a legend.

    Parameters
    ----------
    n_cells : int
        Cells of the map.
    place : str
        Their name in the plural.
    """
    top, high, elevated = (f"{100 * share:g}%" for share in band_shares(n_cells))
    return {
        "very high": f"very high: the top {top} of {place}",
        "high": f"high: from there to the top {high}",
        "elevated": f"elevated: from there to the top {elevated}",
        "baseline": f"baseline: all other {place}; an incident is less likely there, not ruled out",
    }
