"""Page 3: forecasts of whole areas: by month with bands, their parts, and the days ahead.

Belongs here: the page's panels. Does not: the models of series (`models/`).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from dash import html
from dash.development.base_component import Component

from htrisk_dagster.dashboard.chart_figure import Figure
from htrisk_dagster.dashboard.chart_style import BAND, COLOURS, line_style, styled
from htrisk_dagster.dashboard.page import Page, Visit
from htrisk_dagster.dashboard.panels import (
    chart,
    no_agencies,
    not_in_snapshot,
    panel,
    rows_table,
)
from htrisk_dagster.dashboard.snapshots import Snapshot
from htrisk_dagster.schemas.raw import HOLIDAYS

_FORECASTS, _PARTS = "series.forecasts", "series.decomposition"
_VOLUME = "agencies.volume_forecasts"
_RISK = "predictions.cell_day_risk"
_WHOLE_AREA = ("(all)", "state")


def layout(visit: Visit) -> list[Component]:
    """Monthly forecasts with bands, decomposition, volume ahead, and what the maps add up to."""
    return [_monthly(visit), _decomposition(visit), _volume(visit), _maps(visit)]


def _monthly(visit: Visit) -> Component:
    what = (
        "Reported incidents of the whole area by month, forecast from the months before by the model that "
        "did best on blind months, SARIMAX, smoothing and others among them, with the band that holds 95 of "
        "100 outcomes. The band of a later month is wider: it knows less."
    )
    if not visit.snapshot.has(_FORECASTS):
        gap = not_in_snapshot(_FORECASTS, visit.snapshot.header.area)
        return panel(visit, "Periods ahead, with 95% bands", [gap], what=what)
    rows = of_whole_area(visit.snapshot.table(_FORECASTS))
    by = ", ".join(rows["model"].unique().sort()) if "model" in rows.columns else ""
    note = [html.P(f"By {by}.", className="quiet")] if by else []
    body = [*note, band_chart(rows, "period_on", "reported incidents")]
    return panel(visit, "Periods ahead, with 95% bands", body, what=what, tables=[_FORECASTS])


def _decomposition(visit: Visit) -> Component:
    what = (
        "The same series cut into what changes slowly, what returns with the season, and the rest. A large "
        "rest says that a forecast of single periods cannot be sharp."
    )
    if not visit.snapshot.has(_PARTS):
        gap = not_in_snapshot(_PARTS, visit.snapshot.header.area)
        return panel(visit, "Trend, season and rest", [gap], what=what)
    rows = of_whole_area(visit.snapshot.table(_PARTS))
    one = rows.select("method", "form").unique().sort("method", "form").rows()[-1]
    chosen = rows.filter(method=one[0], form=one[1])
    charts = [
        html.P(f"By {one[0]}, {one[1]}; the table has the other ways.", className="quiet"),
        *(_line(chosen, "period_on", part) for part in ("trend", "seasonal", "rest")),
    ]
    return panel(visit, "Trend, season and rest", charts, what=what, tables=[_PARTS])


def _volume(visit: Visit) -> Component:
    what = (
        "Incidents expected on each of the thirty days after the last that is known, with the interval "
        "of 95%. Holidays are marked: they differ from other days in both directions."
    )
    if not visit.snapshot.has(_VOLUME):
        return panel(visit, "Thirty days of volume", [no_agencies(visit, _VOLUME)], what=what)
    rows = of_whole_area(visit.snapshot.table(_VOLUME)).sort("forecast_on")
    holidays = rows.filter("is_holiday").select(pl.col("forecast_on").alias("day"), "holiday")
    body = [band_chart(rows, "forecast_on", "incidents a day", holidays=holidays)]
    return panel(visit, "Thirty days of volume", body, what=what, tables=[_VOLUME])


def _maps(visit: Visit) -> Component:
    what = (
        "What the risk maps of each day add up to over the whole area. A sum has no interval here: errors of "
        "cells on one day go together, and the maps' own intervals do not say how much."
    )
    rows = visit.snapshot.query(
        "select risk_on, sum(expected_count) as expected_count from predictions.cell_day_risk "
        "group by risk_on order by risk_on"
    )
    body = [_maps_chart(visit.snapshot, rows)]
    return panel(visit, "What the maps expect, by day", body, what=what, tables=[_RISK])


def _maps_chart(snapshot: Snapshot, rows: pl.DataFrame) -> Component:
    named = snapshot.read(HOLIDAYS).group_by("holiday_on").agg(pl.col("name").first())
    joined = rows.join(named, left_on="risk_on", right_on="holiday_on", how="left").sort("risk_on")
    line = {"color": COLOURS[0], "width": 2}
    figure = Figure().add(
        "scatter",
        x=joined["risk_on"].to_list(),
        y=joined["expected_count"].to_list(),
        mode="lines+markers",
        line=line,
        name="expected",
    )
    on_holiday = joined.drop_nulls("name")
    _mark_holidays(
        figure,
        on_holiday["risk_on"].to_list(),
        on_holiday["expected_count"].to_list(),
        on_holiday["name"].to_list(),
    )
    styled(figure, y_title="expected incidents a day", height=360)
    figure.lay_out(margin={"b": 80}, yaxis={"rangemode": "tozero"})
    under = rows_table(joined.rename({"name": "holiday"}), "Expected incidents by day.")
    total = joined["expected_count"].sum()
    label = f"Expected incidents on {rows.height} days, {total:.3g} in all."
    return chart(figure, label, under)


def of_whole_area(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of the area as a whole, of a table that also has parts of it."""
    for column in ("agency_id", "place"):
        if column in rows.columns:
            return rows.filter(pl.col(column).is_in(_WHOLE_AREA))
    return rows


