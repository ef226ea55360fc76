"""Page 5: when incidents are reported to happen, how much of what, and how that changes.

Belongs here: key figures with filters, the heat map of hours and weekdays, the mix of offences. Does
not: which counts are hidden (`publishing/public_counts.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import dash_mantine_components as dmc
import polars as pl
from dash import Dash, Input, Output, html
from dash.development.base_component import Component

from htrisk_dagster.dashboard.chart_figure import Figure
from htrisk_dagster.dashboard.chart_style import SEQUENCE, styled
from htrisk_dagster.dashboard.mix_charts import mix_chart, mix_times, predicted_chart, spoken
from htrisk_dagster.dashboard.page import Page, Servers, Visit, aria, remember
from htrisk_dagster.dashboard.panels import (
    chart,
    key_figure,
    no_agencies,
    not_in_snapshot,
    panel,
    rows_table,
    shown_value,
)
from htrisk_dagster.dashboard.snapshots import Snapshot, SnapshotShelf
from htrisk_dagster.schemas.agencies import OFFENCE_MIX as AGENCY_MIX
from htrisk_dagster.schemas.published import HOUR_COUNTS, OFFENCE_MIX, QUARTER_COUNTS, WEEKDAYS

ALL = "(all)"
_QUARTERS, _HOURS = QUARTER_COUNTS.full_name, HOUR_COUNTS.full_name
_MIX = OFFENCE_MIX.full_name
_A_DAY = 24


def layout(visit: Visit) -> list[Component]:
    """Filters with key figures, the heat map, the mix, and the predicted mix."""
    snapshot, area = visit.snapshot, visit.snapshot.header.area
    if not snapshot.has(_QUARTERS, _HOURS):
        gap = not_in_snapshot(_QUARTERS, area)
        return [panel(visit, "Key figures", [gap], what="Counts by calendar quarter.")]
    series = _choices(snapshot, "series")
    boroughs = _choices(snapshot, "borough")
    first = visit.wishes.get("series")
    chosen = first if first in series else snapshot.header.target
    place = visit.wishes.get("borough")
    return [
        panel(
            visit,
            "Key figures",
            [
                html.Div(
                    [
                        _select("pattern-series", "Offences", series, chosen),
                        _select(
                            "pattern-borough",
                            "Borough",
                            boroughs,
                            place if place in boroughs else ALL,
                        ),
                    ],
                    className="controls",
                ),
                html.Div(id="pattern-figures", className="kpis"),
            ],
            what=(
                "Reported incidents by complete calendar quarter. Periods are fixed, because a count over a "
                "window that moves tells of single incidents by the difference of two windows."
            ),
            tables=[_QUARTERS],
        ),
        panel(
            visit,
            "Hour by weekday",
            [html.Div(id="pattern-hours")],
            what=(
                "Local hour and weekday at which incidents are said to have begun, over all complete "
                "quarters and the whole area. Full hours, noon and midnight are heaped: they stand for times "
                "that nobody knew. Fields marked h hold a hidden count. Rare series are told in blocks."
            ),
            tables=[_HOURS],
        ),
        panel(
            visit,
            "The mix of offences",
            [
                html.Div(
                    dmc.SegmentedControl(
                        id="mix-kind",
                        value="bars",
                        data=[{"value": "bars", "label": "Bars"}, {"value": "pie", "label": "Pie"}],
                    ),
                    role="group",
                    style={"width": "max-content"},
                    **aria(label="Kind of chart"),
                ),
                html.Div(id="mix"),
            ],
            what=(
                "Each series' share of the incidents in these series, in the four newest complete quarters. "
                "Bars, because lengths are compared more exactly than angles; the pie is there on request."
            ),
            tables=[_QUARTERS],
        ),
        _predicted(visit),
    ]


def _predicted(visit: Visit) -> Component:
    title = "The predicted mix against the historical"
    what = (
        "Given that an offence is reported at that time, of which category it is: by the classifier, "
        "calibrated on later days, beside the share of the past at all hours. All police agencies "
        "together, each by its number of offences. Rare categories are told as one."
    )
    if not visit.snapshot.has(_MIX):
        return panel(visit, title, [no_agencies(visit, AGENCY_MIX.full_name)], what=what)
    times = mix_times(visit.snapshot)
    wish = visit.wishes.get("time")
    body = [
        html.Div(
            [
                _select("mix-time", "Time", times, wish if wish in times else times[0]),
                html.Div(
                    dmc.SegmentedControl(
                        id="mix-shape",
                        value="bars",
                        data=[{"value": "bars", "label": "Bars"}, {"value": "pie", "label": "Pie"}],
                    ),
                    role="group",
                    **aria(label="Kind of chart of the predicted mix"),
                ),
            ],
            className="controls",
        ),
        html.Div(id="mix-predicted"),
    ]
    return panel(visit, title, body, what=what, tables=[_MIX])


def _choices(snapshot: Snapshot, column: str) -> list[str]:
    found = snapshot.table(_QUARTERS)[column].unique().sort().to_list()
    return sorted(found, key=lambda value: (value != ALL, value))


def _select(name: str, label: str, values: list[str], value: str) -> Component:
    data = [{"value": v, "label": spoken(v)} for v in values]
    select: Component = dmc.Select(
        id=name, label=label, data=data, value=value, allowDeselect=False, w=230
    )
    return select


def register(app: Dash, shelf: SnapshotShelf, servers: Servers) -> None:
    """Callbacks of the filters."""

    @app.callback(
        Output("pattern-figures", "children"),
        Output("pattern-hours", "children"),
        Input("pattern-series", "value"),
        Input("pattern-borough", "value"),
    )
    def show_patterns(series: str, borough: str) -> tuple[list[Component], Component]:
        snapshot = shelf.newest()
        return key_figures(snapshot, series, borough), hours_chart(snapshot, series)

    @app.callback(Output("mix", "children"), Input("mix-kind", "value"))
    def show_mix(kind: str) -> Component:
        return mix_chart(shelf.newest(), kind)

    @app.callback(
        Output("mix-predicted", "children"), Input("mix-time", "value"), Input("mix-shape", "value")
    )
    def show_predicted(time: str, kind: str) -> Component:
        return predicted_chart(shelf.newest(), time, kind)

    remember(app, "pattern-series", "pattern-borough")
    remember(app, "mix-time")


def key_figures(snapshot: Snapshot, series: str, borough: str) -> list[Component]:
    """All complete quarters, the newest, the one a year before, and the busiest time."""
    rows = snapshot.table(_QUARTERS).filter(series=series, borough=borough)
    by_quarter = {r["quarter_on"]: r["incidents_count"] for r in rows.iter_rows(named=True)}
    quarters = sorted(q for q in by_quarter if q is not None)
    if not quarters:
        return [key_figure(spoken(series), "no data", f"None in {spoken(borough)}.")]
    newest = quarters[-1]
    before = newest.replace(year=newest.year - 1)
    now, then = by_quarter[newest], by_quarter.get(before)
    known = now is not None and then
    change = f"{100 * (now / then - 1):+.0f}%" if known else _why(now, before in by_quarter)
    share = _share_of_all(snapshot, series, borough)
    return [
        key_figure(
            "Reported incidents",
            shown_value(by_quarter.get(None), hidden=True),
            f"{len(quarters)} quarters from {_quarter(quarters[0])}",
        ),
        key_figure("Newest quarter", shown_value(now, hidden=True), _quarter(newest)),
        key_figure("Against a year before", change, _then(before, by_quarter)),
        key_figure("Share of the area", share, f"of {spoken(series).lower()}, all quarters"),
        key_figure("Busiest hour", _busiest(snapshot, series), "whole area, local time"),
    ]  # fmt: skip


def _why(now: int | None, is_recorded: bool) -> str:
    return "hidden" if now is None or is_recorded else "no data"


def _then(quarter: date, counts: Mapping[date | None, int | None]) -> str:
    count = shown_value(counts.get(quarter), hidden=quarter in counts)
    return f"{_quarter(quarter)}: {count}"


def _quarter(day: date) -> str:
    return f"{(day.month + 2) // 3}. quarter {day.year}"


def _share_of_all(snapshot: Snapshot, series: str, borough: str) -> str:
    rows = snapshot.table(_QUARTERS).filter(pl.col("quarter_on").is_null(), series=series)
    total = dict(rows.select("borough", "incidents_count").rows())
    part, whole = total.get(borough), total.get(ALL)
    return f"{100 * part / whole:.0f}%" if part is not None and whole else "hidden"


def _busiest(snapshot: Snapshot, series: str) -> str:
    rows = snapshot.table(_HOURS).filter(series=series, weekday=ALL).drop_nulls("hour")
    shown = rows.drop_nulls("incidents_count").sort("incidents_count", "hour")
    if shown.is_empty():
        return "hidden"
    hour = int(shown["hour"][-1])
    return block_words(hour, int(shown["block_hours"][-1]))


def block_words(hour: int, hours: int) -> str:
    """A block of hours, such as `15:00-18:00`."""
    return f"{hour:02}:00-{(hour + hours) % _A_DAY:02}:00"


def hours_chart(snapshot: Snapshot, series: str) -> Component:
    """Heat map of hour by weekday; hidden counts are hatched."""
    rows = snapshot.table(_HOURS).filter(
        (pl.col("series") == series) & (pl.col("weekday") != ALL) & pl.col("hour").is_not_null()
    )
    wide = rows.pivot("hour", index="weekday", values="incidents_count")
    by_day = {r["weekday"]: r for r in wide.iter_rows(named=True)}
    block = int(rows["block_hours"][0]) if rows.height else 1
    hours = [str(h) for h in range(0, _A_DAY, block)]
    values = [[by_day.get(day, {}).get(h) for h in hours] for day in WEEKDAYS]
    recorded = {(r["weekday"], str(r["hour"])) for r in rows.iter_rows(named=True)}
    text = [
        [shown_value(v, hidden=(day, h) in recorded) for h, v in zip(hours, line, strict=True)]
        for day, line in zip(WEEKDAYS, values, strict=True)
    ]
    figure = Figure().add(
        "heatmap",
        x=[_tick(h, block) for h in hours],
        y=list(WEEKDAYS),
        z=values,
        text=text,
        colorscale=[[i / 4, c] for i, c in enumerate(SEQUENCE)],
        hovertemplate="%{y}, %{x} h: %{text}<extra></extra>",
        hoverongaps=True,
        xgap=2,
        ygap=2,
        zmin=0,
        colorbar={"thickness": 12},
    )
    hidden = rows.filter(pl.col("incidents_count").is_null())
    figure.add(
        "scatter",
        x=[_tick(str(h), block) for h in hidden["hour"]],
        y=hidden["weekday"].to_list(),
        mode="text",
        text="h",
        hovertext="hidden (k = 11)",
        hoverinfo="text",
        textfont={"size": 11},
        showlegend=False,
    )
    styled(figure, x_title="local hour", height=340)
    figure.lay_out(
        xaxis={"type": "category", "showline": False},
        yaxis={"autorange": "reversed", "showgrid": False, "showline": False},
    )
    label = f"{spoken(series)} by local hour and weekday; {hidden.height} of {rows.height} counts are hidden."
    table = rows.sort("hour").pivot("weekday", index="hour", values="incidents_count")
    ordered = table.select("hour", *(d for d in WEEKDAYS if d in table.columns))
    under = rows_table(
        ordered, f"{spoken(series)} by hour and weekday.", suppressed=ordered.columns
    )
    note = html.P(
        f"{hidden.height} of {rows.height} counts are hidden (k = 11), marked h.", className="quiet"
    )
    return html.Div([note, chart(figure, label, under)])


def _tick(hour: str, block: int) -> str:
    return hour if block == 1 else f"{hour}-{int(hour) + block}"


PAGE = Page(
    path="/patterns",
    title="Patterns",
    lead="When incidents are said to happen, how many of what, and how it changes. Of reports, not of crime.",
    layout=layout,
    register=register,
)
