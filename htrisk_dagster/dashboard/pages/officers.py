"""Page 9: officers by sex, of the state and of cities, where a study area has police agencies.

Belongs here: the page's panels. Does not: trends and rates (`schemas/agencies.py` tells them).
"""

from __future__ import annotations

import dash_mantine_components as dmc
import polars as pl
from dash import Dash, Input, Output, html
from dash.development.base_component import Component

from htrisk_dagster.dashboard.chart_figure import Figure
from htrisk_dagster.dashboard.chart_style import COLOURS, line_style, styled
from htrisk_dagster.dashboard.page import Page, Servers, Visit, remember
from htrisk_dagster.dashboard.panels import chart, no_agencies, panel, rows_grid, rows_table
from htrisk_dagster.dashboard.snapshots import Snapshot, SnapshotShelf

_TRENDS = "agencies.officer_trends"
_STATE = "state"
_MOST_AGENCIES = 25
_SEXES = (("female_officers_count", "Women"), ("male_officers_count", "Men"))


def layout(visit: Visit) -> list[Component]:
    """Officers of one agency or the state over the years, and all agencies of the newest year."""
    what = (
        "Sworn officers as agencies report them to the FBI once a year. Years without a count are left out, "
        "not carried on. The state is the sum of the agencies that were counted in every year."
    )
    if not visit.snapshot.has(_TRENDS):
        gap = no_agencies(visit, _TRENDS)
        return [panel(visit, "Officers by sex", [gap], what=what)]
    rows = visit.snapshot.table(_TRENDS)
    agencies = rows.select("agency_id", "agency").unique().sort("agency").rows()
    ordered = sorted(agencies, key=lambda a: a[0] != _STATE)
    known = {a for a, _ in ordered}
    wish = visit.wishes.get("agency")
    select = dmc.Select(
        id="officers-agency",
        label="State or city",
        data=[{"value": a, "label": name} for a, name in ordered],
        value=wish if wish in known else ordered[0][0],
        searchable=True,
        allowDeselect=False,
        w=300,
    )
    return [
        panel(
            visit,
            "Officers by sex over the years",
            [html.Div(select, className="controls"), html.Div(id="officers")],
            what=what,
            tables=[_TRENDS],
        ),
        panel(
            visit,
            "Agencies of the newest year",
            [newest_chart(visit.snapshot)],
            what=f"The {_MOST_AGENCIES} agencies with most officers in the newest year; the table has all.",
            tables=[_TRENDS],
        ),
    ]


def register(app: Dash, shelf: SnapshotShelf, servers: Servers) -> None:
    """Callback of the choice of agency."""

    @app.callback(Output("officers", "children"), Input("officers-agency", "value"))
    def show_officers(agency: str) -> Component:
        return years_chart(shelf.newest(), agency)

    remember(app, "officers-agency")


def years_chart(snapshot: Snapshot, agency: str) -> Component:
    """Women and men among sworn officers by year, and the share of women."""
    rows = snapshot.table(_TRENDS).filter(agency_id=agency).sort("year")
    years = [str(y) for y in rows["year"]]
    figure = Figure()
    for index, (column, name) in enumerate(_SEXES):
        figure.add(
            "bar", x=years, y=rows[column].to_list(), name=name, marker={"color": COLOURS[index]}
        )
    figure.lay_out(barmode="stack")
    styled(figure, y_title="sworn officers", height=340).lay_out(margin={"b": 70})
    share = Figure().add(
        "scatter",
        x=years,
        y=rows["female_officers_pct"].to_list(),
        mode="lines+markers",
        line=line_style(0),
    )
    styled(share, y_title="women, %", height=220)
    share.lay_out(xaxis={"type": "category"}, yaxis={"rangemode": "tozero"})
    shown = rows.select("year", *(c for c, _ in _SEXES), "female_officers_pct", "civilians_count")
    name = str(rows["agency"][0]) if rows.height else agency
    return html.Div(
        [
            chart(
                figure,
                f"Officers of {name} by sex and year.",
                rows_table(shown, f"Officers of {name}."),
            ),
            chart(share, f"Share of women among the officers of {name}."),
        ]
    )


def newest_chart(snapshot: Snapshot) -> Component:
    """Agencies of the newest year by officers, women and men apart."""
    rows = snapshot.table(_TRENDS).filter(pl.col("agency_id") != _STATE)
    newest = rows.filter(pl.col("year") == pl.col("year").max()).sort(
        "officers_count", "agency", descending=[True, False], nulls_last=True
    )
    top = newest.head(_MOST_AGENCIES).reverse()
    figure = Figure()
    for index, (column, name) in enumerate(_SEXES):
        figure.add(
            "bar",
            y=top["agency"].to_list(),
            x=top[column].to_list(),
            name=name,
            orientation="h",
            marker={"color": COLOURS[index]},
        )
    figure.lay_out(barmode="stack")
    styled(figure, x_title="sworn officers", height=130 + 24 * top.height)
    figure.lay_out(margin={"b": 80})
    shown = newest.select(
        "agency", "year", *(c for c, _ in _SEXES), "female_officers_pct", "officers_per_1000"
    )
    return html.Div(
        [
            chart(figure, f"Officers of {top.height} agencies by sex."),
            rows_grid(shown, "All agencies of the newest year."),
        ]
    )


PAGE = Page(
    path="/officers",
    title="Officers",
    lead="Sworn officers by sex, of the state and of each city: who is there to be told.",
    layout=layout,
    register=register,
)
