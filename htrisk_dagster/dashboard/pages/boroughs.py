"""Page 2: boroughs and precincts: how reports change over the years, and the risk of precincts.

Belongs here: the page's panels. Does not: which counts are hidden (`publishing/public_counts.py`), the
composite risk (`evaluation/`).
"""

from __future__ import annotations

import dash_mantine_components as dmc
import polars as pl
from dash import Dash, Input, Output, html
from dash.development.base_component import Component

from htrisk_dagster.dashboard.chart_figure import Figure
from htrisk_dagster.dashboard.chart_style import SEQUENCE, line_style, styled
from htrisk_dagster.dashboard.mix_charts import spoken
from htrisk_dagster.dashboard.page import Page, Servers, Visit, remember
from htrisk_dagster.dashboard.pages.patterns import ALL
from htrisk_dagster.dashboard.panels import chart, not_in_snapshot, number, panel, rows_table
from htrisk_dagster.dashboard.place_charts import add_precincts, base_map
from htrisk_dagster.dashboard.snapshots import Snapshot, SnapshotShelf
from htrisk_dagster.schemas.predictions import PRECINCT_DAY_RISK
from htrisk_dagster.schemas.published import QUARTER_COUNTS

_QUARTERS = QUARTER_COUNTS.full_name
_PRECINCTS = PRECINCT_DAY_RISK.full_name
_COMPOSITE = "series.composite_risk"


def layout(visit: Visit) -> list[Component]:
    """Trends by borough, the composite risk, and the forecast by precinct."""
    return [_trends(visit), _composite(visit), _by_precinct(visit)]


def _trends(visit: Visit) -> Component:
    what = (
        "Reported incidents by complete calendar quarter and borough. A gap in a line is a hidden count (k = "
        "11). The newest quarter still gains late reports, and a rise may be a rise in reporting."
    )
    if not visit.snapshot.has(_QUARTERS):
        gap = not_in_snapshot(_QUARTERS, visit.snapshot.header.area)
        return panel(visit, "Trends by borough", [gap], what=what)
    series = visit.snapshot.table(_QUARTERS)["series"].unique().sort().to_list()
    wish = visit.wishes.get("series")
    select = dmc.Select(
        id="trend-series",
        label="Offences",
        data=[{"value": s, "label": spoken(s)} for s in series],
        value=wish if wish in series else visit.snapshot.header.target,
        allowDeselect=False,
        w=230,
    )
    body = [
        html.Div(select, className="controls"),
        html.Div(id="trends"),
    ]
    return panel(visit, "Trends by borough", body, what=what, tables=[_QUARTERS])


def register(app: Dash, shelf: SnapshotShelf, servers: Servers) -> None:
    """Callbacks of the choice of series."""

    @app.callback(Output("trends", "children"), Input("trend-series", "value"))
    def show_trends(series: str) -> Component:
        return trends_chart(shelf.newest(), series)

    remember(app, "trend-series")


def trends_chart(snapshot: Snapshot, series: str) -> Component:
    """A line a borough over complete quarters."""
    rows = snapshot.table(_QUARTERS).filter(
        (pl.col("series") == series) & pl.col("quarter_on").is_not_null()
    )
    rows = rows.sort("borough", "quarter_on")
    figure = Figure()
    boroughs = sorted(set(rows["borough"]) - {"unknown"}, key=lambda b: (b != ALL, b))
    for index, borough in enumerate(boroughs):
        of_borough = rows.filter(borough=borough)
        figure.add(
            "scatter",
            x=of_borough["quarter_on"].to_list(),
            y=of_borough["incidents_count"].to_list(),
            mode="lines+markers",
            name="Whole area" if borough == ALL else borough.title(),
            line=line_style(index),
            connectgaps=False,
        )
    styled(figure, y_title="reported incidents a quarter", height=420)
    figure.lay_out(margin={"b": 90}, yaxis={"rangemode": "tozero"})
    wide = rows.pivot("borough", index="quarter_on", values="incidents_count")
    hidden = rows["incidents_count"].null_count()
    under = rows_table(wide, f"{spoken(series)} by quarter and borough.", suppressed=wide.columns)
    note = f"{hidden} of {rows.height} counts are hidden (k = 11)."
    label = f"{spoken(series)} by quarter in {len(boroughs) - 1} boroughs and the whole area."
    return html.Div([html.P(note, className="quiet"), chart(figure, label, under)])


