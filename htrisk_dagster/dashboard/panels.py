"""What pages are built of: panels, tables under charts, figures that count, and sentences for gaps.

Belongs here: one shape for all pages, with freshness, lineage, downloads and "what is this?" on
each panel. Does not: any page, any query.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date
from typing import Any
from urllib.parse import quote

import dash_ag_grid as dag
import polars as pl
from dash import dcc, html
from dash.development.base_component import Component

from htrisk_dagster.dashboard.chart_figure import Figure
from htrisk_dagster.dashboard.chart_style import HEIGHT
from htrisk_dagster.dashboard.page import Servers, Visit, aria
from htrisk_dagster.dashboard.snapshots import BY_DAY, Snapshot

NO_DATA = "no data"
HIDDEN = "hidden"
_MOST_ROWS = 400
_OF_MODELS = ("predictions", "models", "evaluation")


def panel(
    visit: Visit,
    title: str,
    body: Sequence[Component | str],
    *,
    what: str,
    tables: Sequence[str] = (),
    width: str = "",
    downloads: Sequence[tuple[str, str]] = (),
) -> html.Section:
    """One panel: heading, "what is this?", body, and where its figures come from.

    Parameters
    ----------
    visit : Visit
    title : str
    body : sequence of component or str
    what : str
        The answer to "what is this?", two sentences or so.
    tables : sequence of str
        Tables `layer.name` that the panel shows: their freshness, lineage and CSV.
    width : str
        `half`, `third` or `two-thirds` of a wide screen; all of it if empty.
    downloads : sequence of (str, str)
        Further files: label and address.
    """
    return html.Section(
        [
            html.Div(
                [
                    html.H2(title),
                    html.Details(
                        [html.Summary("What is this?"), html.P(what)],
                        className="what",
                    ),
                ],
                className="top",
            ),
            html.Div(body, className="body"),
            html.Div(list(_provenance(visit, tables, downloads)), className="fresh"),
        ],
        className=f"panel {width}".strip(),
    )


def _provenance(
    visit: Visit, tables: Sequence[str], downloads: Sequence[tuple[str, str]]
) -> Iterable[Component]:
    snapshot = visit.snapshot
    if any(name.partition(".")[0] in _OF_MODELS or name in BY_DAY for name in tables):
        yield html.Span(f"model {snapshot.model_version}")
    for name in tables:
        known = snapshot.contents.get(name)
        if known is None:
            continue
        through = f" to {_day(known['last_on'])}" if known["last_on"] else ""
        made = f", made from {known['made_from']}" if known["made_from"] else ""
        if not through and not made:
            made = f", made with the snapshot of {snapshot.written_at:%Y-%m-%d %H:%M} UTC"
        yield html.Span(f"{name}{through}{made}")
        address = asset_address(visit.servers, snapshot, name)
        if address:
            yield html.A("lineage in Dagster", href=address, title=f"Lineage of {name} in Dagster")
        if name not in BY_DAY:
            yield html.A("CSV", href=f"/download/{name}.csv", title=f"{name} as CSV", download="")
    for label, address in downloads:
        yield html.A(label, href=address, download="")


def asset_address(servers: Servers, snapshot: Snapshot, table: str) -> str | None:
    """Page in Dagster of the asset that makes a table; tables made here point to the snapshot's."""
    if servers.dagster is None:
        return None
    layer, _, name = table.partition(".")
    key = "publishing/snapshot" if layer == "published" else f"{layer}/{name}"
    return f"{servers.dagster}/assets/{quote(snapshot.header.area)}/{quote(key)}?view=lineage"


def _day(value: object) -> str:
    return f"{value.day} {value:%B %Y}" if isinstance(value, date) else str(value)


def missing(sentence: str) -> html.P:
    """A gap, said: what is not there and what makes it."""
    return html.P(sentence, className="missing")


def not_in_snapshot(table: str, area: str) -> html.P:
    """The gap of a table that the snapshot does not have."""
    asset = f"{area}/{table.replace('.', '/')}"
    return missing(
        f"This snapshot has no {table}. Materialise {asset} and then {area}/publishing/snapshot to see it."
    )


def no_agencies(visit: Visit, table: str) -> html.P:
    """The gap of a table of police agencies, which many study areas do not have."""
    header = visit.snapshot.header
    asset = f"{header.area}/{table.replace('.', '/')}"
    return missing(
        f"This comes from the yearly files of police agencies. Where {header.area_title} declares "
        f"agencies in its study area's file, materialise {asset} and then "
        f"{header.area}/publishing/snapshot; the study area connecticut declares them."
    )


