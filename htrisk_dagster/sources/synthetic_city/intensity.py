"""The true intensity: expected complaints of each family by day and cell.

Belongs here: fields in space, factors in time, and their product. Does not: draws of complaints
(`incidents`).

For family f, day d and cell c in zone z (a precinct, inside or outside the airport's corridor of
hotels)::

    lambda_f(d, c) = rate_f * calendar(d) * place_f(c) * factor_f(d, z(c))
    log place_f(c) = log share(borough) + 2.1 h - 0.5 h^2 + place terms
    h = rho_f g(c) + sqrt(1 - rho_f^2) g_f(c), at most 2.1, where the parabola turns
    factor_f(d, z) = (1 + effect_f attraction(d, precinct)) * exp(0.15 passengers(d) [corridor])

with g smooth Gaussian fields of length scale 1 km and variance 1, `attraction` from the event
permits and `passengers` the airport's monthly z-score. The bend of log place leaves much ground
nearly empty and holds the busiest back: the top 1, 5, 10 and 25% of cells hold about 10, 32, 49 and
75%; measured for NYPD robberies were 8, 29, 47 and 78%, and a straight log-normal of the same Gini
puts 15% into the top 1%. What is drawn has one more factor, a shock a day that nobody can
forecast, with mean 1.

Everything that passes through a function of the C library (exp, cos, a filter) is rounded, and
place is turned into whole numbers, before any draw depends on it: the bytes are then the same on
every machine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.sources.synthetic_city.land import BOROUGH_SHARES, CRS, Land, project
from htrisk_dagster.sources.synthetic_city.offences import FAMILIES, TARGET
from htrisk_dagster.sources.synthetic_city.presets import Preset

FIELD_SLOPE, FIELD_BEND, FIELD_TOP = 2.1, 0.5, 2.1
LENGTH_SCALE_CELLS = 2.0
AIRPORT_EFFECT = 0.15
SHOCK_VARIANCE = 0.006
# Monday to Sunday, measured on NYPD felonies of 2014-15.
WEEKDAY_SHARES = (0.143, 0.140, 0.142, 0.140, 0.155, 0.145, 0.134)
_SEASON_AMPLITUDE, _SEASON_PEAK_DAY = 0.13, 236
_HOLIDAY_FACTOR, _NEW_YEAR_FACTOR, _FIRST_OF_MONTH_FACTOR = 0.90, 1.25, 1.15
_AIRPORT_CORRIDOR = ((-73.807, 40.672), (-73.794, 40.660), (-73.780, 40.645))
_TARGET_STRIP = ((-73.896, 40.747), (-73.879, 40.748), (-73.862, 40.749))
_CORRIDOR_M, _STRIP_M = 1_500.0, 600.0
_CORRIDOR_LOG, _STRIP_LOG = 0.5, 1.5
_UNITS = 2**40


@dataclass(frozen=True)
class Places:
    """What does not change in time.

    Parameters
    ----------
    weights : dict of str to ndarray of int64, shape (C,)
        Place term of each family, whole numbers of 2**-40 of the city.
    business : ndarray of float64, shape (C,)
        How busy a cell is, from the shared field alone.
    in_corridor : ndarray of bool, shape (C,)
        Whether a cell lies in the airport's hotel corridor.
    """

    weights: dict[str, NDArray[np.int64]]
    business: NDArray[np.float64]
    in_corridor: NDArray[np.bool_]


def place_terms(land: Land, rng: np.random.Generator) -> Places:
    """Draw the fields and add the place terms."""
    shared = _smooth_field(land, rng)
    in_corridor = _near_line(land, _AIRPORT_CORRIDOR, _CORRIDOR_M)
    on_strip = _near_line(land, _TARGET_STRIP, _STRIP_M)
    weights = {}
    for family in FAMILIES:
        rho = family.correlation
        mixed = rho * shared + math.sqrt(1 - rho**2) * _smooth_field(land, rng)
        strip = _STRIP_LOG * on_strip if family.name == TARGET else 0.0
        height = np.minimum(mixed, FIELD_TOP)
        log_place = FIELD_SLOPE * height - FIELD_BEND * height**2 + _CORRIDOR_LOG * in_corridor
        place = np.round(np.exp(log_place + strip), 6)
        weights[family.name] = _share_out(place, land.borough)
    business = np.asarray(np.round(np.exp(shared * 0.7), 6), dtype=np.float64)
    return Places(weights, business, in_corridor)


def calendar_factor(preset: Preset) -> NDArray[np.float64]:
    """Weekday, season, holidays and the pile-up on the first of a month; mean 1, shape (D,)."""
    import holidays

    days = preset.days
    weekday = np.array(WEEKDAY_SHARES)[(days.astype(np.int64) + 3) % 7] * 7
    of_year = (days - days.astype("datetime64[Y]")).astype(np.int64)
    season = np.cos(2 * np.pi * (of_year - _SEASON_PEAK_DAY) / 365.25)
    known = holidays.country_holidays(
        "US", subdiv="NY", years=range(preset.first_day.year, preset.last_day.year + 1)
    )
    is_holiday = np.isin(days, np.array(sorted(known), dtype="datetime64[D]"))
    of_month = (days - days.astype("datetime64[M]")).astype(np.int64)
    factor = weekday * (1 + _SEASON_AMPLITUDE * season) * np.where(is_holiday, _HOLIDAY_FACTOR, 1)
    factor *= np.where(of_month == 0, _FIRST_OF_MONTH_FACTOR, 1)
    factor *= np.where(of_year == 0, _NEW_YEAR_FACTOR, 1)
    scaled: NDArray[np.float64] = np.round(factor / factor.mean(), 6)
    return scaled


def day_shocks(preset: Preset, rng: np.random.Generator) -> NDArray[np.float64]:
    """Gamma factors with mean 1 and variance `SHOCK_VARIANCE`, shape (D,)."""
    shape = 1 / SHOCK_VARIANCE
    return np.round(rng.gamma(shape, 1 / shape, len(preset.days)), 6)


def zone_factor(
    event_effect: float, attraction: NDArray[np.int64], passengers: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Events and airport by day and zone.

    Parameters
    ----------
    event_effect : float
        Relative rise per unit of attraction.
    attraction : ndarray of int64, shape (D, P)
        Attraction of the day's permitted events in each precinct, in hundredths.
    passengers : ndarray of float64, shape (D,)
        Z-score of the airport's passengers in the day's month.

    Returns
    -------
    ndarray of float64, shape (D, 2 P)
        Zone 2 p is precinct p outside the corridor, zone 2 p + 1 inside it.
    """
    events = np.round(1 + event_effect * attraction / 100, 6)
    airport = np.round(np.exp(AIRPORT_EFFECT * passengers), 6)
    return np.stack([events, events * airport[:, None]], axis=-1).reshape(len(events), -1)