def _composite(visit: Visit) -> Component:
    what = (
        "Expected volume of three months and recent momentum of each precinct, on one scale and added with a "
        "stated weight: a rank to begin a talk with, no probability. Ranks that other weights would give "
        "stand in the table."
    )
    if not visit.snapshot.has(_COMPOSITE):
        gap = not_in_snapshot(_COMPOSITE, visit.snapshot.header.area)
        return panel(visit, "Composite risk of precincts", [gap], what=what, width="half")
    body = [composite_map(visit.snapshot)]
    files = (("GeoJSON", f"/download/{_COMPOSITE}.geojson"),)
    return panel(
        visit,
        "Composite risk of precincts",
        body,
        what=what,
        tables=[_COMPOSITE],
        width="half",
        downloads=files,
    )


def composite_map(snapshot: Snapshot) -> Component:
    """Precincts by the score of expected volume and momentum."""
    rows = snapshot.table(_COMPOSITE).drop_nulls("precinct").sort("score_rank")
    first = ["precinct", "place", "score", "score_rank"]
    shown = rows.select(*first, pl.exclude(first))
    return _precinct_map(snapshot, shown, "score", "composite score")


def _by_precinct(visit: Visit) -> Component:
    what = (
        "Expected reports of the newest day by precinct, of offences that are published at the police "
        "station and so have no cell. By day of report: many are reported long after."
    )
    if not visit.snapshot.has(_PRECINCTS):
        gap = not_in_snapshot(_PRECINCTS, visit.snapshot.header.area)
        return panel(visit, "Forecast by precinct", [gap], what=what, width="half")
    rows = visit.snapshot.query(
        "select risk_on, precinct, sum(expected_count) as expected_count, "
        "string_agg(distinct offence_group, ', ' order by offence_group) as offence_groups "
        "from predictions.precinct_day_risk "
        "where risk_on = (select max(risk_on) from predictions.precinct_day_risk) "
        "group by all order by expected_count desc, precinct"
    )
    groups = spoken(str(rows["offence_groups"][0])).lower()
    body = [
        html.P(f"{groups.capitalize()}, {rows['risk_on'][0]}.", className="quiet"),
        _precinct_map(
            visit.snapshot, rows.drop("offence_groups"), "expected_count", "expected reports"
        ),
    ]
    files = (("GeoJSON of the day", f"/download/{_PRECINCTS}.geojson"),)
    return panel(
        visit,
        "Forecast by precinct",
        body,
        what=what,
        tables=[_PRECINCTS],
        width="half",
        downloads=files,
    )


def _precinct_map(snapshot: Snapshot, rows: pl.DataFrame, value: str, words: str) -> Component:
    values = rows.select(
        pl.col("precinct").cast(pl.Int32),
        pl.col(value).alias("value"),
        pl.format("{}: {}", _named(rows), pl.col(value).round(3)).alias("label"),
    )
    figure = base_map(snapshot, height=500)
    add_precincts(figure, snapshot, values, scale=SEQUENCE)
    known = values["value"].drop_nulls().to_numpy()
    ends = f"{number(float(known.min()))} to {number(float(known.max()))}" if len(known) else "none"
    note = f"Five classes of as many precincts each, darker is higher: {words} of {ends}."
    under = rows_table(rows, f"{words.capitalize()} by precinct.")
    return html.Div(
        [
            chart(figure, f"Map of precincts by {words}, {ends}.", under),
            html.P(note, className="quiet"),
        ]
    )


def _named(rows: pl.DataFrame) -> pl.Expr:
    """A precinct by its number, another area by the city's own name of it, such as a town."""
    number = pl.format("precinct {}", "precinct")
    if "place" not in rows.columns:
        return number
    is_number = pl.col("place") == pl.col("precinct").cast(pl.String)
    return pl.when(is_number).then(number).otherwise("place")


PAGE = Page(
    path="/boroughs",
    title="Boroughs and precincts",
    lead="How reports change from quarter to quarter, and which precincts a forecast puts first.",
    layout=layout,
    register=register,
)
