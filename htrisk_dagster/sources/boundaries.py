"""Boundaries of boroughs, police precincts and neighbourhoods from GeoJSON.

Source: NYC Open Data, Department of City Planning (boroughs, and the neighbourhood tabulation areas
of 2020, clipped to the shore line) and New York City Police Department (precincts, y76i-bdw7).
Licence: NYC Open Data terms, no restriction on use. Cadence: boroughs quarterly; precincts when one
is split; neighbourhoods every ten years.

Quirks:
- GeoJSON is WGS 84, longitude first (RFC 7946); the zipped shape files, in feet, are not read.
- Rings may touch themselves: they are made valid, and only what has an area is kept.
- A borough is called `BoroName`, `boro_name` or `borough`, a precinct `precinct` or `Precinct`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl

from htrisk_dagster.errors import SourceError
from htrisk_dagster.sources.file_content import decode, read_content
from htrisk_dagster.sources.file_rows import DEFECT, ROW
from htrisk_dagster.sources.incidents import (
    borough_rule,
    code_rule,
    neighbourhood_rule,
    precinct_rule,
)
from htrisk_dagster.sources.layouts import Header, Layout
from htrisk_dagster.sources.quarantine import FileFacts, Parsed, Rule
from htrisk_dagster.sources.text_values import whole_number

_MARGIN = 0.2  # degrees


def read_features(path: Path, header: Header, layout: Layout) -> pl.DataFrame:
    """Features of a GeoJSON file.

    Returns
    -------
    DataFrame
        `source_row`, `DEFECT` (always null), the layout's columns as text, and `geometry`: a valid
        multipolygon as WKB, null where the feature has no area.

    Raises
    ------
    SourceError
        Where the file is not whole GeoJSON.
    """
    features = read_geojson(path)
    properties = [feature["properties"] for feature in features]
    geometries = [json.dumps(feature["geometry"]) for feature in features]
    keys = {name: header.published[name] for name in layout.columns}
    texts = {name: [as_text(p.get(key)) for p in properties] for name, key in keys.items()}
    schema = {**dict.fromkeys(keys, pl.String), "geometry": pl.Binary, DEFECT: pl.String}
    return (
        pl.DataFrame(
            {**texts, "geometry": _valid_multipolygons(geometries), DEFECT: [None] * len(features)},
            schema=schema,
        )
        .with_row_index(ROW, offset=1)
        .with_columns(pl.col(ROW).cast(pl.Int64))
    )


def read_geojson(path: Path) -> list[dict[str, Any]]:
    """Features of a GeoJSON file; one without properties or geometry has them empty.

    Raises
    ------
    SourceError
        Where the file is not whole GeoJSON (RFC 7946), or is nested deeper than any is.
    """
    try:
        answer = json.loads(decode(read_content(path)), parse_constant=_refuse_constant)
        features = [dict(feature) for feature in answer["features"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SourceError(f"{path} is not whole GeoJSON ({reason}). Fetch it again.") from error
    return [
        {
            "properties": _object(feature.get("properties")) or {},
            "geometry": _object(feature.get("geometry")),
        }
        for feature in features
    ]


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _object(value: object) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None


def as_text(value: object) -> str | None:
    """Value of a property as text; null where it is blank."""
    # A list or an object is no name or number.
    return None if value is None or isinstance(value, dict | list) else str(value).strip() or None


def _valid_multipolygons(geometries: list[str]) -> list[bytes | None]:
    import numpy as np
    import shapely

    shapes = shapely.make_valid(shapely.from_geojson(np.array(geometries), on_invalid="ignore"))
    parts, owners = shapely.get_parts(shapes, return_index=True)
    # A repaired ring can leave a collection of polygons and lines: go one level deeper.
    parts, inner = shapely.get_parts(parts, return_index=True)
    owners = owners[inner]
    has_area = shapely.area(parts) > 0
    joined = shapely.multipolygons(
        parts[has_area], indices=owners[has_area], out=np.full(len(geometries), None)
    )
    return list(shapely.to_wkb(joined))


def parse_boroughs(rows: pl.DataFrame, facts: FileFacts) -> Parsed:
    """Type the features of a file of boroughs: `borough` in upper case and `geometry`."""
    typed = _with_edges(rows, facts).with_columns(
        pl.col("BOROUGH").str.to_uppercase().alias("borough")
    )
    missing = Rule("name_missing", "BOROUGH", pl.col("borough").is_null(),
                   "The borough has no name.")  # fmt: skip
    return Parsed(typed, (missing, *_area_rules("BOROUGH")))


def parse_precincts(rows: pl.DataFrame, facts: FileFacts) -> Parsed:
    """Type the features of a file of precincts: `precinct` and `geometry`."""
    typed = _with_edges(rows, facts).with_columns(whole_number("PRECINCT").alias("precinct"))
    missing = Rule("name_missing", "PRECINCT", pl.col("PRECINCT").is_null(),
                   "The precinct has no number.")  # fmt: skip
    return Parsed(
        typed,
        (missing, code_rule("PRECINCT"), precinct_rule("PRECINCT"), *_area_rules("PRECINCT")),
    )


def parse_neighbourhoods(rows: pl.DataFrame, facts: FileFacts) -> Parsed:
    """Type the features of a file of neighbourhoods: `neighbourhood`, `borough` and `geometry`."""
    typed = _with_edges(rows, facts).with_columns(
        pl.col("NTA2020").str.to_uppercase().alias("neighbourhood"),
        pl.col("BOROUGH").str.to_uppercase().alias("borough"),
    )
    missing = Rule("name_missing", "NTA2020", pl.col("neighbourhood").is_null(),
                   "The neighbourhood has no code.")  # fmt: skip
    return Parsed(
        typed,
        (missing, neighbourhood_rule("NTA2020"), borough_rule("BOROUGH"), *_area_rules("NTA2020")),
    )


def with_bounds(rows: pl.DataFrame) -> pl.DataFrame:
    """Add `west`, `south`, `east` and `north` of each boundary in degrees, null where it has no area."""
    import shapely

    bounds = shapely.bounds(shapely.from_wkb(rows["geometry"].to_list()))
    sides = zip(("west", "south", "east", "north"), bounds.T, strict=True)
    return rows.with_columns(
        pl.Series(side, at, dtype=pl.Float64) for side, at in sides
    ).with_columns(pl.col("west", "south", "east", "north").fill_nan(None))


def _with_edges(rows: pl.DataFrame, facts: FileFacts) -> pl.DataFrame:
    """Add `leaves_city`: whether a boundary reaches outside the bounding box by more than a margin."""
    box = facts.bounding_box
    leaves = (pl.col("west") < box.west - _MARGIN) | (pl.col("east") > box.east + _MARGIN)
    leaves |= (pl.col("south") < box.south - _MARGIN) | (pl.col("north") > box.north + _MARGIN)
    return with_bounds(rows).with_columns(leaves.alias("leaves_city"))


def _area_rules(column: str) -> tuple[Rule, ...]:
    return (
        Rule("boundary_without_area", column, pl.col("geometry").is_null(),
             "The feature has no polygon."),
        Rule("boundary_outside_city", column, pl.col("leaves_city"),
             "The boundary reaches outside the study area's bounding box: longitude comes first, in "
             "degrees."),
    )  # fmt: skip
