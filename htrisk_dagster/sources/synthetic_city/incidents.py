"""Draws of complaints from expectations, and at which point and time they are put.

Belongs here: how many happen where, their offence, minute, report and published point. Does not:
how they are written (`complaint_files`), the expectation (`intensity`), the law of reporting
(`reporting`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.sources.synthetic_city.corners import Corners
from htrisk_dagster.sources.synthetic_city.offences import FAMILIES, OFFENCES
from htrisk_dagster.sources.synthetic_city.reporting import draw_delays

# Hours 0 to 23 in thousandths, measured on NYPD felonies of 2014-15; noon is a default time.
HOUR_SHARES = (
    *(48, 35, 32, 30, 28, 19, 17, 23, 37, 42, 40, 39),
    *(59, 45, 52, 59, 55, 56, 55, 52, 49, 45, 43, 41),
)
MISSING_PER_THOUSAND = 30
_ON_THE_HOUR_PERCENT = 34
# Expectations become whole numbers of 2**-36 before a draw.
_UNITS = 2.0**36

Events = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Day and cell of each, shape (n,)."""


@dataclass(frozen=True)
class Incidents:
    """Complaints; n of them, in no order. Days count from the preset's first.

    Parameters
    ----------
    occurred, reported : ndarray of int64, shape (n,)
        Day of occurrence and of report.
    minute : ndarray of int64, shape (n,)
        Minute of the local day of occurrence.
    offence : ndarray of int64, shape (n,)
        Index into `OFFENCES`.
    cell, precinct : ndarray of int64, shape (n,)
        Index of the cell and of the precinct where it happened.
    point : ndarray of int64, shape (n,)
        Index of the point it was put at, see `corners.Corners`.
    """

    occurred: NDArray[np.int64]
    reported: NDArray[np.int64]
    minute: NDArray[np.int64]
    offence: NDArray[np.int64]
    cell: NDArray[np.int64]
    precinct: NDArray[np.int64]
    point: NDArray[np.int64]

    def of_family(self, name: str) -> NDArray[np.bool_]:
        """Whether each complaint is of this family, shape (n,)."""
        return np.array([o.family == name for o in OFFENCES])[self.offence]


def draw_events(expected: NDArray[np.float64], rng: np.random.Generator) -> Events:
    """Draw a Poisson process in whole days and cells.

    Parameters
    ----------
    expected : ndarray of float64, shape (D, C)
        Expected events.

    Notes
    -----
    The number of all events is Poisson; given that, each falls into a cell and day in proportion
    to the expectation. One pass over the expectations whatever the number of events.
    """
    upper = np.cumsum(np.rint(expected.ravel() * _UNITS).astype(np.int64))
    count = rng.poisson(int(upper[-1]) / _UNITS)
    ticket = np.sort(rng.integers(0, upper[-1], count))
    return np.divmod(np.searchsorted(upper, ticket, side="right"), expected.shape[1])


def complete_incidents(
    drawn: dict[str, Events], n_days: int, corners: Corners, rng: np.random.Generator
) -> Incidents:
    """Give every reported event its offence, minute, day of report and published point.

    Parameters
    ----------
    drawn : dict of str to (day, cell)
        Reported events of each family.
    n_days : int
        Days of the city: reports after the last day never come.
    corners : Corners
        Where a complaint can stand.
    rng : numpy.random.Generator
        Random numbers.
    """
    occurred = np.concatenate([drawn[f.name][0] for f in FAMILIES])
    cell = np.concatenate([drawn[f.name][1] for f in FAMILIES])
    offence = np.concatenate([_draw_offences(f.name, len(drawn[f.name][0]), rng) for f in FAMILIES])
    corner = corners.first[cell] + rng.integers(0, corners.count[cell])
    precinct = corners.precinct[corner]
    return Incidents(
        occurred=occurred,
        reported=occurred + draw_delays(n_days - occurred, rng),
        minute=_draw_minutes(len(occurred), rng),
        offence=offence,
        cell=cell,
        precinct=precinct,
        point=_geocode(corner, precinct, offence, corners, rng),
    )


def _draw_offences(family: str, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    members = np.array([i for i, o in enumerate(OFFENCES) if o.family == family])
    upper = np.cumsum([OFFENCES[i].yearly for i in members])
    drawn: NDArray[np.int64] = members[
        np.searchsorted(upper, rng.integers(0, upper[-1], count), side="right")
    ]
    return drawn


def _draw_minutes(count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    upper = np.cumsum(HOUR_SHARES)
    hour = np.searchsorted(upper, rng.integers(0, upper[-1], count), side="right")
    kind = rng.integers(0, 100, count)
    five, one = 5 * rng.integers(1, 12, count), rng.integers(1, 60, count)
    minute = np.where(kind < _ON_THE_HOUR_PERCENT, 0, np.where(kind < 80, five, one))
    of_day: NDArray[np.int64] = 60 * hour + minute
    return of_day


def _geocode(
    point: NDArray[np.int64],
    precinct: NDArray[np.int64],
    offence: NDArray[np.int64],
    corners: Corners,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Move offences that the publisher puts at the station house; leave 3% without a point."""
    at_station = {f.name for f in FAMILIES if f.at_station_house}
    moved = np.array([o.family in at_station for o in OFFENCES])[offence]
    placed = np.where(moved, corners.station[precinct], point)
    is_missing = rng.integers(0, 1000, len(point)) < MISSING_PER_THOUSAND
    return np.where(is_missing, corners.missing, placed)
