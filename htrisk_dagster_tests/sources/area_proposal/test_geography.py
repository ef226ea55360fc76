"""Where a city lies: against pyproj's own zones, the IANA database and circles on the ground."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import shapely
from htrisk_dagster.errors import SourceError
from htrisk_dagster.sources.area_proposal.geography import (
    area_sizes,
    country_of,
    ground_of_file,
    ground_of_points,
    nearest_zone,
    utm_zone,
)
from pyproj import Geod, Transformer
from pyproj.aoi import AreaOfInterest
from pyproj.database import query_utm_crs_info

CITIES = {
    "America/Detroit": (-83.05, 42.33), "America/Montevideo": (-56.16, -34.88),
    "Pacific/Auckland": (174.76, -36.85), "Africa/Johannesburg": (28.05, -26.20),
    "Europe/London": (-0.12, 51.51), "Asia/Tokyo": (139.69, 35.68), "Pacific/Fiji": (178.44, -18.12),
}  # fmt: skip


@pytest.mark.parametrize(("lon", "lat"), CITIES.values(), ids=CITIES)
def test_the_projection_is_the_zone_that_the_epsg_register_gives(lon, lat):
    here = AreaOfInterest(lon, lat, lon, lat)
    (info,) = query_utm_crs_info(datum_name="WGS 84", area_of_interest=here)
    assert utm_zone(lon, lat) == f"EPSG:{info.code}"


@pytest.mark.parametrize(("zone", "place"), CITIES.items(), ids=CITIES)
def test_the_nearest_zone_of_a_principal_place_is_its_own(zone, place):
    assert nearest_zone(*place).name == zone


def test_countries_of_zones():
    assert [country_of(z) for z in ("America/Detroit", "America/Montevideo", "UTC")] == [
        "US",
        "UY",
        None,
    ]


def test_the_hull_holds_all_points_and_half_a_kilometre_around():
    rng = np.random.default_rng(1)
    lon, lat = rng.normal(-56.16, 0.02, 500), rng.normal(-34.88, 0.02, 500)
    # One at (0, 0), one with exchanged signs: errors of geocoding, and one row without a point.
    ground = ground_of_points(
        np.append(lon, [0.0, 56.16, np.nan]), np.append(lat, [0.0, 34.88, np.nan])
    )
    hull = shapely.Polygon(ground.hull)
    assert shapely.contains_xy(hull, lon, lat).all()
    to_plane = Transformer.from_crs("EPSG:4326", ground.crs, always_xy=True)
    plane = shapely.transform(hull, lambda p: np.column_stack(to_plane.transform(p[:, 0], p[:, 1])))
    points = shapely.convex_hull(shapely.multipoints(np.column_stack(to_plane.transform(lon, lat))))
    # Every side is 500 m out; the rounded corners are cut a little.
    assert 465 < plane.exterior.distance(points) < 505
    box = ground.bounding_box
    assert box.west < min(p[0] for p in ground.hull)
    assert box.north > max(p[1] for p in ground.hull)
    assert box.east - box.west < 0.3
    assert ground.crs == "EPSG:32721"


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_points_give_no_outline(n):
    with pytest.raises(SourceError, match="too few for an outline"):
        ground_of_points(np.linspace(1, 2, n), np.linspace(1, 2, n))


def areas_file(tmp_path: Path) -> Path:
    features = [
        {"type": "Feature", "properties": {"Beat Code": code},
         "geometry": shapely.geometry.mapping(shapely.box(west, -36.9, west + 0.02, -36.88))}
        for code, west in (("A", 174.7), ("B", 174.72))
    ]  # fmt: skip
    path = tmp_path / "beats.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def test_a_file_of_areas_gives_ground_and_sizes(tmp_path):
    path = areas_file(tmp_path)
    ground = ground_of_file(path, "BEAT_CODE")
    assert (ground.crs, ground.hull) == ("EPSG:32760", ())
    assert ground.middle == pytest.approx((174.72, -36.89))
    sizes = area_sizes(path, "BEAT_CODE", ground.crs)
    on_ground = abs(
        Geod(ellps="WGS84").geometry_area_perimeter(shapely.box(174.7, -36.9, 174.72, -36.88))[0]
    )
    # UTM is true to 0.1% of area within its zone.
    assert sizes["area_m2"].to_list() == pytest.approx([on_ground] * 2, rel=2e-3)
    with pytest.raises(SourceError, match="property 'WARD'; it has Beat Code"):
        ground_of_file(path, "WARD")
