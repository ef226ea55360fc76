"""Draws of complaints from the true intensity, and what reporting and geocoding do to them.

Belongs here: when and where complaints happen, when they are reported, at which point they are
put. Does not: how they are written (`complaint_files`), nor the intensity itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.sources.synthetic_city.corners import Corners
from htrisk_dagster.sources.synthetic_city.intensity import zone_mass
from htrisk_dagster.sources.synthetic_city.offences import FAMILIES, OFFENCES

# Hours 0 to 23 in thousandths, measured on NYPD felonies of 2014-15; noon is a default time.
HOUR_SHARES = (
    *(48, 35, 32, 30, 28, 19, 17, 23, 37, 42, 40, 39),
    *(59, 45, 52, 59, 55, 56, 55, 52, 49, 45, 43, 41),
)
MISSING_PER_THOUSAND = 30
_ON_THE_HOUR_PERCENT = 34
# Days from occurrence to report, and the share reported by then; even between the knots.
_DELAY_DAYS = (-1, 0, 1, 7, 30, 200, 1500)
_DELAY_SHARES = (0.0, 0.80, 0.85, 0.905, 0.95, 0.99, 1.0)
_DELAY_UNITS = 1_000_000


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
    precinct : ndarray of int64, shape (n,)
        Index of the precinct where it happened.
    point : ndarray of int64, shape (n,)
        Index of the point it was put at, see `corners.Corners`.
    """

    occurred: NDArray[np.int64]
    reported: NDArray[np.int64]
    minute: NDArray[np.int64]
    offence: NDArray[np.int64]
    precinct: NDArray[np.int64]
    point: NDArray[np.int64]


def draw_incidents(
    expected: dict[str, NDArray[np.float64]],
    weights: dict[str, NDArray[np.int64]],
    zone: NDArray[np.int64],
    corners: Corners,
    rng: np.random.Generator,
) -> Incidents:
    """Draw every family's complaints.

    Parameters
    ----------
    expected : dict of str to ndarray of float64, shape (D, Z)
        Expected complaints by family, day and zone, the day's shock included.
    weights : dict of str to ndarray of int64, shape (C,)
        Place terms by family.
    zone : ndarray of int64, shape (C,)
        Zone of each cell.
    corners : Corners
        Where a complaint can stand.
    rng : numpy.random.Generator
        Stream of this part.
    """
    days, offences, points = [], [], []
    for family in FAMILIES:
        day, cell = _draw_cells(expected[family.name], weights[family.name], zone, rng)
        days.append(day)
        points.append(corners.first[cell] + rng.integers(0, corners.count[cell]))
        offences.append(_draw_offences(family.name, len(day), rng))
    occurred, offence = np.concatenate(days), np.concatenate(offences)
    point = np.concatenate(points)
    precinct = corners.precinct[point]
    return Incidents(
        occurred=occurred,
        reported=occurred + _draw_delays(next(iter(expected.values())).shape[0] - occurred, rng),
        minute=_draw_minutes(len(occurred), rng),
        offence=offence,
        precinct=precinct,
        point=_geocode(point, precinct, offence, corners, rng),
    )


def _draw_cells(
    expected: NDArray[np.float64],
    weights: NDArray[np.int64],
    zone: NDArray[np.int64],
    rng: np.random.Generator,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Poisson counts by day and zone, then a cell of the zone by its weight."""
    counts = rng.poisson(expected)
    day, in_zone = (np.repeat(axis.ravel(), counts.ravel()) for axis in np.indices(counts.shape))
    order = np.argsort(zone, kind="stable")
    upper = np.cumsum(weights[order])
    last = np.cumsum(zone_mass(weights, zone, expected.shape[1]))
    first = np.concatenate([[0], last[:-1]])
    ticket = rng.integers(first[in_zone], last[in_zone])
    return day, order[np.searchsorted(upper, ticket, side="right")]


def _draw_offences(family: str, count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    members = np.array([i for i, o in enumerate(OFFENCES) if o.family == family])
    upper = np.cumsum([OFFENCES[i].yearly for i in members])
    drawn: NDArray[np.int64] = members[
        np.searchsorted(upper, rng.integers(0, upper[-1], count), side="right")
    ]
    return drawn


def _draw_delays(days_left: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Days to the report, given that it comes within `days_left` days (1: the same day)."""
    shares = np.interp(np.arange(_DELAY_DAYS[-1] + 1), _DELAY_DAYS, _DELAY_SHARES)
    upper = np.round(shares * _DELAY_UNITS).astype(np.int64)
    ticket = rng.integers(0, upper[np.minimum(days_left, len(upper)) - 1])
    delay: NDArray[np.int64] = np.searchsorted(upper, ticket, side="right")
    return delay


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
