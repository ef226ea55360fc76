"""The map of one day as one HTML file that needs nothing else: no tile, font, script or network.

Belongs here: the page of one day and its table. Does not: the drawing (`map_drawing`, `area_drawing`), what
the report says too (`map_words`), how risk is computed (`risk_table`), who may publish it.

The words are part of the safety of the program: the page says *reported incidents*, what it was
made from, how many incidents it expects to miss, until when it holds and what it must not be used
for. It works with scripts blocked and prints on two sheets.
"""

from __future__ import annotations

from html import escape
from pathlib import Path

import polars as pl

from htrisk_dagster.publishing import map_words
from htrisk_dagster.publishing.area_drawing import area_sheet, draw_areas
from htrisk_dagster.publishing.map_drawing import draw_map, place_on_sheet
from htrisk_dagster.publishing.map_words import MapHeader

_HERE = Path(__file__).parent
_N_LISTED = 20


def render_risk_map(
    risk: pl.DataFrame,
    cells: pl.DataFrame,
    *,
    boroughs: pl.DataFrame,
    header: MapHeader,
    shapes: pl.DataFrame | None = None,
) -> str:
    """Make the page of one day.

    Parameters
    ----------
    risk : DataFrame
        `schemas.predictions.CELL_DAY_RISK` of one day, a row for each cell.
    cells : DataFrame
        `schemas.grid.CELLS`.
    boroughs : DataFrame
        `schemas.raw.BOROUGHS`, for the outlines.
    header : MapHeader
    shapes : DataFrame, optional
        `schemas.raw.PRECINCTS`: where cells are areas and all have a shape, the map is drawn of them.

    Returns
    -------
    str
        HTML. The same tables and header give the same text.

    Raises
    ------
    ValueError
        Where `risk` is not of the header's day alone, or does not have each cell once.
    """
    map_words.require_one_row_a_cell(risk, cells, header.risk_on)
    named = map_words.name_places(
        place_on_sheet(cells), header.area_codes, is_schematic=header.is_schematic
    )
    label = map_words.cell_sentence(header).alias("label")
    placed = named.join(risk, on="cell_id", how="inner").sort("rank").with_columns(label)
    areas = area_sheet(cells.sort("cell_id"), shapes) if header.is_schematic else None
    title = f"Reported incidents expected on {map_words.day_in_words(header.risk_on)}"
    note = "" if areas is None else map_words.note_on_areas(has_shapes=areas.has_shapes)
    marks = "Squares" if areas is None else "Areas"
    map_text = (
        f"Map of {header.area_title}. {note}{marks} are coloured by rank of "
        f"expected incidents; the {min(_N_LISTED, placed.height)} highest are listed in the table below."
    )
    if areas is not None:
        drawing = draw_areas(placed, areas, title=title, description=map_text)
    else:
        drawing = draw_map(placed, boroughs, title=title, description=map_text)
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            '<head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)} - {escape(header.area_title)}</title>",
            f"<style>{(_HERE / 'risk_map.css').read_text(encoding='utf-8')}</style></head>",
            "<body>",
            map_words.headline(header, title),
            map_words.facts_of_day(placed, header),
            "<main><figure>",
            drawing,
            *([f"<figcaption>{note}</figcaption>"] if note else []),
            map_words.legend(placed, header),
            '<output id="readout" aria-live="polite">Point at '
            f"{'an area' if header.is_schematic else 'a coloured square'} to read its forecast.</output>",
            "</figure>",
            _top_cells(placed, header),
            map_words.limits(),
            "</main>",
            map_words.footer(header),
            f"<script>{(_HERE / 'risk_map.js').read_text(encoding='utf-8')}</script>",
            "</body></html>",
        ]
    )


def _top_cells(placed: pl.DataFrame, header: MapHeader) -> str:
    top = placed.head(_N_LISTED)
    names = ("Area", "Agency") if header.is_schematic else ("Precinct", "Borough")
    degrees = [f"{lat:.4f}, {lon:.4f}" for lat, lon in top.select("lat", "lon").rows()]
    # An area has no square of the sheet, and the middle of one says little.
    places = top.select(
        *([] if header.is_schematic else [pl.col("sheet").alias("Map square")]),
        pl.col("precinct").alias(names[0]),
        pl.col("borough").alias(names[1]),
        *([] if header.is_schematic else [pl.Series("Centre (latitude, longitude)", degrees)]),
    )
    rows = [
        f'<tr><td class="number"><a href="#c{r["cell_id"]}">{r["rank"]}</a></td>'
        f"{''.join(f'<td>{escape(text)}</td>' for text in place)}"
        f'<td class="number">{r["expected_count"]:#.3g}</td>'
        f'<td class="number">{100 * r["risk_prob"]:.2g}%</td>'
        f'<td class="number">{r["lower_95_count"]} to {r["upper_95_count"]}</td></tr>'
        for r, place in zip(top.iter_rows(named=True), places.rows(), strict=True)
    ]
    head_cells = [f'<th scope="col">{head}</th>' for head in places.columns]
    return "\n".join(
        [
            '<section id="top-cells">',
            f"<h2>The {len(rows)} {header.place}s with the highest expected count</h2>",
            map_words.valid_only(header),
            '<div class="wide"><table>',
            "<caption>Expected count: incidents expected to be reported. Risk: probability of at "
            "least one. Interval: the count lies in it on 95 of 100 such days or more.</caption>",
            '<thead><tr><th scope="col" class="number">Rank</th>'
            f"{''.join(head_cells)}"
            '<th scope="col" class="number">Expected count</th>'
            '<th scope="col" class="number">Risk</th>'
            '<th scope="col" class="number">95% interval</th></tr></thead>',
            f"<tbody>{''.join(rows)}</tbody></table></div>",
            "</section>",
        ]
    )
