"""The drawing of one day's risk as SVG: cells by band, borough outlines, a reference grid.

Belongs here: geometry and marks. Does not: the words around the map (`risk_map`), colours
(`risk_map.css`).

The unit of the drawing is a tenth of a cell, so that squares are whole numbers and need few bytes.
Boundaries come in longitude and latitude and cells in both, so the way from degrees to the lattice is
fitted on the cells: a quadratic, exact to metres over a city, and no projection is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from string import ascii_uppercase

import numpy as np
import polars as pl
import shapely
from numpy.typing import NDArray

from htrisk_dagster.schemas.predictions import BANDS

_UNIT = 10
_MARGIN = 30
# A tenth of a cell, 50 m for cells of 500 m: finer than a reader sees, and a tenth of the bytes.
_SIMPLIFY = 0.1 * _UNIT
# Islets under a quarter of a cell only add bytes.
_SMALLEST_PART = 0.25 * _UNIT**2
_SCALE_BARS_KM = (0.5, 1, 2, 5, 10, 20, 50)
HOVER_BANDS = BANDS[:3]
"""Bands whose cells can be pointed at: the top 5%."""


def place_on_sheet(cells: pl.DataFrame) -> pl.DataFrame:
    """Add the drawing's `left` and `top` and the map reference `sheet` of each cell.

    The sheet is cut into squares of 5 x 5 cells, lettered eastwards and numbered southwards, as in an
    atlas: `C7`. On a sheet too wide for 26 letters the squares are larger.
    """
    east = pl.col("col") - pl.col("col").min()
    south = pl.col("row").max() - pl.col("row")
    step = sheet_step(cells)
    letters = pl.Series(list(ascii_uppercase))
    return cells.with_columns(
        (east * _UNIT).alias("left"),
        (south * _UNIT).alias("top"),
        (
            pl.lit(letters).implode().first().list.get(east // step)
            + (south // step + 1).cast(pl.String)
        ).alias("sheet"),
    )


def sheet_step(cells: pl.DataFrame) -> int:
    """Side of a square of the reference grid, in cells."""
    return max(5, -(-_extent(cells)[0] // len(ascii_uppercase)))


@dataclass(frozen=True)
class Outline:
    """A borough on the sheet: its name, the path of its outline, and where the name stands."""

    name: str
    path: str
    x: float
    y: float


@dataclass(frozen=True)
class MapGeometry:
    """All of a map that does not change with the day.

    Parameters
    ----------
    placed : DataFrame
        Of `place_on_sheet`.
    width, height : int
        Of the sheet, in tenths of a cell.
    step : int
        Side of a square of the reference grid, in cells.
    boroughs : tuple of Outline
    """

    placed: pl.DataFrame
    width: int
    height: int
    step: int
    boroughs: tuple[Outline, ...]


def map_geometry(cells: pl.DataFrame, boroughs: pl.DataFrame) -> MapGeometry:
    """Place cells and outlines on the sheet, for a map that is drawn elsewhere.

    Parameters
    ----------
    cells : DataFrame
        `schemas.grid.CELLS`.
    boroughs : DataFrame
        `schemas.raw.BOROUGHS`.
    """
    placed = place_on_sheet(cells)
    n_cols, n_rows = _extent(placed)
    outlines = tuple(_outlines(placed, boroughs))
    return MapGeometry(placed, n_cols * _UNIT, n_rows * _UNIT, sheet_step(cells), outlines)


def draw_map(placed: pl.DataFrame, boroughs: pl.DataFrame, *, title: str, description: str) -> str:
    """Draw the map as one `<svg>` element.

    Parameters
    ----------
    placed : DataFrame
        Cells of `place_on_sheet` with the columns of `CELL_DAY_RISK` and the sentence `label`.
    boroughs : DataFrame
        `schemas.raw.BOROUGHS`; without a row there is no ground to measure, and no scale.
    title, description : str
        Name and text alternative of the drawing.

    Returns
    -------
    str
        One path for each band, one transparent square with a `<title>` for each cell of the top 5%.
    """
    sheet = sheet_around(placed, boroughs)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" id="map" viewBox="{sheet.view_box}" role="group" '
        'aria-labelledby="map-title map-description">',
        f'<title id="map-title">{escape(title)}</title>',
        f'<desc id="map-description">{escape(description)}</desc>',
        sheet.grid,
        _band_path(placed, BANDS[-1]),
        # Names under the coloured squares: a word must never hide a cell.
        sheet.names,
        *(_band_path(placed, band) for band in reversed(HOVER_BANDS)),
        sheet.outlines,
        sheet.scale,
        _pointers(placed),
        "</svg>",
    ]
    return "\n".join(parts)


def _extent(cells: pl.DataFrame) -> tuple[int, int]:
    """Count the columns and rows of the lattice that the cells span."""
    span = cells.select(
        (pl.col("col").max() - pl.col("col").min() + 1).alias("cols"),
        (pl.col("row").max() - pl.col("row").min() + 1).alias("rows"),
    )
    return span.row(0)


def _band_path(placed: pl.DataFrame, band: str) -> str:
    squares = placed.filter(band=band).select(
        pl.format("M{} {}h10v10h-10z", "left", "top").str.join("")
    )
    return f'<path class="cell {band.replace(" ", "-")}" d="{squares.item() or ""}"/>'


def _pointers(placed: pl.DataFrame) -> str:
    """Transparent squares to point at, the highest risk first, which is also their tab order."""
    top = placed.filter(pl.col("band").is_in(list(HOVER_BANDS))).sort("rank")
    rects = [
        f'<rect id="c{cell}" x="{left}" y="{upper}" width="10" height="10" role="img">'
        f"<title>{escape(label)}</title></rect>"
        for cell, left, upper, label in top.select("cell_id", "left", "top", "label").iter_rows()
    ]
    return f'<g class="pointers">{"".join(rects)}</g>'


@dataclass(frozen=True)
class MapSheet:
    """All of a map but its cells, as SVG.

    Parameters
    ----------
    view_box : str
        Of the drawing, in tenths of a cell.
    grid, names, outlines, scale : str
        Reference grid, names and outlines of boroughs, scale bar.
    """

    view_box: str
    grid: str
    names: str
    outlines: str
    scale: str


def sheet_around(placed: pl.DataFrame, boroughs: pl.DataFrame) -> MapSheet:
    """The sheet that cells of `place_on_sheet` lie on."""
    n_cols, n_rows = _extent(placed)
    width, height = n_cols * _UNIT, n_rows * _UNIT
    outlines, names = _boroughs(placed, boroughs)
    return MapSheet(
        view_box=f"{-_MARGIN} {-_MARGIN} {width + 2 * _MARGIN} {height + 2 * _MARGIN}",
        grid=_reference_grid(placed, width, height),
        names=names,
        outlines=outlines,
        scale="" if boroughs.is_empty() else _scale_bar(placed, width, height),
    )


def _reference_grid(placed: pl.DataFrame, width: int, height: int) -> str:
    side = sheet_step(placed) * _UNIT
    across, down = range(0, width + side, side), range(0, height + side, side)
    lines = [f"M{min(x, width)} 0V{height}" for x in across]
    lines += [f"M0 {min(y, height)}H{width}" for y in down]
    letters = [
        f'<text x="{(x + min(x + side, width)) / 2:g}" y="{y}">{ascii_uppercase[i]}</text>'
        for i, x in enumerate(range(0, width, side))
        for y in (-10, height + 20)
    ]
    numbers = [
        f'<text x="{x}" y="{(y + min(y + side, height)) / 2 + 5:g}">{i + 1}</text>'
        for i, y in enumerate(range(0, height, side))
        for x in (-16, width + 16)
    ]
    return f'<g class="sheet"><path d="{"".join(lines)}"/>{"".join(letters + numbers)}</g>'


def _degrees_to_sheet(placed: pl.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centre in degrees, and coefficients (6, 2) of the quadratic to the drawing's units."""
    degrees = placed.select("lon", "lat").to_numpy()
    centre = degrees.mean(axis=0)
    target = placed.select(pl.col("left") + _UNIT / 2, pl.col("top") + _UNIT / 2).to_numpy()
    coefficients = np.linalg.lstsq(_quadratic(degrees - centre), target.astype(np.float64))[0]
    return centre, coefficients


