"""The drawing of risk by area as SVG: the shapes of beats or towns, coloured by band.

Belongs here: the map of a day, and of a month in layers, of a city whose cells are areas with shapes. Does
not: squares (`map_drawing`, `month_drawing`), the words around the map, colours (the style sheets).

Longitudes are shortened by the cosine of the middle latitude, which keeps shapes as the eye knows them over a
city or a small state; nothing is measured on the drawing, and it has no scale. A large area looks more
important than a small one of the same band: the table beside it ranks them.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    rows = _with_shapes(placed, shapes).sort("rank")
    on_sheet, height = _sheet(rows)
    paths = [_path(shape) for shape in on_sheet]
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
            *_opening("map", height, title, description),
            *(
                f'<path class="cell {band.replace(" ", "-")}" d="{drawn[band]}"/>'
                for band in reversed(BANDS)
            ),
            f'<g class="pointers">{"".join(pointers)}</g>',
            "</svg>",
        ]
    )


def draw_area_month(
    placed: pl.DataFrame,
    shapes: pl.DataFrame,
    layers: Sequence[tuple[str, pl.DataFrame]],
    *,
    title: str,
    description: str,
    numbered: pl.DataFrame,
) -> str:
    """Draw the areas once, and a layer of coloured ones for each day.

    Parameters
    ----------
    placed : DataFrame
        Cells with `cell_id` and `number`, their precinct.
    shapes : DataFrame
        `schemas.raw.PRECINCTS`, one of them for each cell.
    layers : sequence of (str, DataFrame)
        Class of the layer, and `cell_id` and `band` of its day.
    title, description : str
        Name and text alternative.
    numbered : DataFrame
        Of the last layer's day: `cell_id`, `rank` and `label` of the areas that are numbered.
    """
    rows = _with_shapes(placed, shapes).sort("cell_id")
    on_sheet, height = _sheet(rows)
    paths = [_path(shape) for shape in on_sheet]
    inside = shapely.get_coordinates(shapely.point_on_surface(on_sheet)).tolist()
    at = dict(zip(rows["cell_id"], inside, strict=True))
    marks = [
        f'<g id="n{rank}"><title>{escape(label)}</title><use href="#a{cell}"/>'
        f'<text x="{at[cell][0]:.0f}" y="{at[cell][1]:.0f}">{rank}</text></g>'
        for cell, rank, label in numbered.sort("rank").select("cell_id", "rank", "label").rows()
    ]
    return "\n".join(
        [
            *_opening("month", height, title, description),
            '<g class="areas baseline">',
            *(f'<path id="a{c}" d="{d}"/>' for c, d in zip(rows["cell_id"], paths, strict=True)),
            "</g>",
            *(_layer(name, risk) for name, risk in layers),
            f'<g class="areas numbers day {layers[-1][0]}">{"".join(marks)}</g>',
            "</svg>",
        ]
    )


def _layer(name: str, risk: pl.DataFrame) -> str:
    coloured = risk.filter(pl.col("band") != BANDS[-1]).sort("cell_id")
    uses = (
        f'<use class="{band.replace(" ", "-")}" href="#a{cell}"/>'
        for cell, band in coloured.select("cell_id", "band").rows()
    )
    return f'<g class="areas day {name}">{"".join(uses)}</g>'


def _with_shapes(placed: pl.DataFrame, shapes: pl.DataFrame) -> pl.DataFrame:
    return placed.join(
        shapes.select(number="precinct", geometry="geometry"), on="number", how="inner"
    )


def _opening(name: str, height: float, title: str, description: str) -> list[str]:
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" id="{name}" '
        f'viewBox="0 0 {_WIDTH + 2 * _MARGIN:g} {height + 2 * _MARGIN:.0f}" role="group" '
        f'aria-labelledby="{name}-title {name}-description">',
        f'<title id="{name}-title">{escape(title)}</title>',
        f'<desc id="{name}-description">{escape(description)}</desc>',
    ]


def _sheet(rows: pl.DataFrame) -> tuple[np.ndarray, float]:
    """Each shape on the sheet, in order, and the sheet's height without margins."""
    shapes = shapely.from_wkb(rows["geometry"].to_numpy())
    west, south, east, north = shapely.total_bounds(shapes)
    narrow = float(np.cos(np.radians((south + north) / 2.0)))
    scale = _WIDTH / max((east - west) * narrow, north - south)

    def on_sheet(points: np.ndarray) -> np.ndarray:
        x = (points[:, 0] - west) * narrow * scale + _MARGIN
        return np.column_stack([x, (north - points[:, 1]) * scale + _MARGIN])

    drawn = shapely.simplify(shapely.transform(shapes, on_sheet), _SIMPLIFY)
    return drawn, (north - south) * scale


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
