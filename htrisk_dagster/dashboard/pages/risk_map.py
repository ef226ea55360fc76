"""Page 1: the risk map of a day, what is known of a chosen cell, and the day's highest cells.

Belongs here: the page's controls and panels. Does not: what panels say of cells (`cells_in_words`), the
drawing in the browser (`assets/risk_map.js`), the bytes it reads (`month_of_risk`).
"""

from __future__ import annotations

from datetime import date
from typing import Any

import dash_mantine_components as dmc
from dash import Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component

from htrisk_dagster.dashboard.cells_in_words import N_LISTED, cell_panel, top_cells
from htrisk_dagster.dashboard.page import Page, Servers, Visit, aria, in_browser
from htrisk_dagster.dashboard.panels import panel
from htrisk_dagster.dashboard.snapshots import SnapshotShelf

VIEWS = ("risk", "uncertainty", "faded")


def layout(visit: Visit) -> list[Component]:
    """Controls, map, cell panel and the table of the day."""
    snapshot, wishes = visit.snapshot, visit.wishes
    days = [str(day) for day in snapshot.days]
    day = wishes["date"] if wishes.get("date") in days else days[-1]
    view = wishes["view"] if wishes.get("view") in VIEWS else "risk"
    n_cells = snapshot.n_cells
    cell = int(wishes["cell"]) if wishes.get("cell", "").isdecimal() else None
    cell = cell if cell is not None and cell < n_cells else None
    return [
        panel(
            visit,
            "Where incidents are expected to be reported",
            [
                _controls(days, day, view, with_cases=wishes.get("cases") == "1"),
                html.Div(
                    [html.Div(id="risk-map", **aria(busy="true")), _zoom()],
                    className="map-frame",
                ),
                html.Output(id="map-readout", **aria(live="polite")),
                html.Ul(id="map-legend", className="legend", **aria(label="Legend")),
                html.P(id="map-note", className="quiet"),
                dcc.Store(id="day", data=day),
                dcc.Store(id="days", data=days),
                dcc.Store(
                    id="day-stages", data=[snapshot.stage_of(d).stage for d in snapshot.days]
                ),
                dcc.Store(id="chosen-cell", data=cell),
                dcc.Store(id="map-drawn"),
            ],
            what=(
                "Squares of the study area, coloured by the rank of their expected count on the day. "
                "Risk is the probability of at least one report. The uncertainty view shows how far "
                "the models disagree; the faded view lets the colour of a rank pale with it. Verified "
                "cases appear by borough and whole period only, and hidden is not the same as none."
            ),
            tables=(
                "predictions.cell_day_risk",
                "published.model_spread",
                "staging.verified_case_counts",
            ),
            width="two-thirds",
        ),
        panel(
            visit,
            "The chosen cell",
            [html.Div(id="cell-panel", **aria(live="polite"))],
            what=(
                "The forecast of one cell on the day. An interval of 95% holds the count on 95 of 100 "
                "such days or more. Reasons are what the model went by against the city's mean, not "
                "what causes incidents."
            ),
            tables=("predictions.cell_day_risk",),
            width="third",
        ),
        panel(
            visit,
            f"The {N_LISTED} cells with the highest expected count",
            [html.Div(id="top-cells"), html.Div(id="day-files")],
            what=(
                "The same day as a table. Ranks are close to one another: the order of neighbours is "
                "mostly chance. The files hold every cell of the day."
            ),
            tables=("predictions.cell_day_risk",),
        ),
    ]


