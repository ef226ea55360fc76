"""The mailed report: one day's map, its month, top cells, model card and limits in one HTML file.

Belongs here: what the report says and in which order. Does not: the drawing (`month_drawing`), risk
(`risk_table`), what the map says too (`map_words`), who may publish it (`release_gate`).

It is an attachment: no address, no font, no script, under 200 kB. The days are radio buttons, which
style alone turns into a slider that the arrow keys move; printed, it shows its own day. A policy in
its head forbids it to fetch anything, whatever opens it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from html import escape
from pathlib import Path

import polars as pl

from htrisk_dagster.publishing import map_words, model_card
from htrisk_dagster.publishing.area_drawing import (
    AreaSheet,
    area_sheet,
    draw_area_month,
)
from htrisk_dagster.publishing.document_text import to_html
from htrisk_dagster.publishing.map_drawing import place_on_sheet, sheet_around
from htrisk_dagster.publishing.map_words import MapHeader, day_in_words
from htrisk_dagster.publishing.month_drawing import draw_month, sparkline

_HERE = Path(__file__).parent
DAYS_SHOWN = 31
LARGEST_BYTES = 200_000
_N_LISTED = 20
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def days_shown(day: date) -> list[date]:
    """The days of the slider, the report's own last."""
    return [day - timedelta(days=back) for back in range(DAYS_SHOWN - 1, -1, -1)]


def render_daily_report(
    risk: pl.DataFrame,
    cells: pl.DataFrame,
    *,
    boroughs: pl.DataFrame,
    card: pl.DataFrame,
    header: MapHeader,
    shapes: pl.DataFrame | None = None,
) -> str:
    """Make the report of one day.

    Parameters
    ----------
    risk : DataFrame
        `schemas.predictions.CELL_DAY_RISK` of the day and, where there are any, of the 30 before it.
    cells : DataFrame
        `schemas.grid.CELLS`.
    boroughs : DataFrame
        `schemas.raw.BOROUGHS`, for the outlines.
    card : DataFrame
        `schemas.governance.MODEL_CARD` of the model in use.
    header : MapHeader
        Of the day; its digest is the report's.
    shapes : DataFrame, optional
        `schemas.raw.PRECINCTS`: where cells are areas and all have a shape, the month is drawn of them.

    Returns
    -------
    str
        HTML, without any script. The same tables and header give the same text.

    Raises
    ------
    ValueError
        Where the day has not each cell once.
    """
    of_day = risk.filter(pl.col("risk_on") == header.risk_on)
    map_words.require_one_row_a_cell(of_day, cells, header.risk_on)
    days = days_shown(header.risk_on)
    cells = cells.sort("cell_id")
    placed = map_words.name_places(
        place_on_sheet(cells), header.area_codes, is_schematic=header.is_schematic
    )
    areas = area_sheet(cells, shapes) if header.is_schematic else None
    label = map_words.cell_sentence(header).alias("label")
    shown = placed.join(of_day, on="cell_id").sort("rank").with_columns(label)
    title = f"Reported incidents expected on {day_in_words(header.risk_on)}"
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            '<head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)} - {escape(header.area_title)}</title>",
            f"<style>{(_HERE / 'daily_report.css').read_text(encoding='utf-8')}",
            f"{_day_styles(len(days))}</style></head>",
            "<body>",
            map_words.headline(header, title),
            map_words.facts_of_day(shown, header),
            "<main>",
            _month(risk, placed, shown, boroughs, areas, header=header, days=days),
            _top_cells(risk, shown, header=header, days=days),
            map_words.limits(),
            '<section id="card"><h2>Model card, in short</h2>',
            to_html(card, model_card.SHORT),
            "</section></main>",
            map_words.footer(header),
            "</body></html>",
        ]
    )


def _day_styles(n: int) -> str:
    """One rule that shows the layers of the chosen day, and those of the last day in print."""
    chosen = ",".join(f"#d{i}:checked~figure .d{i}" for i in range(n))
    return (
        f"{chosen}{{display:block}}\n@media print{{.days .day{{display:none!important}}"
        f".days .d{n - 1}{{display:block!important}}}}"
    )


