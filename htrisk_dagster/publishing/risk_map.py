"""The map of one day as one HTML file that needs nothing else: no tile, font, script or network.

Belongs here: what the page says and in which order. Does not: the drawing (`map_drawing`), how
risk is computed (`risk_table`), who may publish it.

The words are part of the safety of the program: the page says *reported incidents*, what it was
made from, how many incidents it expects to miss, until when it holds and what it must not be used
for. It works with scripts blocked and prints on two sheets.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from html import escape
from pathlib import Path

import polars as pl

from htrisk_dagster.publishing.area_drawing import draw_areas, have_shapes
from htrisk_dagster.publishing.map_drawing import draw_map, place_on_sheet
from htrisk_dagster.schemas.predictions import BANDS

_HERE = Path(__file__).parent
_N_LISTED = 20
DRAFT = "DRAFT - not reviewed"
"""Stage of every map and report until two people have signed for it."""
BAND_WORDS = {
    "very high": "very high: the top 0.5% of cells",
    "high": "high: from there to the top 1%",
    "elevated": "elevated: from there to the top 5%",
    "baseline": "baseline: all other cells; an incident is less likely there, not ruled out",
}
INVENTED = (
    "Every incident behind this map was made up by a program, to show how it works. It says "
    "nothing about the real place, whatever its outline looks like. Do not act on it."
)
_SCHEMATIC = (
    "Each square is an area that the police report by, laid out so that all can be seen: its size and its "
    "distance from others mean nothing. "
)
_SHAPES = (
    "Each shape is an area that the police report by. A large one is no riskier than a small one of its "
    "colour. "
)
LIMITS = (
    "This is a forecast of reported incidents at places. It says nothing of any person: not of "
    "anyone who lives, works or happens to be there.",
    "Reports are not all that happens. Where people report less, or fear to, the map shows less; "
    "where police look more, it shows more. A pale cell is not a safe cell.",
    "It must not be used to stop, search, question, arrest or deport anyone, to raise suspicion "
    "about a person, a household or a business, or as evidence.",
    "It must not decide by itself where help goes: a person who knows the place reviews it "
    "first. It is meant for outreach, shelter and prevention.",
    "Ranks are close to one another. The order of neighbouring ranks is mostly chance.",
)


@dataclass(frozen=True)
class MapHeader:
    """What identifies one map: the fields travel together, and each is printed.

    Parameters
    ----------
    area_title, target_title : str
        Study area, and what is forecast, in words.
    risk_on : date
        Day the map is for.
    model : str
        Model that made the forecast.
    trained_before : date
        The model saw nothing reported on or after this day.
    data_origin : str
        `synthetic`, `files` or `api`.
    data_digest : str
        Fingerprint of what the map was made from.
    status : str
        Stage of review, such as `DRAFT - not reviewed`.
    area_codes : mapping of int to str
        The publisher's code of a precinct, where it is not its number.
    is_schematic : bool
        Whether cells are areas without a place of their own, so that squares stand where they fit.
    silence : str
        Which sources have stopped before the day's cutoff; empty where all report up to it.
    """

    area_title: str
    target_title: str
    risk_on: date
    model: str
    trained_before: date
    data_origin: str
    data_digest: str
    status: str
    area_codes: Mapping[int, str] = field(default_factory=dict)
    is_schematic: bool = False
    silence: str = ""


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
    require_one_row_a_cell(risk, cells, header.risk_on)
    placed = place_on_sheet(cells).join(risk, on="cell_id", how="inner").sort("rank")
    code = pl.col("precinct").replace_strict(
        header.area_codes, default=None, return_dtype=pl.String
    )
    has_shapes = header.is_schematic and shapes is not None and have_shapes(cells, shapes)
    if has_shapes:
        placed = placed.with_columns(sheet=pl.lit(None, pl.String))
    placed = (
        placed.with_columns(pl.col("precinct").alias("number"))
        .with_columns(pl.coalesce(code, pl.col("precinct").cast(pl.String)).alias("precinct"))
        .with_columns(cell_sentence().alias("label"))
    )
    day = day_in_words(header.risk_on)
    title = f"Reported incidents expected on {day}"
    note = (_SHAPES if has_shapes else _SCHEMATIC) if header.is_schematic else ""
    map_text = (
        f"Map of {header.area_title}. {note}{'Areas' if has_shapes else 'Squares'} are coloured by rank of "
        f"expected incidents; the {_N_LISTED} highest are listed in the table below."
    )
    if has_shapes and shapes is not None:
        drawing = draw_areas(placed, shapes, title=title, description=map_text)
    else:
        ground = boroughs.clear() if header.is_schematic else boroughs
        drawing = draw_map(placed, ground, title=title, description=map_text)
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            '<head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)} - {escape(header.area_title)}</title>",
            f"<style>{(_HERE / 'risk_map.css').read_text(encoding='utf-8')}</style></head>",
            "<body>",
            _headline(header, title),
            facts_of_day(placed, header, day),
            "<main><figure>",
            drawing,
            *([f"<figcaption>{note}</figcaption>"] if note else []),
            _legend(placed),
            '<output id="readout" aria-live="polite">Point at a coloured '
            f"{'area' if has_shapes else 'square'} to read its forecast.</output>",
            "</figure>",
            _top_cells(placed, header),
            _limits(),
            "</main>",
            _footer(header),
            f"<script>{(_HERE / 'risk_map.js').read_text(encoding='utf-8')}</script>",
            "</body></html>",
        ]
    )


def day_in_words(day: date) -> str:
    """Weekday and date, such as `Saturday 1 August 2015`."""
    return f"{day:%A} {day.day} {day:%B %Y}"


def require_one_row_a_cell(risk: pl.DataFrame, cells: pl.DataFrame, day: date) -> None:
    """Refuse risk that is not of the day alone, or does not have each cell once.

    Raises
    ------
    ValueError
    """
    days = risk["risk_on"].unique().sort().to_list()
    if days != [day]:
        raise ValueError(f"The map of {day} was given risk of {days or 'no day'}.")
    wanted, found = cells["cell_id"].sort(), risk["cell_id"].sort()
    if not found.equals(wanted):
        raise ValueError(
            f"The map of {day} has {found.len()} rows of risk for {wanted.len()} cells; each cell "
            "needs one row. Make the risk again on this grid."
        )


def cell_sentence() -> pl.Expr:
    """What a reader is told of one cell: rank, place, forecast, risk, interval, reasons."""
    reasons = (
        pl.when(pl.col("reasons").is_null())
        .then(pl.lit(""))
        .otherwise(pl.format(" Against the city's mean: {}.", "reasons"))
    )
    on_sheet = (
        pl.when(pl.col("sheet").is_null())
        .then(pl.lit(""))
        .otherwise(pl.format(", map square {}", "sheet"))
    )
    return pl.format(
        "Rank {}, {}: precinct {}, {}{}. Expected {} reported incidents, risk {}%, "
        "95% interval {} to {}.{}",
        "rank",
        "band",
        "precinct",
        pl.col("borough").str.to_titlecase(),
        on_sheet,
        pl.col("expected_count").round_sig_figs(2),
        (100 * pl.col("risk_prob")).round_sig_figs(2),
        "lower_95_count",
        "upper_95_count",
        reasons,
    )


def _headline(header: MapHeader, title: str) -> str:
    parts = ["<header>"]
    if header.data_origin == "synthetic":
        parts.append(
            f'<p class="invented" role="alert"><strong>INVENTED CITY</strong> {INVENTED}</p>'
        )
    parts += [
        *stale_notice(header),
        f'<p class="status">{escape(header.status)}</p>',
        f"<h1>{escape(title)}</h1>",
        f"<p>{escape(header.area_title)}. Target: {escape(header.target_title)}, as reported to "
        "the police.</p>",
        "</header>",
    ]
    return "\n".join(parts)


def stale_notice(header: MapHeader) -> list[str]:
    """Notice that a map was made from reports that have stopped coming; nothing where they have not."""
    if not header.silence:
        return []
    return [
        f'<p class="invented" role="alert"><strong>STALE DATA</strong> Made from what was known. '
        f"{escape(header.silence)}</p>"
    ]


def facts_of_day(placed: pl.DataFrame, header: MapHeader, day: str) -> str:
    """What the day's map comes to: share held by the top cells, how sure, which model, until when."""
    total = float(placed["expected_count"].to_numpy().sum())
    top = placed.filter(pl.col("band").is_in(list(BANDS[:2])))
    held = float(top["expected_count"].to_numpy().sum())
    highest = float(placed["risk_prob"].to_numpy().max())
    certainty = "so on most such days nothing is reported there" if highest < 0.5 else "no more"
    return "\n".join(
        [
            '<div class="facts">',
            f"<p><strong>Area budget:</strong> the top 1% of cells ({top.height:,} of "
            f"{placed.height:,}) are expected to hold {held:.2f} of {total:.2f} incidents "
            f"({100 * held / total:.0f}%); {total - held:.2f} are expected elsewhere.</p>",
            f"<p><strong>How sure:</strong> even the first cell has a risk of {100 * highest:.2g}%, "
            f"{certainty}.</p>",
            f"<p><strong>Model:</strong> {escape(header.model)}, which saw nothing reported on or "
            f"after {day_in_words(header.trained_before)}.</p>",
            f"<p><strong>Expiry:</strong> valid for {day} only. Do not use it on any other day.</p>",
            "</div>",
        ]
    )


