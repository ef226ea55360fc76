"""What is said of cells beside the map: the chosen one with its days, and the day's highest.

Belongs here: both panels' contents. Does not: the page around them (`pages/risk_map.py`), the questions to
the snapshot about one cell (`month_of_risk`).
"""

from __future__ import annotations

from datetime import date

import polars as pl
from dash import html
from dash.development.base_component import Component

from htrisk_dagster.dashboard.chart_figure import Figure
from htrisk_dagster.dashboard.chart_style import COLOURS, styled
from htrisk_dagster.dashboard.month_of_risk import cell_history, cell_on_day, named_cells
from htrisk_dagster.dashboard.panels import chart, number, rows_table
from htrisk_dagster.dashboard.snapshots import Snapshot
from htrisk_dagster.publishing.public_days import DayStage

N_LISTED = 20
"""Cells in the table of a day."""


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
    place = named_cells(snapshot).row(cell, named=True)
    are_areas = snapshot.header.cells_are_areas
    facts = {
        "Stage": stage_words(snapshot.stage_of(day)),
        "Place": ("area " if are_areas else f"map square {place['sheet']}, precinct ")
        + f"{place['precinct']}, {place['borough']}",
        **({} if are_areas else {"Centre": f"{found['lat']:.4f}, {found['lon']:.4f}"}),
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


def _history(rows: pl.DataFrame, day: date) -> Component:
    risk = 100 * rows["risk_prob"]
    figure = Figure()
    figure.add(
        "scatter",
        x=rows["risk_on"].to_list(),
        y=risk.to_list(),
        mode="lines",
        line={"color": COLOURS[0]},
        name="risk, %",
    )
    now = rows.filter(pl.col("risk_on") == day)
    figure.add(
        "scatter",
        x=now["risk_on"].to_list(),
        y=(100 * now["risk_prob"]).to_list(),
        mode="markers",
        marker={"color": COLOURS[1], "size": 9},
        name="this day",
    )
    styled(figure, y_title="risk, %", height=210)
    figure.lay_out(showlegend=False, yaxis={"rangemode": "tozero"})
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
        "select rank, cell_id, expected_count, 100 * risk_prob as risk_pct, lower_95_count, "
        "upper_95_count, band from predictions.cell_day_risk "
        "where risk_on = ? and rank <= ? order by rank",
        [day, N_LISTED],
    )
    interval = pl.format("{} to {}", "lower_95_count", "upper_95_count").alias("interval")
    named = named_cells(snapshot).select("cell_id", "sheet", "precinct", "borough", "lat", "lon")
    are_areas = snapshot.header.cells_are_areas
    centre = pl.format("{}, {}", pl.col("lat").round(4), pl.col("lon").round(4)).alias("centre")
    shown = rows.join(named, on="cell_id", how="left", maintain_order="left").select(
        "rank",
        *([] if are_areas else ["sheet"]),
        "precinct",
        "borough",
        *([] if are_areas else [centre]),
        "expected_count",
        "risk_pct",
        interval,
        "band",
    )
    names = {"sheet": "map square", "expected_count": "expected count", "risk_pct": "risk, %",
             "interval": "95% interval"}  # fmt: skip
    if are_areas:
        names |= {"precinct": "area", "borough": "agency"}
    draft = "" if snapshot.stage_of(day).is_out else "DRAFT. "
    caption = f"{draft}Valid for {day} only. Of {snapshot.header.target_title}, as reported."
    return rows_table(shown, caption, names=names)