def _month(
    risk: pl.DataFrame,
    placed: pl.DataFrame,
    shown: pl.DataFrame,
    boroughs: pl.DataFrame,
    areas: AreaSheet | None,
    *,
    header: MapHeader,
    days: Sequence[date],
) -> str:
    by_day = {on: rows for (on,), rows in risk.partition_by("risk_on", as_dict=True).items()}
    found = [(i, on, by_day[on]) for i, on in enumerate(days) if on in by_day]
    layers = [(f"d{i}", rows.select("cell_id", "band")) for i, _, rows in found]
    title = f"Map of {header.area_title}, a layer a day"
    told = (
        f"{'Squares' if areas is None else 'Areas'} are coloured by rank of expected incidents; the highest "
        "of the report's own day are numbered as in the table below."
    )
    numbered = shown.head(_N_LISTED)
    note = "" if areas is None else map_words.note_on_areas(has_shapes=areas.has_shapes)
    if areas is not None:
        drawing = draw_area_month(areas, layers, title=title, description=told, numbered=numbered)
    else:
        drawing = draw_month(
            placed,
            layers,
            sheet_around(placed, boroughs),
            title=title,
            description=told,
            numbered=numbered,
        )
    captions = "".join(
        f'<p class="day d{i}"><strong>{day_in_words(on)}:</strong> {_total(rows):.2f} reported incidents '
        f"expected in the whole city; highest risk {_highest(rows):.2g}%.</p>"
        for i, on, rows in found
    )
    buttons = "".join(
        f'<input type="radio" name="day" id="d{i}"{_state(on, by_day, header.risk_on)}>'
        f'<label for="d{i}"><span>{day_in_words(on)}</span><b aria-hidden="true">{on.day}</b></label>'
        for i, on in enumerate(days)
    )
    return (
        '<fieldset class="days"><legend>The map by day: choose one, or press the arrow keys. A pale number '
        f'has no map.</legend>{buttons}\n<figure><div class="shown">{captions}</div>{drawing}'
        f"<figcaption>{note}{map_words.legend(shown, header)}</figcaption></figure></fieldset>"
    )


def _state(on: date, by_day: dict[date, pl.DataFrame], own: date) -> str:
    if on == own:
        return " checked"
    return "" if on in by_day else " disabled"


def _total(rows: pl.DataFrame) -> float:
    return float(rows["expected_count"].sum())


def _highest(rows: pl.DataFrame) -> float:
    return 100 * float(rows["risk_prob"].to_numpy().max())


def _top_cells(
    risk: pl.DataFrame, shown: pl.DataFrame, *, header: MapHeader, days: Sequence[date]
) -> str:
    top = shown.head(_N_LISTED)
    history = {
        (cell, on): value
        for cell, on, value in risk.filter(pl.col("cell_id").is_in(top["cell_id"].implode()))
        .select("cell_id", "risk_on", "expected_count")
        .iter_rows()
    }
    lines = {
        cell: sparkline([history.get((cell, on)) for on in days], label="By day")
        for cell in top["cell_id"]
    }
    totals = dict(risk.group_by("risk_on").agg(pl.col("expected_count").sum()).iter_rows())
    city = sparkline([totals.get(on) for on in days], label="Expected in the whole city, by day")
    rows = [
        f'<tr><th scope="row" class="number"><a href="#n{r["rank"]}">{r["rank"]}</a></th>'
        f"{'' if r['sheet'] is None else '<td>' + r['sheet'] + '</td>'}"
        f"<td>{escape(r['precinct'])}</td><td>{escape(r['borough'])}</td>"
        f'<td class="number">{r["expected_count"]:#.3g}</td>'
        f'<td class="number">{100 * r["risk_prob"]:.2g}%</td>'
        f'<td class="number">{r["lower_95_count"]} to {r["upper_95_count"]}</td>'
        f"<td>{lines[r['cell_id']]}</td>"
        f"<td>{escape(r['reasons'] or 'not told by this model')}</td></tr>"
        for r in top.iter_rows(named=True)
    ]
    heads = "".join(
        f'<th scope="col"{kind}>{words}</th>'
        for words, kind in (
            ("Rank", ' class="number"'),
            *([] if top["sheet"].is_null().all() else [("Map square", "")]),
            ("Area" if header.is_schematic else "Precinct", ""),
            ("Agency" if header.is_schematic else "Borough", ""),
            ("Expected count", ' class="number"'),
            ("Risk", ' class="number"'),
            ("95% interval", ' class="number"'),
            (f"{DAYS_SHOWN} days", ""),
            ("Against the city's mean", ""),
        )
    )
    return "\n".join(
        [
            '<section id="top-cells">',
            f"<h2>The {top.height} {header.place}s with the highest expected count</h2>",
            map_words.valid_only(header),
            "<p>Expected count: incidents expected to be reported. Risk: probability of at least one. "
            "Interval: the count lies in it on 95 of 100 such days or more. Line: expected count over "
            f"{DAYS_SHOWN} days, from 0 to its own highest; the whole city: {city}. The last column is "
            "what the model went by, not what causes incidents.</p>",
            '<div class="wide"><table><caption>By rank</caption>',
            f"<thead><tr>{heads}</tr></thead>",
            f"<tbody>{''.join(rows)}</tbody></table></div></section>",
        ]
    )