def _quadratic(offset: NDArray[np.float64]) -> NDArray[np.float64]:
    x, y = offset.T
    return np.column_stack([np.ones_like(x), x, y, x * x, x * y, y * y])


def _outlines(placed: pl.DataFrame, boroughs: pl.DataFrame) -> Iterator[Outline]:
    """Outlines of the boroughs that are large enough to be drawn."""
    centre, coefficients = _degrees_to_sheet(placed)
    names = boroughs["borough"].to_list()
    shapes = shapely.transform(
        shapely.from_wkb(boroughs["geometry"].to_numpy()),
        lambda points: _quadratic(points - centre) @ coefficients,
    )
    for name, shape in zip(names, shapes, strict=True):
        parts = shapely.get_parts(shapely.simplify(shape, _SIMPLIFY))
        large = parts[shapely.area(parts) >= _SMALLEST_PART]
        if len(large):
            rings = np.concatenate([shapely.get_rings(p) for p in large])
            at = shapely.point_on_surface(large[np.argmax(shapely.area(large))])
            yield Outline(name, "".join(map(_ring_path, rings)), round(at.x), round(at.y))


def _boroughs(placed: pl.DataFrame, boroughs: pl.DataFrame) -> tuple[str, str]:
    """Outlines of the boroughs, and their names."""
    found = list(_outlines(placed, boroughs))
    labels = [f'<text x="{o.x}" y="{o.y}">{escape(o.name.title())}</text>' for o in found]
    return (
        f'<path class="borough" d="{"".join(o.path for o in found)}"/>',
        f'<g class="borough-name">{"".join(labels)}</g>',
    )


def _ring_path(ring: shapely.LinearRing) -> str:
    points = np.round(shapely.get_coordinates(ring), 1)[:-1]
    return "M" + " ".join(f"{x:g} {y:g}" for x, y in points.tolist()) + "z"


def _scale_bar(placed: pl.DataFrame, width: int, height: int) -> str:
    """Bar of a round length, at most a fifth of the sheet, in its lower right corner."""
    steps = placed.select(pl.col("x_m").unique().sort().diff().min()).item()
    cell_m = float(steps or 1.0)
    fitting = [km for km in _SCALE_BARS_KM if km * 1000 / cell_m * _UNIT <= width / 5]
    if not fitting:
        return ""
    length = fitting[-1] * 1000 / cell_m * _UNIT
    x, y = width - length - 10, height - 14
    return (
        f'<g class="scale"><path d="M{x:g} {y - 6}v6h{length:g}v-6"/>'
        f'<text x="{x + length / 2:g}" y="{y - 10}">{fitting[-1]:g} km</text>'
        f'<text x="{x + length / 2:g}" y="{y - 32}">north is up</text></g>'
    )