def band_chart(
    rows: pl.DataFrame, day: str, words: str, *, holidays: pl.DataFrame | None = None
) -> Component:
    """Expectation and 95% band over days or periods; holidays as marks.

    Parameters
    ----------
    rows : DataFrame
        `day`, `expected_count` and the ends of the band: `lower_95_count` and `upper_95_count`.
    holidays : DataFrame, optional
        `day` and `holiday`.
    """
    ordered = rows.sort(day)
    x = ordered[day].to_list()
    low, high = ordered["lower_95_count"].to_list(), ordered["upper_95_count"].to_list()
    figure = Figure()
    figure.add(
        "scatter",
        x=[*x, *reversed(x)],
        y=[*high, *reversed(low)],
        fill="toself",
        fillcolor=BAND,
        line={"width": 0},
        hoverinfo="skip",
        name="95% band",
    )
    figure.add(
        "scatter",
        x=x,
        y=ordered["expected_count"].to_list(),
        mode="lines",
        line=line_style(0),
        name="expected",
    )
    if holidays is not None:
        marked = ordered.join(holidays, left_on=day, right_on="day", suffix="_named")
        _mark_holidays(
            figure,
            marked[day].to_list(),
            marked["expected_count"].to_list(),
            marked["holiday"].to_list(),
        )
    styled(figure, y_title=words, height=400)
    # Tens of thousands in digits: a power of ten would be read off as one number.
    in_digits = {"exponentformat": "none", "separatethousands": True}
    figure.lay_out(margin={"b": 80}, yaxis=in_digits)
    shown = ordered.select(day, "expected_count", "lower_95_count", "upper_95_count")
    return chart(figure, f"Forecast of {len(x)} periods.", rows_table(shown, "The forecast."))


def _mark_holidays(
    figure: Figure, days: Sequence[object], values: Sequence[float], names: Sequence[str]
) -> None:
    if days:
        figure.add(
            "scatter",
            x=days,
            y=values,
            mode="markers",
            marker={"symbol": "diamond", "size": 11, "color": COLOURS[1]},
            text=names,
            hovertemplate="%{text}<extra></extra>",
            name="holiday",
        )


def _line(rows: pl.DataFrame, day: str, column: str) -> Component:
    ordered = rows.sort(day)
    x, y = ordered[day].to_list(), ordered[column].to_list()
    figure = Figure().add("scatter", x=x, y=y, mode="lines", line=line_style(0))
    styled(figure, y_title=column, height=220)
    under = rows_table(ordered.select(day, column), f"{column.capitalize()} by period.")
    return chart(figure, f"{column.capitalize()} of the series.", under)


PAGE = Page(
    path="/forecasts",
    title="Forecasts",
    lead="How many reports are expected over whole areas and periods ahead, and how sure that is.",
    layout=layout,
)
