"""A part of each borough: the smaller city of the same world.

Belongs here: which precincts a part keeps. Does not: rates (`presets`, `world`).

Of each borough the precincts around its busiest cell are kept, the nearest first, until they hold
`CELL_SHARE` of its cells: five contiguous parts of whole precincts, about 1,200 cells in all.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.sources.synthetic_city.land import BOROUGHS, Land
from htrisk_dagster.sources.synthetic_city.precincts import Precincts

CELL_SHARE = 0.36


def precincts_of_parts(
    land: Land, business: NDArray[np.float64], precincts: Precincts, precinct: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Choose the precincts.

    Parameters
    ----------
    land : Land
        The whole city.
    business : ndarray of float64, shape (C,)
        How busy a cell is.
    precincts : Precincts
        All precincts.
    precinct : ndarray of int64, shape (C,)
        Index of each cell's precinct.

    Returns
    -------
    ndarray of int64, shape (Q,)
        Indices of the precincts kept, ascending.
    """
    cells = np.bincount(precinct, minlength=len(precincts.number))
    kept = []
    for index in range(len(BOROUGHS)):
        own = np.flatnonzero(land.borough == index)
        busiest = own[np.argmax(business[own])]
        mine = np.flatnonzero(precincts.borough == index)
        away = np.hypot(
            precincts.centre_m[mine, 0] - land.x_m[busiest],
            precincts.centre_m[mine, 1] - land.y_m[busiest],
        )
        nearest = mine[np.argsort(away, kind="stable")]
        held = np.cumsum(cells[nearest])
        kept.append(nearest[: int(np.searchsorted(held, CELL_SHARE * held[-1])) + 1])
    return np.sort(np.concatenate(kept))
