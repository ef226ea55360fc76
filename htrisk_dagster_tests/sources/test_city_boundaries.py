"""Outline and areas by a city's own names, and what stands in where it has no file of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import shapely
from htrisk_dagster.sources import intake
from htrisk_dagster.study_areas.area import StudyArea, load_area

HALVES = {"2": (-83.2, -83.1), "03": (-83.1, -83.0)}


def detroit(**changes: object) -> StudyArea:
    area = load_area("detroit")
    assert area.boundary is not None
    return area.model_copy(update={"boundary": area.boundary.model_copy(update=changes)})


def read(area: StudyArea, table: str, folder: Path) -> intake.Intake:
    return intake.read(
        table, folder, time_zone=area.time_zone, bounding_box=area.bounding_box, area=area
    )


def areas_file(folder: Path, codes: dict[str, tuple[float, float]]) -> None:
    features = [
        {"type": "Feature", "properties": {"name": code, "city": "Detroit"},
         "geometry": shapely.geometry.mapping(shapely.box(west, 42.3, east, 42.4))}
        for code, (west, east) in codes.items()
    ]  # fmt: skip
    (folder / "precincts.geojson").write_text(
        json.dumps({"type": "FeatureCollection", "features": features})
    )


def shapes(frame: pl.DataFrame) -> np.ndarray:
    return shapely.from_wkb(frame["geometry"].to_list())


def test_areas_are_found_by_their_property_and_joined_to_the_outline(tmp_path):
    areas_file(tmp_path, {**HALVES, "99": (-83.3, -83.2)})
    area = detroit(hull=())
    precincts = read(area, "precincts", tmp_path)
    assert precincts.kept["precinct"].to_list() == [2, 3]
    assert precincts.quarantined.select("rule", "value").rows() == [("area_unknown", "99")]
    (outline,) = shapes(read(area, "boroughs", tmp_path).kept)
    assert outline.bounds == (-83.3, 42.3, -83.0, 42.4)
    by_name = read(detroit(outline="city"), "boroughs", tmp_path).kept
    assert by_name["borough"].to_list() == ["DETROIT"]
    assert by_name["source_row"].to_list() == [1]


@pytest.mark.parametrize("table", ["precincts", "boroughs"])
def test_a_boundary_in_feet_or_with_latitude_first_is_refused(tmp_path, table):
    """`areas_file` gives the longitudes; these lie in no city."""
    areas_file(tmp_path, {**HALVES, "4": (13_000_000.0, 13_001_000.0), "5": (42.3, 42.4)})
    result = read(detroit(hull=()), table, tmp_path)
    assert result.quarantined.select("source_row", "rule").rows() == [
        (3, "boundary_outside_city"), (4, "boundary_outside_city")
    ]  # fmt: skip
    assert result.files["rows_kept_count"].to_list() == [2]


def test_two_features_of_one_area_are_one_area(tmp_path):
    areas_file(tmp_path, {"2": (-83.2, -83.1), "02": (-83.1, -83.05)})
    kept = read(detroit(), "precincts", tmp_path).kept
    assert kept["precinct"].to_list() == [2]
    assert shapes(kept)[0].bounds == (-83.2, 42.3, -83.05, 42.4)


def test_without_a_file_the_ring_stands_in_parted_by_the_nearest_middle(tmp_path):
    area = load_area("detroit")
    ring = shapely.Polygon(area.boundary.hull)
    (outline,) = shapes(read(area, "boroughs", tmp_path).kept)
    assert outline.equals(ring)
    kept = read(area, "precincts", tmp_path).kept
    parts = shapes(kept)
    assert sorted(kept["precinct"]) == sorted(p.number for p in area.areas.values())
    assert shapely.union_all(parts).symmetric_difference(ring).area < 1e-9
    assert shapely.area(parts).sum() == pytest.approx(ring.area)
    # The nearest middle by great circle, of points all over the ring.
    rng = np.random.default_rng(5)
    lon, lat = rng.uniform(-83.28, -82.92, 400), rng.uniform(42.26, 42.44, 400)
    inside = shapely.contains_xy(ring, lon, lat)
    middles = {p.number: (p.lon, p.lat) for p in area.areas.values()}
    numbers = np.array(list(middles))
    at = np.radians(np.array(list(middles.values())))
    x, y = np.radians(lon[inside])[:, None], np.radians(lat[inside])[:, None]
    cosine = np.sin(y) * np.sin(at[:, 1]) + np.cos(y) * np.cos(at[:, 1]) * np.cos(x - at[:, 0])
    nearest = numbers[np.argmax(cosine, axis=1)]
    holds = np.array([shapely.contains_xy(part, lon[inside], lat[inside]) for part in parts])
    owner = kept["precinct"].to_numpy()[holds.argmax(axis=0)]
    assert (owner == nearest).mean() > 0.99


def test_areas_without_middles_are_one_and_at_area_level_nothing_stands_in(tmp_path):
    area = load_area("detroit").model_copy(update={"areas": {}})
    assert read(area, "precincts", tmp_path).kept["precinct"].to_list() == [1]
    connecticut = load_area("connecticut")
    for table in ("boroughs", "precincts"):
        assert read(connecticut, table, tmp_path).kept.is_empty()
