"""From longitude and latitude to the plane of a grid: a polynomial of the projection.

Belongs here: the fit, its bound of error, its evaluation. Does not: cells (`cells`), the projection
itself, which is PROJ's.

PROJ takes 160 ns a point, nine tenths of the time of finding its cell. Over one city a transverse
Mercator is so smooth that a polynomial of low degree in longitude and latitude gives it to a
fraction of a millimetre, in a tenth of the time. Whoever needs to know on which side of a line a
point lies asks PROJ again for the few points that are nearer to it than the bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer

_WGS84 = "EPSG:4326"
_DEGREES = range(3, 8)
_NODES = 16
# The lowest degree that keeps to it is taken; a box that none serves is left to PROJ.
LARGEST_ERROR_M = 1e-3

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LocalProjection:
    """Polynomial of a projection over a box in degrees.

    Parameters
    ----------
    centre, half : (float, float)
        Longitude and latitude of the box's centre, and half its sides.
    x, y : float64, shape (d + 1, d + 1)
        Coefficients by power of scaled longitude and of scaled latitude.
    error_m : float
        Largest distance from PROJ found on a mesh that the fit has not seen, metres.
    """

    centre: tuple[float, float]
    half: tuple[float, float]
    x: Array
    y: Array
    error_m: float

    def covers(self, lon: Array, lat: Array) -> NDArray[np.bool_]:
        """Which points lie in the box; NaN does not."""
        return (np.abs(lon - self.centre[0]) <= self.half[0]) & (
            np.abs(lat - self.centre[1]) <= self.half[1]
        )

    def transform(self, lon: Array, lat: Array) -> tuple[Array, Array]:
        """Metres in the plane, shape (n,) each; meaningless outside the box."""
        u = (lon - self.centre[0]) / self.half[0]
        v = (lat - self.centre[1]) / self.half[1]
        return _evaluated(self.x, u, v), _evaluated(self.y, u, v)


@cache
def to_plane(crs: str) -> Transformer:
    """PROJ's own way from WGS 84 to `crs`, longitude first."""
    return Transformer.from_crs(_WGS84, crs, always_xy=True)


def to_degrees(crs: str, points_m: Array) -> tuple[Array, Array]:
    """Longitude and latitude of points in metres of `crs`, shape (n, 2)."""
    lon, lat = to_plane(crs).transform(points_m[:, 0], points_m[:, 1], direction="INVERSE")
    return lon, lat


@cache
def local_projection(
    crs: str, west_m: float, south_m: float, east_m: float, north_m: float
) -> LocalProjection | None:
    """Fit the projection over a box that holds a rectangle of the plane.

    Parameters
    ----------
    crs : str
        Projected CRS in metres.
    west_m, south_m, east_m, north_m : float
        The rectangle, metres.

    Returns
    -------
    LocalProjection or None
        None where the rectangle is so large that the fit misses `LARGEST_ERROR_M`.
    """
    project = to_plane(crs)
    side = np.linspace(0, 1, 50)
    edge_x = west_m + (east_m - west_m) * np.concatenate([side, side, 0 * side, 0 * side + 1])
    edge_y = south_m + (north_m - south_m) * np.concatenate([0 * side, 0 * side + 1, side, side])
    lon, lat = project.transform(edge_x, edge_y, direction="INVERSE")
    if not (np.isfinite(lon).all() and np.isfinite(lat).all()) or np.ptp(lon) > 180:
        return None
    centre = (float(lon.min() + lon.max()) / 2, float(lat.min() + lat.max()) / 2)
    half = (float(np.ptp(lon)) / 2 * 1.001, float(np.ptp(lat)) / 2 * 1.001)

    def mesh(steps: Array) -> tuple[Array, Array, Array, Array]:
        u, v = (axis.ravel() for axis in np.meshgrid(steps, steps))
        x, y = project.transform(centre[0] + half[0] * u, centre[1] + half[1] * v)
        return u, v, np.asarray(x), np.asarray(y)

    nodes = mesh(np.cos(np.pi * (np.arange(_NODES) + 0.5) / _NODES))  # Chebyshev's
    unseen = mesh(np.linspace(-1, 1, 4 * _NODES + 1))
    for degree in _DEGREES:
        coefficients = _fitted(degree, *nodes)
        u, v, x, y = unseen
        found = [_evaluated(c, u, v) for c in coefficients]
        error = float(np.hypot(found[0] - x, found[1] - y).max())
        if error <= LARGEST_ERROR_M:
            return LocalProjection(centre, half, coefficients[0], coefficients[1], error)
    return None


def _fitted(degree: int, u: Array, v: Array, x: Array, y: Array) -> Array:
    """Least squares of both coordinates, shape (2, degree + 1, degree + 1)."""
    powers = [(i, j) for i in range(degree + 1) for j in range(degree + 1 - i)]
    terms = np.column_stack([u**i * v**j for i, j in powers])
    solved, *_ = np.linalg.lstsq(terms, np.column_stack([x, y]), rcond=None)
    coefficients = np.zeros((2, degree + 1, degree + 1))
    for (i, j), values in zip(powers, solved, strict=True):
        coefficients[:, i, j] = values
    return coefficients


def _evaluated(coefficients: Array, u: Array, v: Array) -> Array:
    """Horner's rule in v, within it in u."""
    degree = len(coefficients) - 1
    total = np.full(u.shape, coefficients[0, degree])
    for j in range(degree - 1, -1, -1):
        inner = np.full(u.shape, coefficients[degree - j, j])
        for i in range(degree - j - 1, -1, -1):
            inner *= u
            inner += coefficients[i, j]
        total *= v
        total += inner
    return total
