"""Page 10: what this is, how it is made, what it cannot tell, and every table with its files.

Belongs here: words that hold for all pages, the dictionary of what the snapshot has. Does not: the
descriptions of tables and columns (`schemas/`).
"""

from __future__ import annotations

from collections import Counter

import polars as pl
from dash import html
from dash.development.base_component import Component

from htrisk_dagster.dashboard.page import Page, Visit, aria
from htrisk_dagster.dashboard.panels import asset_address, panel, rows_table
from htrisk_dagster.dashboard.snapshots import BY_DAY, Snapshot
from htrisk_dagster.schemas import ALL_TABLES, published
from htrisk_dagster.schemas.table import Table

_USES = (
    "Places, never persons. No column on a suspect, victim or perpetrator is kept, and no map says "
    "anything of anyone who lives, works or happens to be in a square.",
    "Reports are not all that happens. Where people report less, or fear to, the map shows less; "
    "where police look more, it shows more. A pale cell is not a safe cell.",
    "It must not be used to stop, search, question, arrest or deport anyone, to raise suspicion about a "
    "person, a household or a business, or as evidence.",
    "It must not decide by itself where help goes: a person who knows the place reviews it first.",
    "Ranks are close to one another: the order of neighbours is mostly chance.",
)
_METHODS = (
    "Time is honest: for each day only rows reported before the cutoff are used, forecasts are sealed "
    "before the truth is read, and a past day is scored with a model trained before it.",
    "The champion is chosen on blind folds among eight baselines, boosted trees, a recurrent network and a "
    "stack of all; it falls back to empirical Bayes where nothing is better.",
    "Three words stay apart: a forecast is an expected count, a risk the probability of at least one "
    "report, a score a rank without unit.",
    "Offences that are published at the police station are counted by precinct, never by cell.",
    "Counts of 1 to 10 are hidden, with as many others as are needed so that none can be worked out. "
    "Periods are complete quarters or months; no filter gives a period of one's own.",
)
_READING = (
    "“hidden” is a count that is known and not shown; “no data” is one that nobody has.",
    "The address in the browser's bar keeps day, cell and view: copied, it opens the same page.",
    "Colours of maps and bands are ordered in lightness, and lines differ in dash as well as in colour.",
    "The map: tab to it, walk with the arrow keys, choose with Enter. "
    "The table under each chart has its numbers.",
)


def layout(visit: Visit) -> list[Component]:
    """Uses and limits, methods, how to read the pages, files, dictionary."""
    return [
        _words(visit, "What it is for, and what not", _USES, "Limits that no model removes."),
        _words(
            visit, "How it is made", _METHODS, "In short; the methods stand with each table below."
        ),
        _words(visit, "How to read these pages", _READING, "What words, colours and keys mean."),
        _snapshot(visit),
        _files(visit),
        _dictionary(visit),
    ]


def _words(visit: Visit, title: str, sentences: tuple[str, ...], what: str) -> Component:
    body = [html.Ul([html.Li(s) for s in sentences])]
    return panel(visit, title, body, what=what, width="third")


def _snapshot(visit: Visit) -> Component:
    header = visit.snapshot.header
    facts = {
        "Study area": header.area_title,
        "Target": header.target_title,
        "Maps": f"{visit.snapshot.days[0]} to {visit.snapshot.days[-1]}",
        "Data": header.data_origin,
        "Stage of review": _stage_words(visit.snapshot),
        "Made from": header.made_from,
        "Published": f"{visit.snapshot.written_at:%Y-%m-%d %H:%M} UTC",
        "File": visit.snapshot.path.name,
    }
    body = [
        html.Dl(
            [part for k, v in facts.items() for part in (html.Dt(k), html.Dd(v))], className="bands"
        )
    ]
    what = (
        "All pages read this one file, which is never changed. The next one has another name; a page loaded "
        "again shows it."
    )
    return panel(visit, "The snapshot", body, what=what)


def _stage_words(snapshot: Snapshot) -> str:
    counted = Counter(stage.stage for stage in snapshot.stages.values())
    return ", ".join(f"{n} {stage}" for stage, n in sorted(counted.items()))


def _files(visit: Visit) -> Component:
    rows = []
    for name, about in visit.snapshot.contents.items():
        file = html.A("CSV", href=f"/download/{name}.csv", download="", title=f"{name} as CSV")
        by_day = html.A(
            "a day at a time", href="/", title=f"{name}: files of a day, on the map's page"
        )
        links: list[Component | str] = [by_day if name in BY_DAY else file]
        if _has_places(name):
            address = f"/download/{name}.geojson"
            links += [" ", html.A("GeoJSON", href=address, download="", title=f"{name} as GeoJSON")]
        lineage = asset_address(visit.servers, visit.snapshot, name)
        if lineage:
            links += [" ", html.A("lineage", href=lineage, title=f"Lineage of {name} in Dagster")]
        period = f"{about['first_on']} to {about['last_on']}" if about["last_on"] else "–"
        cells = [name, f"{about['rows_count']:,}", period, str(about["made_from"] or "–")]
        rows.append(html.Tr([*map(html.Td, cells), html.Td(links)]))
    heads = ("table", "rows", "period", "made from", "files")
    table = html.Table(
        [
            html.Caption("Every table of the snapshot."),
            html.Thead(html.Tr([html.Th(h, scope="col") for h in heads])),
            html.Tbody(rows),
        ],
        className="rows",
    )
    body = [html.Div(table, className="scroll", tabIndex=0, role="region", **aria(label="Files"))]
    what = "What the pages show, as files. Risk of a day, also as GeoPackage, is on the map's page."
    return panel(visit, "Files", body, what=what)


def _has_places(name: str) -> bool:
    table = _declared().get(name)
    if table is None:
        return False
    columns = set(table.column_names)
    return name not in BY_DAY and bool(columns & {"cell_id", "geometry", "lon", "precinct"})


def _declared() -> dict[str, Table]:
    return {t.full_name: t for t in (*ALL_TABLES, *published.TABLES)}


def _dictionary(visit: Visit) -> Component:
    declared = _declared()
    sections = []
    for name in visit.snapshot.contents:
        if name not in declared:
            continue
        table = declared[name]
        columns = pl.DataFrame(
            [
                (c.name, str(c.dtype), c.unit, "yes" if c.nullable else "no", c.description)
                for c in table.columns
            ],
            schema=["column", "type", "unit", "may be missing", "meaning"],
            orient="row",
        )
        body: list[Component] = [html.P(f"{table.description} One row: {table.grain}.")]
        body += [html.P(f"Warning: {w}", className="quiet") for w in table.warnings]
        body.append(rows_table(columns, f"Columns of {name}."))
        sections.append(html.Details([html.Summary(name), *body], className="under"))
    what = "Each column with its unit, its meaning and whether it may be missing."
    return panel(visit, "Data dictionary", sections, what=what)


PAGE = Page(
    path="/about",
    title="About, methods, files",
    lead="Where should help go? What these pages can tell of it, what they cannot, and their files.",
    layout=layout,
)
