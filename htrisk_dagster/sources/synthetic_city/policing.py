"""Policing feedback: discovered offences follow patrols, and patrols follow discovered offences.

Belongs here: the loop of months, when the switch is on. Does not: offences that somebody reports.

Half of the patrols are fixed. The other half goes to precincts in proportion to what was discovered
there in the month before (Lum and Isaac 2016; Ensign et al. 2018), and the number of patrols stays
what it was. What is discovered in a precinct is proportional to its patrols. Busy precincts thus
look ever busier, though what happens there has not changed.

References
----------
Lum, K. and Isaac, W. (2016). To predict and serve? Significance 13.
Ensign, D. et al. (2018). Runaway feedback loops in predictive policing. FAT*.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.sources.synthetic_city.incidents import Events, draw_events

DISCOVERED = "drugs"
_FOLLOWING_SHARE = 0.5


def draw_discovered(
    expected: NDArray[np.float64],
    days: NDArray[np.datetime64],
    precinct: NDArray[np.int64],
    rng: np.random.Generator,
) -> tuple[Events, NDArray[np.float64]]:
    """Draw the discovered offences month by month.

    Parameters
    ----------
    expected : ndarray of float64, shape (D, C)
        What would be discovered with the patrols of the first month throughout.
    days : ndarray of datetime64[D], shape (D,)
        Days.
    precinct : ndarray of int64, shape (C,)
        Index of each cell's precinct.
    rng : numpy.random.Generator
        Random numbers.

    Returns
    -------
    events : (day, cell)
        What was discovered.
    patrols : ndarray of float64, shape (D, P)
        Patrols of each precinct, 1 in the first month and on average.
    """
    month = (days.astype("datetime64[M]") - days[0].astype("datetime64[M]")).astype(np.int64)
    n_precincts = int(precinct.max()) + 1
    patrols = np.ones((len(days), n_precincts))
    current = np.ones(n_precincts)
    drawn_days, drawn_cells = [], []
    for number in range(int(month[-1]) + 1):
        of_month = np.flatnonzero(month == number)
        patrols[of_month] = current
        day, cell = draw_events(expected[of_month] * current[precinct], rng)
        drawn_days.append(day + of_month[0])
        drawn_cells.append(cell)
        found = np.bincount(precinct[cell], minlength=n_precincts)
        follows = found / max(found.mean(), 1 / n_precincts)
        # Rounded: a draw depends on it.
        current = np.round(1 - _FOLLOWING_SHARE + _FOLLOWING_SHARE * follows, 6)
    return (np.concatenate(drawn_days), np.concatenate(drawn_cells)), patrols
