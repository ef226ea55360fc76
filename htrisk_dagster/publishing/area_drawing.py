"""The drawing of one day's risk by area as SVG: the shapes of beats or towns, coloured by band.

Belongs here: the map of a city whose cells are areas with shapes. Does not: squares (`map_drawing`), the
words around the map (`risk_map`), colours (`risk_map.css`).

Longitudes are shortened by the cosine of the middle latitude, which keeps shapes as the eye knows them over a
city or a small state; nothing is measured on the drawing, and it has no scale. A large area looks more
important than a small one of the same band: the table beside it ranks them.
"""

from __future__ import annotations

from html import escape

import numpy as np
import polars as pl
import shapely

from htrisk_dagster.schemas.predictions import BANDS

_WIDTH = 600.0
_MARGIN = 10.0
_SIMPLIFY = 0.4
# Islets under a few square units only add bytes.
_SMALLEST_PART = 2.0


def have_shapes(cells: pl.DataFrame, shapes: pl.DataFrame) -> bool:
    """Whether every area has a shape."""
    return not shapes.is_empty() and not set(cells["precinct"]) - set(shapes["precinct"])


def draw_areas(placed: pl.DataFrame, shapes: pl.DataFrame, *, title: str, description: str) -> str:
    """Draw the map as one `<svg>` element.

    Parameters
    ----------
    placed : DataFrame
        Cells with the columns of `CELL_DAY_RISK`, the sentence `label` and `number`, their precinct.
    shapes : DataFrame
        `schemas.raw.PRECINCTS`, one of them for each cell.
    title, description : str
        Name and text alternative of the drawing.

    Returns
    -------
    str
        A path for each area with a `<title>`, to be pointed at; the highest risk first, which is also
        their tab order.
    """
    rows = placed.join(
        shapes.select(number="precinct", geometry="geometry"), on="number", how="inner"
    ).sort("rank")
    paths, height = _paths(shapely.from_wkb(rows["geometry"].to_numpy()))
    drawn = dict.fromkeys(BANDS, "")
    pointers = []
    for path, cell, band, label in zip(
        paths, *(rows[c] for c in ("cell_id", "band", "label")), strict=True
    ):
        drawn[band] += path
        pointers.append(
            f'<path id="c{cell}" d="{path}" role="img"><title>{escape(label)}</title></path>'
        )
    return "\n".join(
        [
            '<svg xmlns="http://www.w3.org/2000/svg" id="map" '
            f'viewBox="0 0 {_WIDTH + 2 * _MARGIN:g} {height + 2 * _MARGIN:.0f}" role="group" '
            'aria-labelledby="map-title map-description">',
            f'<title id="map-title">{escape(title)}</title>',
            f'<desc id="map-description">{escape(description)}</desc>',
            *(
                f'<path class="cell {band.replace(" ", "-")}" d="{drawn[band]}"/>'
                for band in reversed(BANDS)
            ),
            f'<g class="pointers">{"".join(pointers)}</g>',
            "</svg>",
        ]
    )


def _paths(shapes: np.ndarray) -> tuple[list[str], float]:
    """Path of each shape on the sheet, in order, and the sheet's height without margins."""
    west, south, east, north = shapely.total_bounds(shapes)
    narrow = float(np.cos(np.radians((south + north) / 2.0)))
    scale = _WIDTH / max((east - west) * narrow, north - south)

    def on_sheet(points: np.ndarray) -> np.ndarray:
        x = (points[:, 0] - west) * narrow * scale + _MARGIN
        return np.column_stack([x, (north - points[:, 1]) * scale + _MARGIN])

    drawn = shapely.simplify(shapely.transform(shapes, on_sheet), _SIMPLIFY)
    return [_path(shape) for shape in drawn], (north - south) * scale


def _path(shape: shapely.Geometry) -> str:
    """Rings of the larger parts of a shape; of all, where none is large."""
    parts = shapely.get_parts(shape)
    large = parts[shapely.area(parts) >= _SMALLEST_PART]
    kept = large if len(large) else parts
    rings = [ring for part in kept for ring in (part.exterior, *part.interiors)]
    return "".join(
        "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in shapely.get_coordinates(ring)[:-1]) + "Z"
        for ring in rings
    )
