"""Offences that are published at the station house, forecast where they are known: by precinct.

Belongs here: the rates of precincts, pooled to borough and city, and their weekdays. Does not:
which offences these are (`grid/location_quality.py`), forecasts by cell (the models beside this one).

Rates go from city to borough to precinct. The city's is shared out by what else is reported in a
precinct, then each level is shrunk to the one above: the gamma-Poisson of Clayton and Kaldor 1987
(Biometrics 43), whose strength is estimated (`shrinkage`). Counts are by day of report, since these
offences are often reported long after, and a forecast of occurrences would wait for years for its
truth.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.models.count_distribution import estimate_dispersion
from htrisk_dagster.models.shrinkage import shrunk_ratio
from htrisk_dagster.models.weekdays import weekday_multipliers, weekday_of

Array = NDArray[np.float64]

WINDOW_DAYS = 730
"""Two years of reports: labels and practice change over longer times."""
_NEW_PRECINCT = 0.05  # of what a mean precinct reports


@dataclass(frozen=True)
class PrecinctRates:
    """What one offence group is expected to do.

    Parameters
    ----------
    rates : float64, shape (P,)
        Reports a day of each precinct, above 0.
    weekday : float64, shape (7,)
        Multiplier, Monday first.
    size : float
        Of the negative binomial around an expectation; inf is the Poisson.
    """

    rates: Array
    weekday: Array
    size: float

    def expected(self, days: NDArray[np.datetime64]) -> Array:
        """Give expected reports, shape (D, P)."""
        return np.asarray(self.weekday[weekday_of(days)][:, None] * self.rates)


def fit_precinct_rates(
    days: NDArray[np.datetime64],
    counts: NDArray[np.integer],
    common: NDArray[np.integer],
    borough: NDArray[np.integer],
) -> PrecinctRates:
    """Fit the rates of one offence group.

    Parameters
    ----------
    days : datetime64[D], shape (D,)
        Days of report, all known before the day that is forecast.
    counts : int, shape (D, P)
        Reports of the group.
    common : int, shape (P,)
        Reports of all other groups on these days.
    borough : int, shape (P,)
        0-based borough of each precinct.

    Returns
    -------
    PrecinctRates

    Raises
    ------
    ValueError
        Where there is no day or no precinct.
    """
    if not counts.size:
        raise ValueError(f"Counts of shape {counts.shape} hold no precinct-day; give at least one.")
    totals = counts.sum(axis=0, dtype=np.float64)
    # A precinct that has just been split off has no report yet, and will.
    exposure = common + max(_NEW_PRECINCT * float(common.mean()), 1.0)
    # Half a report: where none was ever made, one is still possible.
    expected = max(float(totals.sum()), 0.5) * exposure / exposure.sum()
    if not totals.any():
        return PrecinctRates(expected / len(days), np.ones(7), math.inf)
    of_borough = np.bincount(borough, totals).astype(np.float64)
    due = np.bincount(borough, expected).astype(np.float64)
    ratio = np.ones(len(due))
    ratio[due > 0], _ = shrunk_ratio(of_borough[due > 0], due[due > 0])
    expected = expected * ratio[borough]
    of_precinct, _ = shrunk_ratio(totals, expected)
    rates = expected * of_precinct / len(days)
    daily = counts.sum(axis=1, dtype=np.float64)
    weekday, _ = weekday_multipliers(days, daily, np.full(len(days), rates.sum()))
    size = estimate_dispersion(counts, weekday[weekday_of(days)][:, None] * rates)
    return PrecinctRates(rates, weekday, size)