def expected_by_zone(
    rate: float,
    calendar: NDArray[np.float64],
    factor: NDArray[np.float64],
    weights: NDArray[np.int64],
    zone: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the expected complaints of a family by day and zone, mean `rate` a day, (D, Z)."""
    mass = zone_mass(weights, zone, factor.shape[1]) / _UNITS
    relative = calendar[:, None] * factor * mass
    scale = rate * len(calendar) / relative.sum()
    expected: NDArray[np.float64] = np.round(relative * scale, 12)
    return expected


def expected_by_cell(
    expected: NDArray[np.float64], weights: NDArray[np.int64], zone: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Spread a zone's expectation over its cells by their weight, shape (D, C)."""
    mass = zone_mass(weights, zone, expected.shape[1])
    share = weights / mass[zone]
    return (expected[:, zone] * share).astype(np.float32)


def zone_mass(
    weights: NDArray[np.int64], zone: NDArray[np.int64], zone_count: int
) -> NDArray[np.int64]:
    """Sum of the weights in each zone, exact, shape (Z,)."""
    mass = np.zeros(zone_count, dtype=np.int64)
    np.add.at(mass, zone, weights)
    return mass


def _smooth_field(land: Land, rng: np.random.Generator) -> NDArray[np.float64]:
    """Filter white noise to a squared-exponential covariance; mean 0, sd 1 over the cells."""
    from scipy.ndimage import gaussian_filter

    row, col = land.row - land.row.min(), land.col - land.col.min()
    noise = rng.standard_normal((row.max() + 1, col.max() + 1))
    field = gaussian_filter(noise, LENGTH_SCALE_CELLS / math.sqrt(2), mode="wrap")[row, col]
    scaled: NDArray[np.float64] = np.round((field - field.mean()) / field.std(), 6)
    return scaled


def _share_out(place: NDArray[np.float64], borough: NDArray[np.int64]) -> NDArray[np.int64]:
    """Scale the place terms so that each borough holds its share; whole numbers, 1 at least."""
    total = np.bincount(borough, place)
    share = np.array(BOROUGH_SHARES)[borough] * place / total[borough]
    return np.maximum(np.round(share * _UNITS), 1).astype(np.int64)


def _near_line(
    land: Land, line: tuple[tuple[float, float], ...], within_m: float
) -> NDArray[np.bool_]:
    import shapely

    lon, lat = np.array(line).T
    path = shapely.linestrings(np.c_[project("EPSG:4326", CRS, lon, lat)])
    near: NDArray[np.bool_] = shapely.dwithin(shapely.points(land.x_m, land.y_m), path, within_m)
    return near
