"""Page 1: the risk map of a day, what is known of a chosen cell, and the day's highest cells.

Belongs here: the page's controls and panels. Does not: the drawing in the browser
(`assets/risk_map.js`), the bytes it reads (`month_of_risk`).
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import Any

import dash_mantine_components as dmc
import polars as pl
from dash import Dash, Input, Output, State, dcc, html
from dash.development.base_component import Component

from htrisk_dagster.dashboard.chart_style import COLOURS, styled
from htrisk_dagster.dashboard.month_of_risk import cell_history, cell_on_day
from htrisk_dagster.dashboard.page import Page, Servers, Visit, aria, in_browser
from htrisk_dagster.dashboard.panels import chart, number, panel, rows_table
from htrisk_dagster.dashboard.snapshots import Snapshot, SnapshotShelf
from htrisk_dagster.publishing.map_drawing import place_on_sheet
from htrisk_dagster.publishing.public_days import DayStage

VIEWS = ("risk", "uncertainty", "faded")
_N_LISTED = 20


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
            f"The {_N_LISTED} cells with the highest expected count",
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


def cell_panel(snapshot: Snapshot, cell: int | None, day: date) -> list[Component]:
    """What is known of one cell on one day; how to choose one where none is."""
    if cell is None:
        return [
            html.P(
                "Choose a square: click it, or tab to the map, walk with the arrow keys and press Enter.",
                className="quiet",
            )
        ]
    found = cell_on_day(snapshot, cell, day)
    if found is None:
        return [html.P(f"There is no forecast of cell {cell} on {day}.", className="missing")]
    sheet = _sheet_of(snapshot, cell)
    facts = {
        "Stage": stage_words(snapshot.stage_of(day)),
        "Place": f"map square {sheet}, precinct {found['precinct']}, {str(found['borough']).title()}",
        "Centre": f"{found['lat']:.4f}, {found['lon']:.4f}",
        "Score": f"rank {found['rank']:,} of {snapshot.n_cells:,}: {found['band']}",
        "Risk": f"{100 * found['risk_prob']:.2g}%, the probability of at least one report",
        "Forecast": f"{number(found['expected_count'])} reported incidents",
        "50% interval": f"{found['lower_50_count']} to {found['upper_50_count']} incidents",
        "95% interval": f"{found['lower_95_count']} to {found['upper_95_count']} incidents",
        "Models": _spread_words(found["spread_ratio"]),
        "Made by": f"{found['model']}, which saw nothing reported on or after {found['trained_before']}",
    }
    reasons = [part for part in (found["reasons"] or "").split(", ") if part]
    return [
        html.Dl(
            [part for name, text in facts.items() for part in (html.Dt(name), html.Dd(text))],
            className="bands",
        ),
        html.H3(
            "Reasons, against the city's mean",
            style={"fontSize": ".95rem", "margin": ".6rem 0 .2rem"},
        ),
        html.Ul([html.Li(_reason_words(reason)) for reason in reasons], className="reasons")
        if reasons
        else html.P("The model gives none.", className="quiet"),
        _history(cell_history(snapshot, cell), day),
    ]


def stage_words(stage: DayStage) -> str:
    """Where a day's map stands, as a reader says it."""
    by = " and ".join(stage.reviewed_by)
    if stage.is_out:
        until = f" until {stage.until:%Y-%m-%d}" if stage.until else ""
        return f"published{until}" + (f", reviewed by {by}" if by else "")
    return f"{stage.stage.upper()}, not published" + (f"; reviewed by {by}" if by else "")


def _reason_words(reason: str) -> str:
    """`+ borough (x1.2)` as a reader says it."""
    sign, _, rest = reason.partition(" ")
    words = {"+": "higher by", "-": "lower by"}
    return f"{words[sign]} {rest}" if sign in words else reason


def _spread_words(ratio: float | None) -> str:
    if ratio is None:
        return "no data on single models"
    return f"the middle half of them lies within {ratio:.2f} times of each other"


def _sheet_of(snapshot: Snapshot, cell: int) -> str:
    return str(_sheets(snapshot).filter(pl.col("cell_id") == cell)["sheet"].item())


@lru_cache(maxsize=2)
def _sheets(snapshot: Snapshot) -> pl.DataFrame:
    """Square of the sheet of each cell, worked out once a snapshot: every step of a day asks for it."""
    return place_on_sheet(snapshot.table("grid.cells")).select("cell_id", "sheet")


def _history(rows: pl.DataFrame, day: date) -> Component:
    import plotly.graph_objects as go

    risk = 100 * rows["risk_prob"]
    line = go.Scatter(
        x=rows["risk_on"].to_list(),
        y=risk.to_list(),
        mode="lines",
        line={"color": COLOURS[0]},
        name="risk, %",
    )
    now = rows.filter(pl.col("risk_on") == day)
    dot = go.Scatter(
        x=now["risk_on"].to_list(),
        y=(100 * now["risk_prob"]).to_list(),
        mode="markers",
        marker={"color": COLOURS[1], "size": 9},
        name="this day",
    )
    figure = styled(go.Figure([line, dot]), y_title="risk, %", height=210)
    figure.update_layout(showlegend=False)
    figure.update_yaxes(rangemode="tozero")
    low, high = float(risk.to_numpy().min()), float(risk.to_numpy().max())
    label = f"Risk of the cell on {rows.height} days, {low:.2g}% to {high:.2g}%."
    under = rows_table(
        rows.select(
            "risk_on", (100 * pl.col("risk_prob")).alias("risk, %"), "expected_count", "rank"
        ),
        "Risk of the cell by day.",
    )
    return chart(figure, label, under)


def top_cells(snapshot: Snapshot, day: date) -> Component:
    """The highest cells of a day as a table."""
    rows = snapshot.query(
        "select r.rank, r.cell_id, c.precinct, c.borough, c.lat, c.lon, r.expected_count, "
        "100 * r.risk_prob as risk_pct, r.lower_95_count, r.upper_95_count, r.band "
        "from predictions.cell_day_risk r join grid.cells c using (cell_id) "
        "where r.risk_on = ? and r.rank <= ? order by r.rank",
        [day, _N_LISTED],
    )
    interval = pl.format("{} to {}", "lower_95_count", "upper_95_count").alias("interval")
    shown = rows.join(_sheets(snapshot), on="cell_id", how="left", maintain_order="left").select(
        "rank",
        "sheet",
        "precinct",
        pl.col("borough").str.to_titlecase(),
        pl.format("{}, {}", pl.col("lat").round(4), pl.col("lon").round(4)).alias("centre"),
        "expected_count",
        "risk_pct",
        interval,
        "band",
    )
    names = {"sheet": "map square", "expected_count": "expected count", "risk_pct": "risk, %",
             "interval": "95% interval"}  # fmt: skip
    draft = "" if snapshot.stage_of(day).is_out else "DRAFT. "
    caption = f"{draft}Valid for {day} only. Of {snapshot.header.target_title}, as reported."
    return rows_table(shown, caption, names=names)


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