def _legend(placed: pl.DataFrame) -> str:
    items = []
    for band in BANDS:
        swatch = (
            '<svg viewBox="0 0 1 1" aria-hidden="true">'
            f'<path class="{band.replace(" ", "-")}" d="M0 0h1v1h-1z"/></svg>'
        )
        n_cells = placed.filter(band=band).height
        items.append(f"<li>{swatch}{BAND_WORDS[band]} ({n_cells:,} cells)</li>")
    return f'<ul class="legend" aria-label="Legend">{"".join(items)}</ul>'


def _top_cells(placed: pl.DataFrame, header: MapHeader) -> str:
    # Printed sheets come apart: the second one carries the warnings of the first.
    invented = "INVENTED CITY. " if header.data_origin == "synthetic" else ""
    rows = [
        f'<tr><td class="number"><a href="#c{r["cell_id"]}">{r["rank"]}</a></td>'
        f"<td>{r['sheet'] or '–'}</td><td>{escape(r['precinct'])}</td>"
        f"<td>{escape(r['borough'].title())}</td>"
        f"<td>{'–' if header.is_schematic else _degrees(r['lat'], r['lon'])}</td>"
        f'<td class="number">{r["expected_count"]:#.3g}</td>'
        f'<td class="number">{100 * r["risk_prob"]:.2g}%</td>'
        f'<td class="number">{r["lower_95_count"]} to {r["upper_95_count"]}</td></tr>'
        for r in placed.head(_N_LISTED).iter_rows(named=True)
    ]
    return "\n".join(
        [
            '<section id="top-cells">',
            f"<h2>The {len(rows)} cells with the highest expected count</h2>",
            f"<p><strong>{invented}{escape(header.status)}. {escape(header.area_title)}, valid for "
            f"{day_in_words(header.risk_on)} only.</strong></p>",
            '<div class="wide"><table>',
            "<caption>Expected count: incidents expected to be reported. Risk: probability of at "
            "least one. Interval: the count lies in it on 95 of 100 such days or more.</caption>",
            '<thead><tr><th scope="col" class="number">Rank</th><th scope="col">Map square</th>'
            '<th scope="col">Precinct</th><th scope="col">Borough</th>'
            '<th scope="col">Centre (latitude, longitude)</th>'
            '<th scope="col" class="number">Expected count</th>'
            '<th scope="col" class="number">Risk</th>'
            '<th scope="col" class="number">95% interval</th></tr></thead>',
            f"<tbody>{''.join(rows)}</tbody></table></div>",
            "</section>",
        ]
    )


def _degrees(lat: float, lon: float) -> str:
    return f"{lat:.4f}, {lon:.4f}"


def _limits() -> str:
    items = "".join(f"<li>{sentence}</li>" for sentence in LIMITS)
    return f"<section><h2>What this map is not, and must not be used for</h2><ul>{items}</ul></section>"


def _footer(header: MapHeader) -> str:
    return (
        f"<footer><p>Data: {escape(header.data_origin)}. Made from data "
        f"with digest {escape(header.data_digest)}. Status: {escape(header.status)}.</p></footer>"
    )
