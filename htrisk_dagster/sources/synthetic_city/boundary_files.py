"""Boundaries of the synthetic city as GeoJSON in the publisher's layout.

Belongs here: the two files. Does not: how the outlines come about (`land`, `precincts`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from htrisk_dagster.sources.synthetic_city.land import BOROUGHS, CRS, Land, project
from htrisk_dagster.sources.synthetic_city.precincts import Precincts

if TYPE_CHECKING:
    from shapely import Geometry

FEET_PER_METRE = 3937 / 1200  # US survey foot, the unit of the publisher's lengths.
_GRID_DEGREES = 1e-7  # About a centimetre.


def borough_geojson(land: Land) -> str:
    """Borough boundaries (gthc-hcne): WGS 84, one feature a borough."""
    properties = [
        {
            "borough": name,
            "borough_code": index + 1,
            "name": name.title(),
            "shape_area": _square_feet(outline),
            "shape_length": _feet(outline),
        }
        for index, (name, outline) in enumerate(zip(BOROUGHS, land.outlines, strict=True))
    ]
    return _collection(properties, land.outlines)


def precinct_geojson(precincts: Precincts) -> str:
    """Police precincts (y76i-bdw7): WGS 84, one feature a precinct, properties as text."""
    properties = [
        {
            "precinct": str(number),
            "shape_leng": str(_feet(polygon)),
            "shape_area": str(_square_feet(polygon)),
        }
        for number, polygon in zip(precincts.number, precincts.polygons, strict=True)
    ]
    return _collection(properties, precincts.polygons)


def _collection(properties: Sequence[Mapping[str, object]], metres: Sequence[Geometry]) -> str:
    import shapely

    degrees = shapely.set_precision(
        [
            shapely.transform(g, lambda x, y: project(CRS, "EPSG:4326", x, y), interleaved=False)
            for g in metres
        ],
        _GRID_DEGREES,
    )
    features = [
        {
            "type": "Feature",
            "properties": dict(values),
            "geometry": {
                "type": "MultiPolygon",
                "coordinates": [_rings(polygon) for polygon in shapely.get_parts(geometry)],
            },
        }
        for values, geometry in zip(properties, degrees, strict=True)
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}) + "\n"


def _rings(polygon: Geometry) -> list[list[list[float]]]:
    import shapely

    return [
        np.round(shapely.get_coordinates(ring), 7).tolist() for ring in shapely.get_rings(polygon)
    ]


def _feet(outline: Geometry) -> float:
    return round(float(outline.length) * FEET_PER_METRE, 3)


def _square_feet(outline: Geometry) -> float:
    return round(float(outline.area) * FEET_PER_METRE**2, 3)
