"""A heat map of log counts as one SVG, complete in itself.

Belongs here: drawing a matrix of `flows.log_count_matrix`. Does not: what may be shown; give it
counts that have passed disclosure control.
"""

from __future__ import annotations

from html import escape

import numpy as np
import polars as pl

CELL_PX = 16
LABEL_PX = 34
LEGEND_PX = 46
# Light to dark of one hue: reads in grey and to the colour-blind.
_LIGHT, _DARK = (222, 235, 247), (8, 48, 107)
_LEGEND_STEPS = 24


def draw_heat_map(matrix: pl.DataFrame, *, title: str) -> str:
    """Draw log10 counts as squares, rows by citizenship and columns by country of exploitation.

    Parameters
    ----------
    matrix : DataFrame
        As `flows.log_count_matrix`: one column `citizenship`, then one a country; null is left
        white.
    title : str
        What a screen reader says of the drawing.

    Returns
    -------
    str
        An `<svg>` element without script, style sheet or outside address. Each square's tooltip
        says the pair and its count.
    """
    columns = matrix.columns[1:]
    cells = matrix.with_row_index("row").unpivot(
        on=columns, index=["row", "citizenship"], variable_name="country", value_name="log10_count"
    )
    cells = cells.drop_nulls("log10_count")
    highest = float(np.max(cells["log10_count"].to_numpy(), initial=1.0))
    places = {country: place for place, country in enumerate(columns)}
    squares = [
        _square(
            row, places[country], log / highest, f"{citizen} to {country}: {10**log:,.0f} records"
        )
        for row, citizen, country, log in cells.iter_rows()
    ]
    width = LABEL_PX + CELL_PX * max(len(columns), 2 * LEGEND_PX // CELL_PX)
    height = LABEL_PX + CELL_PX * matrix.height + LEGEND_PX
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'font-family="sans-serif" font-size="9"><title>{escape(title)}</title>',
        *(_row_label(row, name) for row, name in enumerate(matrix["citizenship"])),
        *(_column_label(place, name) for name, place in places.items()),
        *squares,
        *_legend(LABEL_PX + CELL_PX * matrix.height + 14, highest),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _colour(share: float) -> str:
    mixed = (round(a + (b - a) * share) for a, b in zip(_LIGHT, _DARK, strict=True))
    return "#" + "".join(f"{part:02x}" for part in mixed)


def _square(row: int, column: int, share: float, tooltip: str) -> str:
    return (
        f'<rect x="{LABEL_PX + CELL_PX * column}" y="{LABEL_PX + CELL_PX * row}" '
        f'width="{CELL_PX - 1}" height="{CELL_PX - 1}" fill="{_colour(share)}">'
        f"<title>{escape(tooltip)}</title></rect>"
    )


def _row_label(row: int, name: str) -> str:
    y = LABEL_PX + CELL_PX * row + CELL_PX - 5
    return f'<text x="{LABEL_PX - 5}" y="{y}" text-anchor="end">{escape(name)}</text>'


def _column_label(column: int, name: str) -> str:
    x = LABEL_PX + CELL_PX * column + CELL_PX / 2
    return f'<text x="{x:g}" y="{LABEL_PX - 5}" text-anchor="middle">{escape(name)}</text>'


def _legend(top: int, highest: float) -> list[str]:
    steps = [
        f'<rect x="{LABEL_PX + 4 * step}" y="{top}" width="4" height="8" '
        f'fill="{_colour(step / (_LEGEND_STEPS - 1))}"/>'
        for step in range(_LEGEND_STEPS)
    ]
    right = LABEL_PX + 4 * _LEGEND_STEPS
    return [
        *steps,
        f'<text x="{LABEL_PX}" y="{top + 20}">1</text>',
        f'<text x="{right}" y="{top + 20}" text-anchor="end">{10**highest:,.0f} records</text>',
    ]
