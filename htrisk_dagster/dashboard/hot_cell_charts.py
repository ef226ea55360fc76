"""Hot and cold cells on a small map: those of a week, and the classes of two years.

Belongs here: the charts of page 7 that show cells. Does not: the page (`pages/hot_places.py`), which cells
may be told (`publishing/public_spots.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from urllib.parse import urlencode

import polars as pl
from dash import html
from dash.development.base_component import Component

from htrisk_dagster.dashboard.chart_figure import Figure
from htrisk_dagster.dashboard.chart_style import COLOURS, line_style, styled
from htrisk_dagster.dashboard.panels import chart, rows_table
from htrisk_dagster.dashboard.place_charts import add_cells, base_map
from htrisk_dagster.dashboard.snapshots import Snapshot
from htrisk_dagster.schemas.published import HOT_SPOT_WEEKS, WEEK_SPOTS

# Shape and colour both tell hot from cold, and new from lasting.
_SYMBOLS = ("square", "circle", "diamond", "triangle-up", "cross", "x", "star", "hexagon")
_SPOTS = {"hot": (COLOURS[1], "square"), "cold": (COLOURS[0], "diamond")}


def week_chart(snapshot: Snapshot, series: str, week: date) -> Component:
    """Hot and cold cells of one week on a map, and how many each week had."""
    rows = snapshot.query(
        "select s.*, c.lon, c.lat, c.precinct, c.borough from published.week_spots s "
        "join grid.cells c using (cell_id) where s.series = ? and s.week_on = ? "
        "order by s.spot desc, s.cell_id",
        [series, week],
    ).with_columns(
        pl.format("{}: cell {}, precinct {}", "spot", "cell_id", "precinct").alias("label")
    )
    weeks = snapshot.table(HOT_SPOT_WEEKS.full_name).filter(series=series).sort("week_on")
    figure = base_map(snapshot, height=520)
    for spot, (colour, symbol) in _SPOTS.items():
        of_spot = rows.filter(spot=spot)
        if of_spot.height:
            add_cells(figure, of_spot, name=spot, colour=colour, symbol=symbol)
    told = _told(weeks.filter(week_on=week))
    shown = rows.select("spot", "cell_id", "precinct", "borough", "lat", "lon")
    under = rows_table(shown, f"Hot and cold cells of the week from {week}.")
    return html.Div(
        [
            html.P(f"Week from {week}: {told}.", className="quiet"),
            chart(figure, f"Map of the week from {week}: {told}.", under),
            html.P(list(_files_of(series, week)), className="fresh bare"),
            _by_week(weeks, week),
        ]
    )


def _files_of(series: str, week: date) -> Iterator[Component]:
    """Links to the cells that the map shows."""
    chosen = urlencode({"series": series, "week_on": str(week)})
    for label, kind in (("CSV", "csv"), ("GeoJSON", "geojson")):
        address = f"/download/{WEEK_SPOTS.full_name}.{kind}?{chosen}"
        yield html.A(f"{label} of this week", href=address, download="")


def _told(week: pl.DataFrame) -> str:
    if week.is_empty():
        return "no data"
    row = week.row(0, named=True)
    kinds = [f"{row[f'{kind}_cells_count']} {kind}" for kind in ("hot", "cold", "hidden")]
    return f"{', '.join(kinds[:2])} cells; {kinds[2]}"


def _by_week(weeks: pl.DataFrame, week: date) -> Component:
    """Cells of each week: how the chosen one stands among the others."""
    figure, x = Figure(), weeks["week_on"].to_list()
    for index, kind in enumerate(("cold", "hot", "hidden")):
        y = weeks[f"{kind}_cells_count"].to_list()
        figure.add("scatter", x=x, y=y, mode="lines", name=kind, line=line_style(index))
    styled(figure, y_title="cells", height=260)
    mark = {"type": "line", "x0": str(week), "x1": str(week), "y0": 0, "y1": 1, "yref": "paper"}
    figure.lay_out(
        margin={"b": 80},
        yaxis={"rangemode": "tozero"},
        shapes=[{**mark, "line": {"color": COLOURS[5], "dash": "dot", "width": 1}}],
    )
    label = f"Hot, cold and hidden cells of {weeks.height} weeks; the chosen week is marked."
    return chart(figure, label, rows_table(weeks.drop("series"), "Hot and cold cells by week."))


def classes_chart(snapshot: Snapshot, series: str) -> Component:
    """Cells by class of emerging hot spot."""
    rows = snapshot.query(
        "select h.*, c.lon, c.lat, c.precinct, c.borough from published.hot_spot_classes h "
        "join grid.cells c using (cell_id) where h.series = ? order by h.pattern, h.cell_id",
        [series],
    ).with_columns(
        pl.format("{}: cell {}, precinct {}", "pattern", "cell_id", "precinct").alias("label")
    )
    figure = base_map(snapshot)
    for index, pattern in enumerate(rows["pattern"].unique().sort()):
        colour = COLOURS[0] if "cold" in pattern else COLOURS[1 + 2 * (index % 2)]
        add_cells(
            figure,
            rows.filter(pattern=pattern),
            name=pattern,
            colour=colour,
            symbol=_SYMBOLS[index % len(_SYMBOLS)],
        )
    period = (
        f"{rows['first_week_on'][0]} to {rows['last_week_on'][0]}" if rows.height else "no week"
    )
    counts = rows.group_by("pattern").len("cells").sort("cells", descending=True)
    under = rows_table(
        rows.select("pattern", "cell_id", "precinct", "borough", "lat", "lon"),
        "Cells with a pattern.",
    )
    told = ", ".join(f"{n} {p}" for p, n in counts.rows())
    return html.Div(
        [
            html.P(f"Weeks of {period}. {told}.", className="quiet"),
            chart(figure, f"Map of cells by class: {told}.", under),
        ]
    )
