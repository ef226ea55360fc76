"""Invented police precincts: a seeded split of each real borough, with the real numbers.

Belongs here: centres, polygons and station houses. Does not: how they are written
(`boundary_files`).

The split is a k-means of the borough's cells, weighted so that busy ground gets small precincts
as in the real city, and the Voronoi diagram of its centres clipped to the borough: a point lies in
the precinct of the nearest centre of its own borough.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.sources.synthetic_city.land import BOROUGHS, Land

if TYPE_CHECKING:
    from shapely import Geometry

NUMBERS: dict[str, tuple[int, ...]] = {
    "MANHATTAN": (
        *(1, 5, 6, 7, 9, 10, 13, 14, 17, 18),
        *(19, 20, 22, 23, 24, 25, 26, 28, 30, 32, 33, 34),
    ),
    "BRONX": (*range(40, 51), 52),
    "BROOKLYN": (*range(60, 64), *range(66, 74), *range(75, 80), 81, 83, 84, 88, 90, 94),
    "QUEENS": tuple(range(100, 117)),
    "STATEN ISLAND": tuple(range(120, 124)),
}
PRECINCT_COUNT = sum(map(len, NUMBERS.values()))
# Complaints of each precinct in ten thousandths of the city, in the order of `NUMBERS`: NYPD
# complaints by week of occurrence, 2022-2024. Precinct 116 opened on 2024-12-19.
SHARES: dict[str, tuple[int, ...]] = {
    "MANHATTAN": (
        *(159, 90, 115, 101, 108, 81, 137, 260, 67, 173, 159, 75, 6, 119, 88, 140),
        *(57, 96, 82, 121, 87, 125),
    ),
    "BRONX": (247, 130, 180, 230, 245, 125, 194, 207, 166, 138, 104, 187),
    "BROOKLYN": (
        *(122, 112, 125, 98, 89, 188, 95, 82, 133, 114, 108, 189, 312, 49, 111, 83),
        *(145, 93, 134, 117, 76, 118, 80),
    ),
    "QUEENS": (
        *(51, 83, 123, 200, 122, 161, 126, 122, 130, 202, 191, 68, 85, 150, 204, 178),
        2,
    ),
    "STATEN ISLAND": (163, 122, 96, 52),
}
# Numbers that the publisher puts under the northern of a borough's two patrol commands.
_NORTH = frozenset(
    (
        *(19, 20, 22, 23, 24, 25, 26, 28, 30, 32, 33, 34),
        *(73, 75, 77, 79, 81, 83, 84, 88, 90, 94),
        *(104, 108, 109, 110, 111, 112, 114, 115),
    )
)
_PATROL_NAMES = {"MANHATTAN": "MAN", "BROOKLYN": "BKLYN", "QUEENS": "QUEENS"}
_KMEANS_ROUNDS = 12


@dataclass(frozen=True)
class Precincts:
    """Precincts in the order of `BOROUGHS` and `NUMBERS`; P of them.

    Parameters
    ----------
    number, borough : ndarray of int64, shape (P,)
        Real number, and index into `BOROUGHS`.
    share : ndarray of int64, shape (P,)
        Share of the city's complaints in ten thousandths.
    centre_m : ndarray of float64, shape (P, 2)
        Centre in metres.
    polygons : tuple of shapely geometry
        Boundaries in metres.
    station_m : ndarray of float64, shape (P, 2)
        The station house, a point inside the polygon.
    """

    number: NDArray[np.int64]
    borough: NDArray[np.int64]
    share: NDArray[np.int64]
    centre_m: NDArray[np.float64]
    polygons: tuple[Geometry, ...]
    station_m: NDArray[np.float64]

    def locate(
        self, x_m: NDArray[np.float64], y_m: NDArray[np.float64], borough: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Index of the precinct of each point, given the borough it lies in, shape (n,)."""
        from scipy.spatial import cKDTree

        found = np.empty(x_m.shape, dtype=np.int64)
        for index in range(len(BOROUGHS)):
            inside = borough == index
            mine = np.flatnonzero(self.borough == index)
            nearest = cKDTree(self.centre_m[mine]).query(np.c_[x_m[inside], y_m[inside]])[1]
            found[inside] = mine[nearest]
        return found

    def kept(self, index: NDArray[np.int64]) -> Precincts:
        """Return some of the precincts, numbered anew in the order given."""
        return Precincts(
            self.number[index],
            self.borough[index],
            self.share[index],
            self.centre_m[index],
            tuple(self.polygons[i] for i in index.tolist()),
            self.station_m[index],
        )

    @property
    def patrol_names(self) -> list[str]:
        """The publisher's name of each precinct's patrol command."""
        return [
            _patrol_name(BOROUGHS[borough], number)
            for borough, number in zip(self.borough.tolist(), self.number.tolist(), strict=True)
        ]


def split_boroughs(
    land: Land, business: NDArray[np.float64], rng: np.random.Generator
) -> Precincts:
    """Invent the precincts.

    Parameters
    ----------
    land : Land
        The ground.
    business : ndarray of float64, shape (C,)
        How busy a cell is, any positive unit.
    rng : numpy.random.Generator
        Stream of this part.
    """
    import shapely

    numbers: list[int] = []
    boroughs: list[int] = []
    centres: list[NDArray[np.float64]] = []
    polygons: list[Geometry] = []
    for index, name in enumerate(BOROUGHS):
        cells = np.flatnonzero(land.borough == index)
        points = np.c_[land.x_m[cells], land.y_m[cells]]
        centre = _kmeans(points, business[cells], len(NUMBERS[name]), rng)
        # Real numbers rise northwards in Manhattan and, roughly, eastwards elsewhere.
        centre = centre[np.argsort(centre[:, 1 if name == "MANHATTAN" else 0], kind="stable")]
        regions = shapely.voronoi_polygons(
            shapely.multipoints(centre), extend_to=land.outlines[index], ordered=True
        )
        clipped = shapely.intersection(shapely.get_parts(regions), land.outlines[index])
        polygons += shapely.set_precision(clipped, 0.01).tolist()
        numbers += NUMBERS[name]
        boroughs += [index] * len(NUMBERS[name])
        centres.append(centre)
    stations = shapely.get_coordinates(shapely.point_on_surface(polygons))
    return Precincts(
        np.array(numbers),
        np.array(boroughs),
        np.array([share for name in BOROUGHS for share in SHARES[name]]),
        np.concatenate(centres),
        tuple(polygons),
        np.round(stations, 1),
    )


def _kmeans(
    points: NDArray[np.float64],
    weight: NDArray[np.float64],
    count: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Lloyd's rounds from random cells; centres rounded to 0.1 m, so all machines agree."""
    from scipy.spatial import cKDTree

    centre = points[rng.choice(len(points), count, replace=False)]
    for _ in range(_KMEANS_ROUNDS):
        nearest = cKDTree(centre).query(points)[1]
        mass = np.bincount(nearest, weight, minlength=count)
        moved = np.c_[
            np.bincount(nearest, weight * points[:, 0], minlength=count),
            np.bincount(nearest, weight * points[:, 1], minlength=count),
        ]
        # A centre without cells stays where it is.
        has_cells = mass > 0
        centre[has_cells] = np.round(moved[has_cells] / mass[has_cells, None], 1)
    return centre


def _patrol_name(borough: str, number: int) -> str:
    short = _PATROL_NAMES.get(borough)
    if short is None:
        return f"PATROL BORO {borough}"
    return f"PATROL BORO {short} {'NORTH' if number in _NORTH else 'SOUTH'}"
