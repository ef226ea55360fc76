"""The drawing of risk by area as SVG: the shapes of beats or towns, coloured by band.

Belongs here: the map of a day, and of a month in layers, of a city whose cells are areas. Does not: squares
of ground (`map_drawing`, `month_drawing`), the words around the map, colours (the style sheets).

Areas without shapes are squares, laid out by their row and column on the grid.

Longitudes are shortened by the cosine of the middle latitude, which keeps shapes as the eye knows them over a
city or a small state; nothing is measured on the drawing, and it has no scale. A large area looks more
important than a small one of the same band: the table beside it ranks them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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


def _have_shapes(cells: pl.DataFrame, shapes: pl.DataFrame) -> bool:
    """Whether every area has a shape."""
    return not shapes.is_empty() and not set(cells["precinct"]) - set(shapes["precinct"])


@dataclass(frozen=True)
class AreaSheet:
    """Areas on a sheet of 600 units and its margins.

    Parameters
    ----------
    paths : tuple of str
        Path of each area, in the order of the cells.
    inside : float64, shape (C, 2)
        A point inside each.
    width, height : float
        Of the sheet, margins and all.
    has_shapes : bool
        Whether areas lie as they are; else they are squares.
    """

    paths: tuple[str, ...]
    inside: np.ndarray
    width: float
    height: float
    has_shapes: bool


def area_sheet(cells: pl.DataFrame, shapes: pl.DataFrame | None) -> AreaSheet:
    """Lay areas out by their shapes, or as squares where one of them has none.

    Parameters
    ----------
    cells : DataFrame
        `precinct`, a number, `col` and `row` of each.
    shapes : DataFrame, optional
        `schemas.raw.PRECINCTS`.
    """
    has_shapes = shapes is not None and _have_shapes(cells, shapes)
    if shapes is not None and has_shapes:
        of_cells = cells.select("precinct").join(
            shapes.select("precinct", "geometry"), on="precinct", how="left", maintain_order="left"
        )
        drawn, height = _on_sheet(shapely.from_wkb(of_cells["geometry"].to_numpy()))
    else:
        col, row = (cells[name].to_numpy().astype(np.float64) for name in ("col", "row"))
        # At the equator a degree is as wide as it is high: the squares stay squares.
        drawn, height = _on_sheet(
            shapely.box(col / 1e4, row / 1e4, (col + 1) / 1e4, (row + 1) / 1e4)
        )
    return AreaSheet(
        paths=tuple(_path(shape) for shape in drawn),
        inside=shapely.get_coordinates(shapely.point_on_surface(drawn)),
        width=_WIDTH + 2 * _MARGIN,
        height=height + 2 * _MARGIN,
        has_shapes=has_shapes,
    )


def draw_areas(placed: pl.DataFrame, sheet: AreaSheet, *, title: str, description: str) -> str:
    """Draw the map as one `<svg>` element.

    Parameters
    ----------
    placed : DataFrame
        Cells with the columns of `CELL_DAY_RISK` and the sentence `label`.
    sheet : AreaSheet
        Of the cells by `cell_id`.
    title, description : str
        Name and text alternative of the drawing.

    Returns
    -------
    str
        A path for each area with a `<title>`, to be pointed at; the highest risk first, which is also
        their tab order.
    """
    rows = placed.sort("rank")
    drawn = dict.fromkeys(BANDS, "")
    pointers = []
    for cell, band, label in rows.select("cell_id", "band", "label").rows():
        path = sheet.paths[cell]
        drawn[band] += path
        pointers.append(
            f'<path id="c{cell}" d="{path}" role="img"><title>{escape(label)}</title></path>'
        )
    return "\n".join(
        [
            *_opening("map", sheet, title, description),
            *(
                f'<path class="cell {band.replace(" ", "-")}" d="{drawn[band]}"/>'
                for band in reversed(BANDS)
            ),
            f'<g class="pointers">{"".join(pointers)}</g>',
            "</svg>",
        ]
    )


def draw_area_month(
    sheet: AreaSheet,
    layers: Sequence[tuple[str, pl.DataFrame]],
    *,
    title: str,
    description: str,
    numbered: pl.DataFrame,
) -> str:
    """Draw the areas once, and a layer of coloured ones for each day.

    Parameters
    ----------
    sheet : AreaSheet
        Of the cells by `cell_id`.
    layers : sequence of (str, DataFrame)
        Class of the layer, and `cell_id` and `band` of its day.
    title, description : str
        Name and text alternative.
    numbered : DataFrame
        Of the last layer's day: `cell_id`, `rank` and `label` of the areas that are numbered.
    """
    at = sheet.inside.tolist()
    marks = [
        f'<g id="n{rank}"><title>{escape(label)}</title><use href="#a{cell}"/>'
        f'<text x="{at[cell][0]:.0f}" y="{at[cell][1]:.0f}">{rank}</text></g>'
        for cell, rank, label in numbered.sort("rank").select("cell_id", "rank", "label").rows()
    ]
    return "\n".join(
        [
            *_opening("month", sheet, title, description),
            '<g class="areas baseline">',
            *(f'<path id="a{c}" d="{d}"/>' for c, d in enumerate(sheet.paths)),
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


def _opening(name: str, sheet: AreaSheet, title: str, description: str) -> list[str]:
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" id="{name}" '
        f'viewBox="0 0 {sheet.width:g} {sheet.height:.0f}" role="group" '
        f'aria-labelledby="{name}-title {name}-description">',
        f'<title id="{name}-title">{escape(title)}</title>',
        f'<desc id="{name}-description">{escape(description)}</desc>',
    ]


def _on_sheet(shapes: np.ndarray) -> tuple[np.ndarray, float]:
    """Each shape on the sheet, in order, and the sheet's height without margins."""
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