def _controls(days: list[str], day: str, view: str, *, with_cases: bool) -> Component:
    at = days.index(day)
    return html.Div(
        [
            html.Div(id="day-title", className="map-day", **aria(live="polite")),
            html.Div(
                [
                    html.Button(
                        "‹",
                        id="day-earlier",
                        className="step",
                        type="button",
                        **aria(label="Day before"),
                    ),
                    html.Button(
                        "›",
                        id="day-later",
                        className="step",
                        type="button",
                        **aria(label="Day after"),
                    ),
                ],
                style={"display": "flex", "gap": ".35rem"},
            ),
            html.Div(
                dmc.Slider(
                    id="day-slider",
                    min=0,
                    max=max(len(days) - 1, 1),
                    value=at,
                    step=1,
                    label=None,
                    updatemode="drag",
                    thumbLabel="Day of the map",
                ),
                className="grow",
            ),
            dmc.DateInput(
                id="day-picked",
                label="Day",
                value=day,
                minDate=days[0],
                maxDate=days[-1],
                valueFormat="YYYY-MM-DD",
                w=140,
            ),
            html.Div(
                dmc.SegmentedControl(
                    id="map-view",
                    value=view,
                    data=[{"value": v, "label": v.capitalize()} for v in VIEWS],
                ),
                role="group",
                **aria(label="View of the map"),
            ),
            dmc.Switch(id="with-cases", label="Verified cases", checked=with_cases),
            html.Button("Copy link", id="copy-link", className="scheme", type="button"),
        ],
        className="controls",
    )


def _zoom() -> Component:
    buttons = (
        ("zoom-in", "+", "Closer"),
        ("zoom-out", "−", "Farther"),
        ("zoom-all", "⤢", "Whole area"),
    )
    return html.Div(
        [
            html.Button(sign, id=name, title=words, type="button", **aria(label=words))
            for name, sign, words in buttons
        ],
        className="zoom",
    )


def register(app: Dash, shelf: SnapshotShelf, servers: Servers) -> None:
    """Callbacks: the day and the map in the browser, cell and table on the server."""
    in_browser(
        app,
        "day",
        Output("day-slider", "value"),
        Output("day-picked", "value"),
        Output("day", "data"),
        Output("day-title", "children"),
        Output("day-earlier", "disabled"),
        Output("day-later", "disabled"),
        Input("day-slider", "value"),
        Input("day-earlier", "n_clicks"),
        Input("day-later", "n_clicks"),
        Input("day-picked", "value"),
        State("days", "data"),
        State("day-stages", "data"),
    )
    in_browser(
        app,
        "map",
        Output("map-drawn", "data"),
        Input("day", "data"),
        Input("map-view", "value"),
        Input("with-cases", "checked"),
        Input("chosen-cell", "data"),
    )
    in_browser(
        app,
        "zoom",
        Output("map-drawn", "data", allow_duplicate=True),
        Input("zoom-in", "n_clicks"),
        Input("zoom-out", "n_clicks"),
        Input("zoom-all", "n_clicks"),
        prevent_initial_call=True,
    )
    in_browser(
        app,
        "copyLink",
        Output("copy-link", "children"),
        Input("copy-link", "n_clicks"),
    )

    @app.callback(
        Output("cell-panel", "children"), Input("chosen-cell", "data"), Input("day", "data")
    )
    def show_cell(cell: int | None, day: str) -> list[Component]:
        return cell_panel(shelf.newest(), cell, date.fromisoformat(day))

    @app.callback(
        Output("top-cells", "children"), Output("day-files", "children"), Input("day", "data")
    )
    def show_day(day: str) -> tuple[Component, list[Component]]:
        return top_cells(shelf.newest(), date.fromisoformat(day)), _files(day)


def _files(day: str) -> list[Any]:
    kinds = (("csv", "CSV"), ("geojson", "GeoJSON"), ("gpkg", "GeoPackage"))
    links: list[Any] = ["Every cell of the day: "]
    for kind, label in kinds:
        links += [html.A(label, href=f"/download/risk/{day}.{kind}", download=""), " "]
    return [html.P(links, className="quiet")]


PAGE = Page(
    path="/",
    title="Risk map",
    lead=(
        "Places, never persons: how many incidents are expected to be reported in each square, and how "
        "sure that is. A pale cell is not a safe cell."
    ),
    layout=layout,
    register=register,
)
