"""Why a forecast is high or low: contributions on the log-rate scale, and what they are called.

Belongs here: the shape every model's reasons have, the field terms that features are grouped into,
top reasons, importance. Does not: how a model finds its contributions (`boosted_trees`,
`lstm_reasons`), nor what a plain rate says (`rate_reasons`).

Contributions of a cell-day add up to log(expected / city mean): 0.7 doubles the forecast, -0.7
halves it. They say what the model went by, not what causes incidents.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.features.block import CellDayBlock

LEARNED_LEVEL = "learned_level"
"""What a learner adds to every cell-day alike."""

_CITY, _BOROUGH, _PRECINCT = "city level", "borough", "precinct"
_CELL, _RECENT, _AROUND = "long-run rate of the cell", "own recent history", "surroundings"
_OFFENCES, _EVENTS, _MOBILITY = "other offences", "events", "airport and transit"
_WEEKDAY, _SEASON, _PLACE = "weekday", "season and holidays", "place"
GROUPS = (
    _RECENT, _AROUND, _OFFENCES, _CELL, _PRECINCT, _BOROUGH, _CITY,
    _EVENTS, _MOBILITY, _WEEKDAY, _SEASON, _PLACE,
)  # fmt: skip
"""Field terms in which reasons are told."""

# Tried in this order; what none fits describes the place, such as its land or its context.
_PATTERNS = tuple(
    (re.compile(pattern), group)
    for pattern, group in (
        (rf"^(rate_of_city|city_.*|{LEARNED_LEVEL})$", _CITY),
        (r"^(rate_of_weekday|weekday_.*|is_weekend)$", _WEEKDAY),
        (r"^(rate_of_borough|area_borough|borough_code)$", _BOROUGH),
        (r"^(rate_of_precinct|area_precinct|precinct_target_.*)$", _PRECINCT),
        (r"^(rate_of_cell|area_cell|target_mean_364)$", _CELL),
        (r"^events_", _EVENTS),
        (r"^(airport|transit)_", _MOBILITY),
        (r"^(year_day_.*|is_.*)$", _SEASON),
        (r"^target_near_", _AROUND),
        (r"^target_", _RECENT),
        (r"_(lag|mean|ewm)_\d+$", _OFFENCES),
    )
)


@dataclass(frozen=True)
class Attribution:
    """Contributions of features to n forecasts.

    Parameters
    ----------
    names : tuple of str, length K
        Features, parts of the offset, or groups.
    contributions : float64, shape (n, K)
        Their sum and `base` are the log of the expected count.
    base : float
        Log of the city's mean count per cell-day.
    """

    names: tuple[str, ...]
    contributions: NDArray[np.float64]
    base: float


@runtime_checkable
class Explains(Protocol):
    """A model that can say what its forecasts are made of."""

    def explain(self, block: CellDayBlock, rows: NDArray[np.int64]) -> Attribution:
        """Contributions to the forecasts of some cell-days; counts are never read.

        Parameters
        ----------
        block : CellDayBlock
            All cells of its days.
        rows : int64, shape (n,)
            Cell-days by number, day * C + cell.
        """
        ...


def group_of(name: str) -> str:
    """Field term of a feature or of a part of the offset, one of `GROUPS`; a term is its own."""
    if name in GROUPS:
        return name
    return next((group for pattern, group in _PATTERNS if pattern.search(name)), _PLACE)


def by_group(attribution: Attribution) -> Attribution:
    """Contributions summed by field term: the 12 `GROUPS`, 0 where a model has none of one."""
    position = np.array([GROUPS.index(group_of(name)) for name in attribution.names], dtype=int)
    summed = attribution.contributions @ np.eye(len(GROUPS))[position]
    return Attribution(GROUPS, summed, attribution.base)


def top_reasons(
    attribution: Attribution, k: int = 3
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Field terms that move each forecast most, the strongest first.

    Returns
    -------
    terms : int64, shape (n, k)
        Positions in `GROUPS`.
    contributions : float64, shape (n, k)
        Signed: above 0 raises the forecast over the city's mean.
    """
    grouped = by_group(attribution)
    # Stable, so that equal strengths keep the order of `GROUPS`.
    order = np.argsort(-np.abs(grouped.contributions), axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(grouped.contributions, order, axis=1)


def importance(attribution: Attribution) -> dict[str, float]:
    """Mean absolute contribution by name, the largest first."""
    mean = np.abs(attribution.contributions).mean(axis=0)
    order = np.argsort(-mean, kind="stable")
    return {attribution.names[i]: float(mean[i]) for i in order}


def group_importance(attribution: Attribution) -> dict[str, float]:
    """Mean absolute contribution by field term, the largest first.

    Features of a group that pull apart cancel within a cell-day before the mean is taken: near
    copies of one series would else count for more than they move.
    """
    return importance(by_group(attribution))
