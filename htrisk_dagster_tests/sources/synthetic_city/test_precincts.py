from __future__ import annotations

import json

import numpy as np
import shapely
from pyproj import Transformer

from .conftest import City


def shapes(city: City, name: str) -> tuple[list[dict[str, object]], np.ndarray]:
    features = json.loads((city.folder / "geo" / name).read_text())["features"]
    to_metres = Transformer.from_crs("EPSG:4326", "EPSG:32618", always_xy=True)
    geometries = [
        shapely.transform(
            shapely.from_geojson(json.dumps(f["geometry"])), to_metres.transform, interleaved=False
        )
        for f in features
    ]
    return [f["properties"] for f in features], np.array(geometries)


def test_numbers_are_the_real_ones(city: City) -> None:
    properties, _ = shapes(city, "police_precincts.geojson")
    numbers = [int(str(p["precinct"])) for p in properties]
    assert len(numbers) == len(set(numbers)) == 78
    assert {1, 34, 40, 52, 60, 94, 100, 116, 120, 123} <= set(numbers)
    assert not {2, 51, 64, 65, 74, 80, 95} & set(numbers)


def test_precincts_tile_the_boroughs(city: City) -> None:
    properties, precincts = shapes(city, "police_precincts.geojson")
    names, boroughs = shapes(city, "boroughs.geojson")
    assert shapely.is_valid(precincts).all()
    assert shapely.is_valid(boroughs).all()
    first = {"MANHATTAN": 1, "BRONX": 40, "BROOKLYN": 60, "QUEENS": 100, "STATEN ISLAND": 120}
    last = {"MANHATTAN": 34, "BRONX": 52, "BROOKLYN": 94, "QUEENS": 116, "STATEN ISLAND": 123}
    number = np.array([int(str(p["precinct"])) for p in properties])
    for named, outline in zip(names, boroughs, strict=True):
        borough = str(named["borough"])
        own = precincts[(number >= first[borough]) & (number <= last[borough])]
        area, union = shapely.area(own).sum(), shapely.union_all(own)
        assert abs(area / outline.area - 1) < 1e-3
        assert abs(union.area / area - 1) < 1e-3  # no overlap
        assert shapely.area(shapely.symmetric_difference(union, outline)) < 1e-3 * outline.area


def test_boroughs_have_their_real_area(city: City) -> None:
    names, boroughs = shapes(city, "boroughs.geojson")
    # Land area as the Department of City Planning publishes it (shape_area of gthc-hcne), km2.
    published = {"MANHATTAN": 59.1, "BRONX": 110.3, "BROOKLYN": 179.7, "QUEENS": 282.5,
                 "STATEN ISLAND": 150.8}  # fmt: skip
    for named, area in zip(names, shapely.area(boroughs) / 1e6, strict=True):
        assert abs(area / published[str(named["borough"])] - 1) < 0.005


def test_complaints_lie_in_the_precinct_they_name(city: City) -> None:
    properties, precincts = shapes(city, "police_precincts.geojson")
    polygon = {str(p["precinct"]): g for p, g in zip(properties, precincts, strict=True)}
    placed = city.complaints.drop_nulls("Latitude").sample(3000, seed=1)
    to_metres = Transformer.from_crs("EPSG:4326", "EPSG:32618", always_xy=True)
    x, y = to_metres.transform(
        placed["Longitude"].cast(float).to_numpy(), placed["Latitude"].cast(float).to_numpy()
    )
    own = np.array([polygon[number] for number in placed["ADDR_PCT_CD"]])
    outside = ~shapely.dwithin(own, shapely.points(x, y), 0.1)
    assert outside.sum() <= 2  # the two points that are wrong on purpose
