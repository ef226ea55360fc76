"""A month of maps in one drawing, a layer a day, and small lines over the days.

Belongs here: compact marks for the mailed report. Does not: the map of one day (`map_drawing`), words
(`daily_report`), colours (`daily_report.css`).

31 days of 180 coloured cells must fit into an attachment. A row of neighbouring cells of one band is
one stroke as wide as a cell, and each stroke starts from the end of the one before: 6 bytes a run
instead of 20 a cell.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from htrisk_dagster.publishing.map_drawing import HOVER_BANDS, MapSheet

_CELL = 10
_SPARK_WIDTH, _SPARK_HEIGHT = 90, 18


def strokes(left: ArrayLike, top: ArrayLike) -> str:
    """Path of cells as horizontal strokes, in cells; stroke width 1 makes them squares.

    Parameters
    ----------
    left, top : int, shape (n,)
        Column from the west and row from the north.
    """
    x, y = np.asarray(left, dtype=np.int64), np.asarray(top, dtype=np.int64)
    if not x.size:
        return ""
    order = np.lexsort((x, y))
    x, y = x[order], y[order]
    starts = np.flatnonzero(np.append(True, (np.diff(y) != 0) | (np.diff(x) != 1)))
    length = np.diff(np.append(starts, x.size))
    end_x, end_y = x[starts] + length, y[starts]
    step_x = x[starts] - np.append(0, end_x[:-1])
    step_y = end_y - np.append(0, end_y[:-1])
    return "".join(
        f"m{a}{_signed(b)}h{n}"
        for a, b, n in zip(step_x.tolist(), step_y.tolist(), length.tolist(), strict=True)
    )


def _signed(value: int) -> str:
    return f"{value}" if value < 0 else f" {value}"


def draw_month(
    placed: pl.DataFrame,
    layers: Sequence[tuple[str, pl.DataFrame]],
    sheet: MapSheet,
    *,
    title: str,
    description: str,
    numbered: pl.DataFrame,
) -> str:
    """Draw the land once, and a layer of coloured cells for each day.

    Parameters
    ----------
    placed : DataFrame
        Cells of `map_drawing.place_on_sheet`.
    layers : sequence of (str, DataFrame)
        Class of the layer, and `cell_id` and `band` of its day.
    sheet : MapSheet
    title, description : str
        Name and text alternative.
    numbered : DataFrame
        Of the last layer's day: `left`, `top`, `rank` and `label` of the cells that are numbered.
    """
    where = placed.select("cell_id", pl.col("left") // _CELL, pl.col("top") // _CELL)
    days = [_layer(name, risk.join(where, on="cell_id")) for name, risk in layers]
    land = strokes(where["left"], where["top"])
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" id="month" viewBox="{sheet.view_box}" role="group" '
            'aria-labelledby="month-title month-description">',
            f'<title id="month-title">{escape(title)}</title>',
            f'<desc id="month-description">{escape(description)}</desc>',
            sheet.grid,
            # A stroke is centred on its line: half a cell down puts it on the cell.
            f'<g class="cells" transform="translate(0 {_CELL // 2}) scale({_CELL})">'
            f'<path class="baseline" d="{land}"/></g>',
            sheet.names,
            f'<g class="cells" transform="translate(0 {_CELL // 2}) scale({_CELL})">{"".join(days)}</g>',
            sheet.outlines,
            sheet.scale,
            _numbers(numbered, layers[-1][0]),
            "</svg>",
        ]
    )


def _layer(name: str, risk: pl.DataFrame) -> str:
    paths = [
        f'<path class="{band.replace(" ", "-")}" d="{strokes(cells["left"], cells["top"])}"/>'
        for band in reversed(HOVER_BANDS)
        if (cells := risk.filter(pl.col("band") == band)).height
    ]
    return f'<g class="day {name}">{"".join(paths)}</g>'


def _numbers(numbered: pl.DataFrame, layer: str) -> str:
    """Cells to point at, and their ranks beside them where no higher rank is in the way."""
    marks: list[str] = []
    taken: set[tuple[int, int]] = set()
    for left, top, rank, label in (
        numbered.sort("rank").select("left", "top", "rank", "label").rows()
    ):
        text = ""
        if not taken & (own := _covered(left, top)):
            taken |= own
            text = f'<text x="{left + _CELL + 2}" y="{top + _CELL}">{rank}</text>'
        marks.append(
            f'<g id="n{rank}"><title>{escape(label)}</title><rect x="{left}" y="{top}" width="{_CELL}" '
            f'height="{_CELL}"/>{text}</g>'
        )
    return f'<g class="numbers day {layer}">{"".join(marks)}</g>'


def _covered(left: int, top: int) -> set[tuple[int, int]]:
    """Cells that a number and its own cell take: two to the east, and the row above."""
    column, row = left // _CELL, top // _CELL
    return {(column + i, row - j) for i in range(4) for j in range(2)}


def sparkline(values: Sequence[float | None], *, label: str) -> str:
    """A line over days from zero to its own highest value, the last day as a dot.

    Days without a value leave a gap.
    """
    highest = max((v for v in values if v is not None), default=0.0) or 1.0
    step = (_SPARK_WIDTH - 6) / max(len(values) - 1, 1)
    points = [
        None if v is None else (3 + i * step, 2 + (_SPARK_HEIGHT - 4) * (1 - v / highest))
        for i, v in enumerate(values)
    ]
    path, is_down = "", False
    for point in points:
        if point is not None:
            path += f"{'L' if is_down else 'M'}{point[0]:.3g} {point[1]:.3g}"
        is_down = point is not None
    dot = ""
    if points and (last := points[-1]) is not None:
        dot = f'<circle cx="{last[0]:.3g}" cy="{last[1]:.3g}" r="2"/>'
    return (
        f'<svg class="spark" viewBox="0 0 {_SPARK_WIDTH} {_SPARK_HEIGHT}" role="img" '
        f'aria-label="{escape(label)}"><path d="{path}"/>{dot}</svg>'
    )
