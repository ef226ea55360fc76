"""Page 6: the funnel, from reported incidents to verified cases.

Belongs here: the page's chart and table. Does not: the counts (`evaluation/detection_funnel.py`).
"""

from __future__ import annotations

from datetime import date

import dash_mantine_components as dmc
import polars as pl
from dash import Dash, Input, Output, html
from dash.development.base_component import Component

from htrisk_dagster.dashboard.chart_figure import Figure
from htrisk_dagster.dashboard.chart_style import COLOURS, styled
from htrisk_dagster.dashboard.page import Page, Servers, Visit, remember
from htrisk_dagster.dashboard.panels import chart, not_in_snapshot, panel, rows_table
from htrisk_dagster.dashboard.snapshots import Snapshot, SnapshotShelf
from htrisk_dagster.evaluation.release_periods import in_words
from htrisk_dagster.schemas.verified import FUNNEL, STAGES

ALL, WHOLE = "(all)", "all days"
_TABLE = FUNNEL.full_name
_WHAT = (
    "How many reported incidents of the target had a place, lay in a flagged cell and were reviewed, "
    "and how many cases were verified. The first four stages are nested; verified cases come from "
    "another file and are no part of the reported. Counts of 1 to 10 are hidden, which is not the same "
    "as a stage that was never recorded."
)
_WORDS = {
    "shown": "",
    "hidden": "hidden (k = 11)",
    "not recorded": "not recorded",
    "period not complete": "no map on every day",
}


def layout(visit: Visit) -> list[Component]:
    """Choice of borough and period, the funnel, and its table."""
    snapshot = visit.snapshot
    if not snapshot.has(_TABLE):
        gap = not_in_snapshot(_TABLE, snapshot.header.area)
        return [panel(visit, "From reported to verified", [gap], what=_WHAT)]
    rows = snapshot.table(_TABLE)
    if rows.is_empty():
        gap = html.P("No month has a map on any of its days yet, so that nothing can be followed.")
        return [panel(visit, "From reported to verified", [gap], what=_WHAT, tables=[_TABLE])]
    boroughs = sorted(rows["borough"].unique(), key=lambda b: (b != ALL, b))
    of_rows = rows.select("period_on", "months_count").drop_nulls().unique().sort("period_on")
    periods = {WHOLE: "All days with a map"} | {
        str(start): in_words(start, months) for start, months in of_rows.iter_rows()
    }
    places = {b: "Whole area" if b == ALL else b.title() for b in boroughs}
    choices = [
        dmc.Select(
            id=f"funnel-{name}",
            label=name.capitalize(),
            data=[{"value": v, "label": label} for v, label in values.items()],
            value=wish if (wish := visit.wishes.get(name)) in values else next(iter(values)),
            allowDeselect=False,
            w=220,
        )
        for name, values in (("borough", places), ("period", periods))
    ]
    body = [
        html.Div(choices, className="controls"),
        html.Div(id="funnel"),
    ]
    return [panel(visit, "From reported to verified", body, what=_WHAT, tables=[_TABLE])]


def register(app: Dash, shelf: SnapshotShelf, servers: Servers) -> None:
    """Callbacks of the choices."""

    @app.callback(
        Output("funnel", "children"),
        Input("funnel-borough", "value"),
        Input("funnel-period", "value"),
    )
    def show_funnel(borough: str, period: str) -> Component:
        return funnel_chart(shelf.newest(), borough, None if period == WHOLE else period)

    remember(app, "funnel-borough", "funnel-period")


def funnel_chart(snapshot: Snapshot, borough: str, period: str | None) -> Component:
    """Bars of the five stages; a stage without a bar says why."""
    rows = snapshot.table(_TABLE).filter(
        (pl.col("borough") == borough)
        & pl.col("period_on").eq_missing(pl.lit(date.fromisoformat(period) if period else None))
    )
    by_stage = {r["stage"]: r for r in rows.iter_rows(named=True)}
    stages = [s for s in STAGES if s in by_stage]
    counts = [by_stage[s]["incidents_count"] for s in stages]
    text = [
        f"{c:,}" if c is not None else _WORDS[by_stage[s]["status"]]
        for s, c in zip(stages, counts, strict=True)
    ]
    colours = [COLOURS[1] if s == "verified" else COLOURS[0] for s in stages]
    figure = Figure().add(
        "bar",
        y=[s.capitalize() for s in stages],
        x=[c or 0 for c in counts],
        orientation="h",
        text=text,
        textposition="outside",
        cliponaxis=False,
        marker={"color": colours},
        hoverinfo="skip",
    )
    styled(figure, x_title="incidents; of the last stage cases", height=300)
    figure.lay_out(margin={"r": 110}, yaxis={"autorange": "reversed", "showgrid": False})
    under = rows_table(
        rows.select("stage", "incidents_count", "of_reported_pct", "status"),
        "The funnel as numbers.",
        suppressed=["incidents_count", "of_reported_pct"]
        if any(by_stage[s]["status"] == "hidden" for s in stages)
        else [],
    )
    told = ", ".join(f"{s} {t or 'none'}" for s, t in zip(stages, text, strict=True))
    return chart(figure, f"Funnel: {told}.", under)


PAGE = Page(
    path="/funnel",
    title="Funnel",
    lead="What becomes of reports: how many can be placed, are foreseen, reviewed, and turn out to be cases.",
    layout=layout,
    register=register,
)
