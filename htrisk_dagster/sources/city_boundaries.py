"""Outline and areas of a city whose study area says how its boundary files name them, or has none.

Source: any GeoJSON of polygons, WGS 84, longitude first (RFC 7946). Licence and cadence are the
publisher's.

Quirks:
- Features of one name are joined: cities publish islands and enclaves as features of their own.
- Where there is no file, the study area's ring of points stands in for the outline, and its areas'
  middles part it: each place belongs to the area whose middle is nearest (Voronoi 1908). That is a
  likeness of the true areas, declared once, so that no later row can move a cell.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from htrisk_dagster.schemas import raw
from htrisk_dagster.sources.boundaries import with_bounds
from htrisk_dagster.sources.layouts import normalise
from htrisk_dagster.sources.quarantine import FileFacts, Parsed, Rule
from htrisk_dagster.sources.text_values import whole_number
from htrisk_dagster.study_areas.area import StudyArea
from htrisk_dagster.study_areas.city_files import area_code


def parse_outline(rows: pl.DataFrame, facts: FileFacts) -> Parsed:
    """Type the features of an outline: `borough`, the city's name where areas give the outline."""
    area = facts.area
    assert area is not None and area.boundary is not None, "found by the boundary's layout"
    name = pl.lit(area.title)
    shown = normalise(area.boundary.outline or area.boundary.areas or "")
    if area.boundary.outline:
        name = pl.col(shown)
    typed = with_bounds(rows).with_columns(name.str.to_uppercase().alias("borough"))
    missing = Rule("name_missing", shown, pl.col("borough").is_null(), "The area has no name.")
    return Parsed(typed, (missing, *_polygon_rules(shown, area)))


def parse_areas(rows: pl.DataFrame, facts: FileFacts) -> Parsed:
    """Type the features of a file of areas: `precinct`, the number that the study area gives."""
    area = facts.area
    assert area is not None and area.boundary is not None, "found by the boundary's layout"
    column = normalise(area.boundary.areas or "")
    numbers = {code: place.number for code, place in area.areas.items()}
    number = whole_number(column)
    if numbers:
        codes = rows[column].drop_nulls().unique()
        known = {code: numbers.get(area_code(code)) for code in codes}
        number = pl.col(column).replace_strict(known, default=None, return_dtype=pl.Int32)
    typed = with_bounds(rows).with_columns(number.alias("precinct"))
    unknown = Rule("area_unknown", column, pl.col("precinct").is_null() | (pl.col("precinct") < 1),
                   "The code is none of the study area's [areas], nor a number from 1.")  # fmt: skip
    return Parsed(typed, (unknown, *_polygon_rules(column, area)))


def _polygon_rules(column: str, area: StudyArea) -> tuple[Rule, ...]:
    box = area.bounding_box
    # A city's files may reach far beyond its box; one that never meets it is in other units.
    apart = (pl.col("west") > box.east) | (pl.col("east") < box.west)
    apart |= (pl.col("south") > box.north) | (pl.col("north") < box.south)
    return (
        Rule("boundary_without_area", column, pl.col("geometry").is_null(),
             "The feature has no polygon."),
        Rule("boundary_outside_city", column, apart,
             "The boundary lies outside the study area's bounding box: longitude comes first, in degrees."),
    )  # fmt: skip


def joined(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    """One row a name, the union of its polygons, with where the first of them came from."""
    import shapely

    first = rows.group_by(name, maintain_order=True).first().drop("geometry")
    shapes = [
        shapely.to_wkb(shapely.union_all(shapely.from_wkb(same["geometry"].to_list())))
        for _, same in rows.group_by(name, maintain_order=True)
    ]
    return first.with_columns(pl.Series("geometry", shapes, dtype=pl.Binary))


def stand_in(area: StudyArea, table: str) -> pl.DataFrame:
    """Boundaries where no file holds them, `raw.boroughs` or `raw.precincts`; no row where none can be.

    At area level nothing stands in: a cell is an area, with or without a shape.
    """
    schema = raw.BOROUGHS if table == raw.BOROUGHS.name else raw.PRECINCTS
    if area.grid.unit == "area" or area.boundary is None:
        return schema.empty()
    if schema is raw.BOROUGHS:
        if not area.boundary.hull:
            return schema.empty()
        named: dict[str, list[Any]] = {
            "borough": [area.title.upper()],
            "geometry": [_ground(area)],
        }
    else:
        named = _nearest_middles(area)
    rows = pl.DataFrame(named).with_row_index("source_row", offset=1)
    return schema.conform(
        rows.with_columns(
            pl.lit(f"{area.name}.toml").alias("source_file"),
            pl.lit(area.first_day).alias("pulled_on"),
        )
    )


def _ground(area: StudyArea) -> bytes:
    """The declared ring, else the bounding box, as WKB."""
    import shapely

    hull = area.boundary.hull if area.boundary else ()
    box = area.bounding_box
    corners = (box.west, box.south, box.east, box.north)
    shape = shapely.Polygon(hull) if hull else shapely.box(*corners)
    ground: bytes = shapely.to_wkb(shapely.make_valid(shape))
    return ground


def _nearest_middles(area: StudyArea) -> dict[str, list[Any]]:
    """Number and part of the ground of each area with a middle; one area where none has."""
    import numpy as np
    import shapely

    ground = shapely.from_wkb(_ground(area))
    middles = [(p.number, p.lon, p.lat) for p in area.areas.values() if p.lon is not None]
    if len(middles) < 2:
        number = middles[0][0] if middles else 1
        return {"precinct": [number], "geometry": [shapely.to_wkb(ground)]}
    # A degree of longitude is shorter than one of latitude: squeezed, distances are those on the
    # ground, to a per cent over a city.
    latitude = shapely.get_coordinates(shapely.centroid(ground))[0, 1]
    squeeze = np.array([np.cos(np.radians(latitude)), 1.0])
    flat = shapely.transform(ground, lambda points: points * squeeze)
    at = shapely.multipoints(np.array([[lon, lat] for _, lon, lat in middles]) * squeeze)
    parts = shapely.get_parts(shapely.voronoi_polygons(at, extend_to=flat, ordered=True))
    shapes = shapely.transform(shapely.intersection(flat, parts), lambda points: points / squeeze)
    kept = [
        (number, shapely.to_wkb(shape))
        for (number, _, _), shape in zip(middles, shapes, strict=True)
        if shape.area > 0
    ]
    return {"precinct": [n for n, _ in kept], "geometry": [s for _, s in kept]}
