"""A snapshot of an invented place of 20 x 20 cells over three days in two months."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import shapely
from htrisk_dagster.evaluation.count_intervals import CountIntervals
from htrisk_dagster.publishing.risk_table import risk_table
from htrisk_dagster.publishing.snapshot import SnapshotHeader, SnapshotTable, write_snapshot
from htrisk_dagster.schemas import predictions, published, raw, staging
from htrisk_dagster.schemas.grid import CELLS
from htrisk_dagster.schemas.table import Table
from pyproj import Transformer

DAYS = (date(2024, 11, 30), date(2024, 12, 1), date(2024, 12, 2))
SIDE, SIZE_M = 20, 500
WEST_M, SOUTH_M = 580_000.0, 4_500_000.0
CRS = "EPSG:32618"
HEADER = SnapshotHeader(
    area="nyc",
    area_title="New York City",
    target="shootings",
    target_title="shooting incidents",
    data_origin="files",
    made_from="0123456789abcdef",
    crs=CRS,
    cell_size_m=SIZE_M,
    first_on=DAYS[0],
    last_on=DAYS[-1],
)


def to_degrees(x_m, y_m):
    return Transformer.from_crs(CRS, "EPSG:4326", always_xy=True).transform(x_m, y_m)


def cells() -> pl.DataFrame:
    row, col = (i.ravel() for i in np.mgrid[:SIDE, :SIDE])
    x_m, y_m = WEST_M + SIZE_M * (col + 0.5), SOUTH_M + SIZE_M * (row + 0.5)
    lon, lat = to_degrees(x_m, y_m)
    return pl.DataFrame(
        {
            "cell_id": np.arange(SIDE * SIDE),
            "col": col,
            "row": row,
            "x_m": x_m,
            "y_m": y_m,
            "lon": lon,
            "lat": lat,
            "land_share": np.ones(SIDE * SIDE),
            "precinct": 1 + col // 10,
            "borough": np.where(col < 10, "WEST", "EAST"),
        }
    )


def boroughs() -> pl.DataFrame:
    half = SIDE * SIZE_M / 2
    shapes = []
    for left in (WEST_M, WEST_M + half):
        x_m = np.array([left, left + half, left + half, left])
        y_m = SOUTH_M + np.array([0, 0, 2 * half, 2 * half])
        shapes.append(shapely.Polygon(np.column_stack(to_degrees(x_m, y_m))))
    return pl.DataFrame(
        {
            "borough": ["WEST", "EAST"],
            "geometry": shapely.to_wkb(shapes),
            "source_file": "boroughs.geojson",
            "source_row": [1, 2],
            "pulled_on": DAYS[0],
        }
    )


def precincts() -> pl.DataFrame:
    """Precinct 1 is WEST, 2 is EAST, as `cells` has them."""
    return boroughs().select(
        pl.Series("precinct", [1, 2], dtype=pl.Int32), pl.exclude("borough", "precinct")
    )


def expected() -> np.ndarray:
    """Expected counts, shape (D, C): different every day, the highest in cell 7, then 8, then 9."""
    rng = np.random.default_rng(5)
    values = rng.uniform(0.001, 0.05, (len(DAYS), SIDE * SIDE))
    for day, cell in enumerate((7, 8, 9)):
        values[day, cell] = 0.4
    return values


def risk() -> pl.DataFrame:
    return risk_table(
        expected(),
        np.array(DAYS, dtype="datetime64[D]"),
        intervals=CountIntervals.of_size(2.0),
        target="shootings",
        model="stack",
        trained_before=date(2024, 11, 1),
        reasons=pl.Series(["+ borough (x1.2), - precinct (x0.63)"] * (3 * SIDE * SIDE)),
    )


def spread() -> pl.DataFrame:
    """Known for all cells but the last."""
    n = SIDE * SIDE - 1
    return pl.DataFrame(
        {
            "risk_on": np.repeat(np.array(DAYS, dtype="datetime64[D]"), n),
            "cell_id": np.tile(np.arange(n), len(DAYS)),
            "spread_ratio": np.tile(np.linspace(1, 4, n), len(DAYS)),
        }
    )


def cases() -> pl.DataFrame:
    """WEST has 14 in December; EAST's are hidden; November has none in either."""
    december, november = date(2024, 12, 1), date(2024, 11, 1)
    return pl.DataFrame(
        {
            "borough": ["WEST", "EAST", "WEST", "EAST"],
            "period_on": [december, december, november, november],
            "months_count": pl.Series([1] * 4, dtype=pl.Int32),
            "cases_count": [14, None, 0, 0],
        }
    )


def dossiers() -> pl.DataFrame:
    """One a day: 64 times the day's number among the days, from 1."""
    return pl.DataFrame({"risk_on": DAYS, "dossier": [str(i) * 64 for i in (1, 2, 3)]})


def tables() -> dict[Table, pl.DataFrame]:
    return {
        CELLS: cells(),
        raw.BOROUGHS: boroughs(),
        raw.PRECINCTS: precincts(),
        predictions.CELL_DAY_RISK: risk(),
        published.MODEL_SPREAD: spread(),
        staging.VERIFIED_CASE_COUNTS: cases(),
        published.MAP_DOSSIERS: dossiers(),
    }


def write(folder: Path, header: SnapshotHeader = HEADER) -> Path:
    return write_snapshot(
        folder, header, [SnapshotTable(t, f, "feedc0de") for t, f in tables().items()]
    )
