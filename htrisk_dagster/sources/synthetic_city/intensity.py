"""The expected complaints of each family by day and cell, before self-excitation.

Belongs here: fields in space, how place, calendar, events and airport make an expectation. Does
not: factors of time alone (`calendar_factors`), fields in space and time (`space_time`), draws
(`incidents`).

For family f, day d and cell c in precinct p::

    lambda_f(d, c) = rate_f * calendar_f(d) * place_f(c) * exposure_f(d, c) * field_f(d, c)
    log place_f(c) = precinct term + slope_f h - bend_f h^2 + log hub_f [c is a hub]
                     + 0.5 [c in the airport's corridor] - 5.3 [c is open ground]
    h = rho_f g(c) + sqrt(1 - rho_f^2) g_f(c), held where the parabola turns
    exposure_f(d, c) = (1 + effect_f attraction(d, p)) * exp(0.15 passengers(d) [c in corridor])

with g smooth Gaussian fields of length scale 1 km and variance 1, `attraction` from the event
permits and `passengers` the airport's monthly z-score. The precinct term gives each precinct its
real share of the complaints. The bend of log place leaves much ground nearly empty and holds the
busiest back, as in the real city; a straight log-normal of the same Gini puts twice as much into
the busiest cells.

Everything that passes through a function of the C library (exp, cos, a filter) is rounded, and
intensities are turned into whole numbers, before any draw depends on them: the bytes are then the
same on every machine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.sources.synthetic_city.land import CRS, Land, project
from htrisk_dagster.sources.synthetic_city.offences import FAMILIES, TARGET, yearly_by_family
from htrisk_dagster.sources.synthetic_city.space_time import LENGTH_SCALE_CELLS

AIRPORT_EFFECT = 0.15
_AIRPORT_CORRIDOR = ((-73.807, 40.672), (-73.794, 40.660), (-73.780, 40.645))
_TARGET_STRIP = ((-73.896, 40.747), (-73.879, 40.748), (-73.862, 40.749))
_CORRIDOR_M, _STRIP_M = 1_500.0, 600.0
_CORRIDOR_LOG = 0.5
# Hubs, such as clusters of hotels, are one in ten of the fifth of cells that is busiest.
_BUSY_SHARE, _HUB_IN = 0.2, 10
# Parks, marsh and runways: patches of some kilometres where next to nothing is reported.
_OPEN_SHARE, _OPEN_FACTOR, _OPEN_SCALE_CELLS = 0.08, 0.005, 6.0
# Share of the city at which a cell of an even family is held back by half.
_CROWDED = 0.0026


@dataclass(frozen=True, eq=False)
class Places:
    """What does not change in time.

    Parameters
    ----------
    within : dict of str to ndarray of float64, shape (C,)
        Place term of each family without its precinct term, any unit.
    business : ndarray of float64, shape (C,)
        How busy a cell is, from the shared field alone.
    in_corridor : ndarray of bool, shape (C,)
        Whether a cell lies in the airport's hotel corridor.
    is_hub : ndarray of bool, shape (C,)
        Whether a cell draws some families above what its surroundings say.
    """

    within: dict[str, NDArray[np.float64]]
    business: NDArray[np.float64]
    in_corridor: NDArray[np.bool_]
    is_hub: NDArray[np.bool_]


def place_terms(land: Land, rng: np.random.Generator) -> Places:
    """Draw the fields and add the place terms."""
    shared = _smooth_field(land, rng)
    in_corridor = _near_line(land, _AIRPORT_CORRIDOR, _CORRIDOR_M)
    within: dict[str, NDArray[np.float64]] = {}
    for family in FAMILIES:
        rho = family.correlation
        mixed = rho * shared + math.sqrt(1 - rho**2) * _smooth_field(land, rng)
        height = np.minimum(mixed, family.slope / (2 * family.bend))
        log_place = family.slope * height - family.bend * height**2 + _CORRIDOR_LOG * in_corridor
        within[family.name] = np.asarray(np.round(np.exp(log_place), 6), dtype=np.float64)
    business = np.asarray(np.round(np.exp(shared * 0.7), 6), dtype=np.float64)
    is_busy = shared >= np.quantile(shared, 1 - _BUSY_SHARE)
    is_hub = is_busy & (rng.integers(0, _HUB_IN, len(shared)) == 0)
    is_hub |= _near_line(land, _TARGET_STRIP, _STRIP_M)
    ground = _smooth_field(land, rng, _OPEN_SCALE_CELLS)
    is_open = ground >= np.quantile(ground, 1 - _OPEN_SHARE)
    for values in within.values():
        values[is_open] *= _OPEN_FACTOR
    return Places(within, business, in_corridor, is_hub)


def place_shares(
    places: Places, precinct: NDArray[np.int64], share: NDArray[np.int64]
) -> dict[str, NDArray[np.float64]]:
    """Add the precinct terms: the share of each family's complaints in each cell.

    Parameters
    ----------
    places : Places
        From `place_terms`, of the whole city.
    precinct : ndarray of int64, shape (C,)
        Index of each cell's precinct.
    share : ndarray of int64, shape (P,)
        Share of each precinct in all complaints, any unit.

    Returns
    -------
    dict of str to ndarray of float64, shape (C,)
        Sums to 1 over the city, rounded to 1e-12. The target's hubs come on top of their
        precincts' shares.
    """
    yearly = yearly_by_family()
    cells = np.bincount(precinct, minlength=len(share))
    held = share / share.sum()
    uneven, rest = held * sum(yearly.values()), sum(yearly.values())
    even = {}
    for family in (f for f in FAMILIES if f.evenness):
        term = held ** (1 - family.evenness) * cells**family.evenness
        even[family.name] = term / term.sum()
        uneven = uneven - yearly[family.name] * even[family.name]
        rest -= yearly[family.name]
    # The other families make up for it, so that all together keep the precincts' shares.
    uneven = np.maximum(uneven / rest, held / 2)
    shares = {}
    for family in FAMILIES:
        within = places.within[family.name]
        place = within * np.where(places.is_hub, family.hub_factor, 1.0)
        counted = within if family.name == TARGET else place
        term = even.get(family.name, uneven)
        place = place * (term / np.bincount(precinct, counted, minlength=len(share)))[precinct]
        if family.evenness:
            place = place / (place + _CROWDED * place.sum())
            place *= (term / np.bincount(precinct, place, minlength=len(share)))[precinct]
        shares[family.name] = np.round(place / place.sum(), 12)
    return shares


def exposure(
    event_effect: float,
    attraction: NDArray[np.int64],
    passengers: NDArray[np.float64],
    precinct: NDArray[np.int64],
    in_corridor: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """Factor of permitted events and airport passengers by day and cell, known in advance.

    Parameters
    ----------
    event_effect : float
        Relative rise per unit of attraction.
    attraction : ndarray of int64, shape (D, P)
        Attraction of the day's permitted events in each precinct, in hundredths.
    passengers : ndarray of float64, shape (D,)
        Z-score of the airport's passengers in the day's month.
    precinct : ndarray of int64, shape (C,)
        Index of each cell's precinct.
    in_corridor : ndarray of bool, shape (C,)
        Whether a cell lies in the airport's hotel corridor.

    Returns
    -------
    ndarray of float32, shape (D, C)
        1 where there is neither.
    """
    events = np.round(1 + event_effect * attraction / 100, 6).astype(np.float32)
    airport = np.round(np.exp(AIRPORT_EFFECT * passengers), 6).astype(np.float32)
    factor = events[:, precinct]
    factor[:, in_corridor] *= airport[:, None]
    return factor


def scaled_place(
    rate: float,
    place: NDArray[np.float64],
    calendar: NDArray[np.float64],
    factor: NDArray[np.float32],
) -> NDArray[np.float64]:
    """Expected incidents a day by cell where calendar and exposure are 1, shape (C,).

    Parameters
    ----------
    rate : float
        Mean a day over all days and cells.
    place : ndarray of float64, shape (C,)
        Place term, any unit.
    calendar : ndarray of float64, shape (D,)
        Factors of the days.
    factor : ndarray of float32, shape (D, C)
        Exposure.
    """
    mean_factor = calendar @ factor / len(calendar)
    scaled: NDArray[np.float64] = place * np.round(rate / (place @ mean_factor), 9)
    return scaled


def _smooth_field(
    land: Land, rng: np.random.Generator, scale_cells: float = LENGTH_SCALE_CELLS
) -> NDArray[np.float64]:
    """Filter white noise to a squared-exponential covariance; mean 0, sd 1 over the cells."""
    from scipy.ndimage import gaussian_filter

    row, col = land.row - land.row.min(), land.col - land.col.min()
    noise = rng.standard_normal((row.max() + 1, col.max() + 1))
    field = gaussian_filter(noise, scale_cells / math.sqrt(2), mode="wrap")[row, col]
    scaled: NDArray[np.float64] = np.round((field - field.mean()) / field.std(), 6)
    return scaled


def _near_line(
    land: Land, line: tuple[tuple[float, float], ...], within_m: float
) -> NDArray[np.bool_]:
    import shapely

    lon, lat = np.array(line).T
    path = shapely.linestrings(np.c_[project("EPSG:4326", CRS, lon, lat)])
    near: NDArray[np.bool_] = shapely.dwithin(shapely.points(land.x_m, land.y_m), path, within_m)
    return near