def chart(figure: Figure, label: str, under: Component | None = None) -> html.Div:
    """A chart with its text alternative, and the table of its numbers under it."""
    graph = dcc.Graph(
        figure=figure.as_dict(),
        responsive=True,
        config={"displayModeBar": False, "responsive": True},
        style={"height": f"{figure.height or HEIGHT}px"},
    )
    parts: list[Component] = [html.Div(graph, role="img", **aria(label=label))]
    if under is not None:
        parts.append(html.Details([html.Summary("Table of this chart"), under], className="under"))
    return html.Div(parts)


def rows_table(
    frame: pl.DataFrame,
    caption: str,
    *,
    names: dict[str, str] | None = None,
    suppressed: Collection[str] = (),
) -> Component:
    """A frame as a table; of a long one the first rows.

    Parameters
    ----------
    frame : DataFrame
    caption : str
    names : dict of str to str, optional
        Headings by column; the column's own name without underscores otherwise.
    suppressed : collection of str
        Columns in which a missing value is a count that is hidden, not one that is unknown.
    """
    if frame.height > _MOST_ROWS:
        caption = f"{caption} {_MOST_ROWS} of {frame.height:,} rows; the CSV has all."
        frame = frame.head(_MOST_ROWS)
    numeric = [frame.schema[c].is_numeric() for c in frame.columns]
    heads = [
        _plain("Th", _heading(c, names or {}), scope="col", className="number" if n else "")
        for c, n in zip(frame.columns, numeric, strict=True)
    ]
    columns = [
        [_cell(value, n, column in suppressed) for value in frame[column]]
        for column, n in zip(frame.columns, numeric, strict=True)
    ]
    rows = [_plain("Tr", list(row)) for row in zip(*columns, strict=True)]
    body: list[Any] = [
        html.Caption(caption),
        _plain("Thead", _plain("Tr", heads)),
        _plain("Tbody", rows),
    ]
    return html.Div(
        html.Table(body, className="rows"),
        className="scroll",
        tabIndex=0,
        role="region",
        **aria(label=caption),
    )


def _plain(kind: str, children: object, **properties: str) -> dict[str, Any]:
    """A component of HTML as the browser is sent it.

    A table has hundreds; as objects of Dash they take ten times as long to make and to send.
    """
    properties_sent = {"children": children, **properties}
    return {"props": properties_sent, "type": kind, "namespace": html.Div._namespace}


def rows_grid(frame: pl.DataFrame, caption: str, *, suppressed: Collection[str] = ()) -> Component:
    """A frame as a grid that sorts and filters, a page of rows at a time; parameters of `rows_table`."""
    words = frame.with_columns(
        pl.Series(c, [shown_value(v, hidden=True) for v in frame[c]]) for c in suppressed
    )
    return html.Div(
        [
            html.P(caption, className="quiet"),
            dag.AgGrid(
                rowData=words.to_dicts(),
                columnDefs=[
                    {
                        "field": c,
                        "headerName": _heading(c, {}),
                        "filter": "agNumberColumnFilter"
                        if words.schema[c].is_numeric()
                        else "agTextColumnFilter",
                        "floatingFilter": True,
                        # Names are longer than numbers: cut off they are nobody's.
                        "minWidth": 110 if words.schema[c].is_numeric() else 190,
                        "tooltipField": c,
                    }
                    for c in words.columns
                ],
                defaultColDef={"sortable": True, "resizable": True, "flex": 1},
                dashGridOptions={
                    "animateRows": False,
                    "domLayout": "autoHeight",
                    "ensureDomOrder": True,
                    "enableCellTextSelection": True,
                    "pagination": True,
                    "paginationPageSize": 20,
                    "paginationPageSizeSelector": False,
                    "suppressColumnVirtualisation": True,
                },
                style={"height": None, "width": "100%"},
            ),
        ]
    )


def _heading(column: str, names: dict[str, str]) -> str:
    return names.get(column, column.replace("_", " "))


def _cell(value: object, is_number: bool, is_suppressed: bool) -> dict[str, Any]:
    kind = "number" if is_number else "day" if isinstance(value, date) else ""
    if value is None:
        kind += " hidden-count" if is_suppressed else " no-data"
    return _plain("Td", shown_value(value, hidden=is_suppressed), className=kind.strip())


def shown_value(value: Any, *, hidden: bool = False) -> str:
    """A value as a reader sees it: three digits, days in words, and a word for what is missing."""
    if value is None:
        return HIDDEN if hidden else NO_DATA
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return NO_DATA if value != value else number(value)
    if isinstance(value, int):
        return f"{value:,}"
    return str(value)


def number(value: float) -> str:
    """Three significant digits, without an exponent where one can do without."""
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 1e-4 else f"{value:.2e}"


def key_figure(name: str, value: str, note: str = "") -> html.Div:
    """One number with its name, in large type."""
    return html.Div(
        [
            html.Div(name, className="name"),
            html.Div(value, className="value"),
            html.Div(note, className="note"),
        ],
        className="kpi",
    )
