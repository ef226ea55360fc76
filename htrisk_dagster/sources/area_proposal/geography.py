"""Where a city lies, from its points: zone of time, projection, bounding box, outline, middles of areas.

Belongs here: what coordinates tell by themselves. Does not: what must be asked (`cli/areas.py`), how a
grid is cut (`grid/`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.errors import SourceError
from htrisk_dagster.sources.boundaries import read_features
from htrisk_dagster.sources.layouts import Layout, read_header
from htrisk_dagster.study_areas.area import BoundingBox
from htrisk_dagster.study_areas.city_files import Ring

# Points farther from the middle than this many times the usual distance are errors of geocoding.
_FAR = 8.0
_EARTH_M = 6_371_000.0
_BUFFER_M = 500.0
_HULL_DECIMALS = 4


@dataclass(frozen=True)
class Ground:
    """What coordinates say of a place.

    Parameters
    ----------
    crs : str
        UTM zone of the middle, south of the equator one of 327xx.
    bounding_box : BoundingBox
        Of the outline, with a margin.
    hull : tuple of (float, float)
        Ring of longitude and latitude around all points; empty where a file gives the outline.
    middle : (float, float)
        Longitude and latitude.
    """

    crs: str
    bounding_box: BoundingBox
    hull: Ring
    middle: tuple[float, float]


def utm_zone(lon: float, lat: float) -> str:
    """EPSG code of the UTM zone of a point, the irregular zones of Norway left aside.

    Snyder, J. P. (1987). Map projections: a working manual. USGS Professional Paper 1395, p. 57.
    """
    zone = int((lon + 180) // 6) % 60 + 1
    return f"EPSG:{(32600 if lat >= 0 else 32700) + zone}"


def ground_of_points(lon: NDArray[np.float64], lat: NDArray[np.float64]) -> Ground:
    """Ground from points alone: the convex hull, widened by 500 m so that no point stands on its edge.

    A point more than eight times as far from the middle as half of all points is left out: one at
    (0, 0) or with its signs exchanged would stretch the hull over an ocean.

    Parameters
    ----------
    lon, lat : float64, shape (n,)
        Degrees, WGS 84; NaN and (0, 0) where there is no point.

    Raises
    ------
    SourceError
        Where fewer than three different points are left.
    """
    import shapely

    there = np.isfinite(lon) & np.isfinite(lat) & ((lon != 0) | (lat != 0))
    lon, lat = lon[there], lat[there]
    middle = (float(np.median(lon)), float(np.median(lat))) if lon.size else (0.0, 0.0)
    squeeze = np.cos(np.radians(middle[1]))
    metre = np.pi / 180 * _EARTH_M
    plane = np.column_stack([(lon - middle[0]) * squeeze, lat - middle[1]]) * metre
    distance = np.hypot(*plane.T)
    near = distance <= _FAR * max(float(np.median(distance)), 1.0) if lon.size else there[:0]
    if len(np.unique(plane[near], axis=0)) < 3:
        raise SourceError(
            f"{int(near.sum())} points are too few for an outline. Give a boundary file, or map an area."
        )
    around = shapely.convex_hull(shapely.multipoints(plane[near])).buffer(_BUFFER_M, quad_segs=4)
    ring = shapely.get_coordinates(around.exterior)[:-1] / metre / [squeeze, 1] + middle
    hull: Ring = tuple((lon, lat) for lon, lat in np.round(ring, _HULL_DECIMALS).tolist())
    return Ground(utm_zone(*middle), _box(ring), hull, middle)


def ground_of_file(path: Path, prop: str) -> Ground:
    """Ground from a GeoJSON file of an outline or of areas that has the property `prop`.

    Raises
    ------
    SourceError
        Where the file is no GeoJSON of polygons, or lacks the property.
    """
    import shapely

    header = read_header(path) if path.is_file() else None
    if header is None or header.form != "GeoJSON" or prop not in header.published:
        has = ", ".join(header.names) if header else "nothing"
        raise SourceError(
            f"{path} is no GeoJSON file with the property '{prop}'; it has {has}. Name one of them."
        )
    rows = read_features(path, header, Layout("boroughs", (prop,), forms=("GeoJSON",)))
    shapes = shapely.from_wkb(rows["geometry"].drop_nulls().to_list())
    if not len(shapes):
        raise SourceError(f"{path} has no polygon, so it gives no outline.")
    points = shapely.get_coordinates(shapes)
    centre = shapely.get_coordinates(shapely.centroid(shapely.union_all(shapes)))[0]
    middle = (float(centre[0]), float(centre[1]))
    return Ground(utm_zone(*middle), _box(points), (), middle)


def area_sizes(path: Path, prop: str, crs: str) -> pl.DataFrame:
    """Value of the property and square metres of each feature of a GeoJSON file of areas."""
    import shapely
    from pyproj import Transformer

    header = read_header(path)
    assert header is not None, "ground_of_file has looked"
    rows = read_features(path, header, Layout("precincts", (prop,), forms=("GeoJSON",))).drop_nulls(
        prop
    )
    to_plane = Transformer.from_crs("EPSG:4326", crs, always_xy=True)

    def in_metres(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(to_plane.transform(points[:, 0], points[:, 1]))

    shapes = shapely.transform(np.array(shapely.from_wkb(rows["geometry"].to_list())), in_metres)
    return pl.DataFrame({"code": rows[prop], "area_m2": shapely.area(shapes)})


def _box(points: NDArray[np.float64]) -> BoundingBox:
    (west, south), (east, north) = points.min(axis=0), points.max(axis=0)
    # Two cells: a point on the shore just off the outline is no error of geocoding.
    margin = 0.01
    low = np.floor(np.array([west, south]) * 100 - 100 * margin) / 100
    high = np.ceil(np.array([east, north]) * 100 + 100 * margin) / 100
    return BoundingBox(
        west=float(low[0]), south=float(low[1]), east=float(high[0]), north=float(high[1])
    )


@dataclass(frozen=True)
class ZonePlace:
    """A time zone with its country and its principal place, from the IANA database."""

    name: str
    country: str
    lon: float
    lat: float


@cache
def zone_places() -> tuple[ZonePlace, ...]:
    """Every zone of the IANA time zone database, from its `zone.tab`."""
    text = files("tzdata.zoneinfo").joinpath("zone.tab").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in text.splitlines() if line and not line.startswith("#"))
    return tuple(ZonePlace(row[2], row[0], *_degrees(row[1])) for row in rows)


def nearest_zone(lon: float, lat: float) -> ZonePlace:
    """Zone whose principal place is nearest: a guess, since zones follow borders and not distance."""
    places = zone_places()
    at = np.radians([[p.lon, p.lat] for p in places])
    here = np.radians([lon, lat])
    half = (at - here) / 2
    chord = np.sin(half[:, 1]) ** 2 + np.cos(at[:, 1]) * np.cos(here[1]) * np.sin(half[:, 0]) ** 2
    return places[int(np.argmin(chord))]


def country_of(zone: str) -> str | None:
    """ISO 3166 country of a time zone; None where it is of several or none, such as UTC."""
    return next((p.country for p in zone_places() if p.name == zone), None)


def _degrees(coordinates: str) -> tuple[float, float]:
    """Longitude and latitude of ISO 6709 text such as `-3452-05611` or `+421953-0830245`."""
    split = max(coordinates.rfind("+"), coordinates.rfind("-"))
    lat, lon = coordinates[:split], coordinates[split:]
    return _angle(lon, 4), _angle(lat, 3)


def _angle(text: str, width: int) -> float:
    sign = -1 if text[0] == "-" else 1
    degrees, minutes, seconds = text[1:width], text[width : width + 2], text[width + 2 :]
    return sign * (int(degrees) + int(minutes) / 60 + int(seconds or 0) / 3600)
