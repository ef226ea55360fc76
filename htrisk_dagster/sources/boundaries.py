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

import polars as pl

from htrisk_dagster.errors import SourceError
from htrisk_dagster.sources.file_rows import DEFECT, ROW
from htrisk_dagster.sources.incidents import code_rule
from htrisk_dagster.sources.layouts import Header, Layout, open_file
from htrisk_dagster.sources.quarantine import FileFacts, Parsed, Rule
from htrisk_dagster.sources.text_values import whole_number


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
    try:
        with open_file(path) as handle:
            features = json.loads(handle.read())["features"]
        properties = [feature["properties"] for feature in features]
        geometries = [json.dumps(feature["geometry"]) for feature in features]
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise SourceError(f"{path} is not whole GeoJSON ({error}). Fetch it again.") from error
    keys = {name: header.published[name] for name in layout.columns}
    texts = {name: [_as_text(p.get(key)) for p in properties] for name, key in keys.items()}
    schema = {**dict.fromkeys(keys, pl.String), "geometry": pl.Binary, DEFECT: pl.String}
    return (
        pl.DataFrame(
            {**texts, "geometry": _valid_multipolygons(geometries), DEFECT: [None] * len(features)},
            schema=schema,
        )
        .with_row_index(ROW, offset=1)
        .with_columns(pl.col(ROW).cast(pl.Int64))
    )


def _as_text(value: object) -> str | None:
    return None if value is None else str(value).strip() or None


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
    typed = rows.with_columns(pl.col("BOROUGH").str.to_uppercase().alias("borough"))
    missing = Rule("name_missing", "BOROUGH", pl.col("borough").is_null(),
                   "The borough has no name.")  # fmt: skip
    return Parsed(typed, (missing, _area_rule("BOROUGH")))


def parse_precincts(rows: pl.DataFrame, facts: FileFacts) -> Parsed:
    """Type the features of a file of precincts: `precinct` and `geometry`."""
    typed = rows.with_columns(whole_number("PRECINCT").alias("precinct"))
    missing = Rule("name_missing", "PRECINCT", pl.col("PRECINCT").is_null(),
                   "The precinct has no number.")  # fmt: skip
    below = Rule("code_not_a_number", "PRECINCT", pl.col("precinct") < 1,
                 "A precinct's number is 1 or more.")  # fmt: skip
    return Parsed(typed, (missing, code_rule("PRECINCT"), below, _area_rule("PRECINCT")))


def parse_neighbourhoods(rows: pl.DataFrame, facts: FileFacts) -> Parsed:
    """Type the features of a file of neighbourhoods: `neighbourhood`, `borough` and `geometry`."""
    typed = rows.with_columns(
        pl.col("NTA2020").str.to_uppercase().alias("neighbourhood"),
        pl.col("BOROUGH").str.to_uppercase().alias("borough"),
    )
    missing = Rule("name_missing", "NTA2020", pl.col("neighbourhood").is_null(),
                   "The neighbourhood has no code.")  # fmt: skip
    return Parsed(typed, (missing, _area_rule("NTA2020")))


def _area_rule(column: str) -> Rule:
    return Rule("boundary_without_area", column, pl.col("geometry").is_null(),
                "The feature has no polygon.")  # fmt: skip
