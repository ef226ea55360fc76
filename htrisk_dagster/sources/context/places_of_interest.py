"""Places of interest by category, from a CSV (category, lon, lat) or a GeoJSON of points.

Source: any; a user's own file, an export of OpenStreetMap, or what `places_service` fetched. The licence
is that of the file. A row is a category and a point: names of places are never loaded.

Quirks:
- Longitude and latitude are called lon and lat, or by their whole names.
- In GeoJSON a feature that is no point has no place and is refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from htrisk_dagster.schemas import context_sources
from htrisk_dagster.sources.boundaries import as_text, read_geojson
from htrisk_dagster.sources.context.tax_lots import point_missing_rule
from htrisk_dagster.sources.file_rows import DEFECT, ROW
from htrisk_dagster.sources.incidents import label_rule, place_rules, with_place
from htrisk_dagster.sources.layouts import Header, Layout
from htrisk_dagster.sources.quarantine import FileFacts, Parsed, Rule

TABLE = context_sources.PLACES_OF_INTEREST


def read_points(path: Path, header: Header, layout: Layout) -> pl.DataFrame:
    """Points of a GeoJSON file as rows of text, as a CSV of the same places would give.

    Raises
    ------
    SourceError
        Where the file is not whole GeoJSON.
    """
    features = read_geojson(path)
    points = [_point(feature["geometry"]) for feature in features]
    categories = [f["properties"].get(header.published["CATEGORY"]) for f in features]
    columns = {
        "CATEGORY": list(map(as_text, categories)),
        "LONGITUDE": [lon for lon, _ in points],
        "LATITUDE": [lat for _, lat in points],
        DEFECT: [None] * len(features),
    }
    rows = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
    return rows.with_row_index(ROW, offset=1).with_columns(pl.col(ROW).cast(pl.Int64))


def _point(geometry: dict[str, Any] | None) -> tuple[str | None, str | None]:
    coordinates = geometry.get("coordinates") if geometry else None
    if not geometry or geometry.get("type") != "Point" or not isinstance(coordinates, list):
        return None, None
    # What is no number stays as text, for its rule to say so.
    lon, lat = [*coordinates, None, None][:2]
    return None if lon is None else str(lon), None if lat is None else str(lat)


def as_places(rows: pl.DataFrame, layout: Layout) -> pl.DataFrame:
    """Rows of a file of one category, such as licences to sell liquor, as a CSV of places has them."""
    lat, lon = layout.required[:2]
    return rows.with_columns(
        pl.lit(layout.category).alias("CATEGORY"),
        pl.col(lat).alias("LATITUDE"),
        pl.col(lon).alias("LONGITUDE"),
    )


def parse(rows: pl.DataFrame, facts: FileFacts) -> Parsed:
    """Type the rows of one file: `category` and its point."""
    spelt = pl.col("CATEGORY").str.to_lowercase().str.replace_all(r"[^a-z0-9]+", "_")
    typed = with_place(rows).with_columns(spelt.str.strip_chars("_").alias("category"))
    missing = Rule("category_missing", "CATEGORY",
                   pl.col("category").is_null() | (pl.col("category") == ""),
                   "The place has no category.")  # fmt: skip
    rules = (missing, label_rule("CATEGORY"), *place_rules(facts), point_missing_rule())
    return Parsed(typed, rules)
