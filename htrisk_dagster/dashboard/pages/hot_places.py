"""Page 7: where reports concentrate, how that changes, and clusters of places.

Belongs here: the page's panels. Does not: Gi*, classes, clusters (`hotspots/`), the charts of hot and cold
cells (`hot_cell_charts.py`).
"""

from __future__ import annotations

from datetime import date

import dash_mantine_components as dmc
import polars as pl
from dash import Dash, Input, Output, html
from dash.development.base_component import Component

from htrisk_dagster.dashboard.chart_style import COLOURS
from htrisk_dagster.dashboard.hot_cell_charts import classes_chart, week_chart
from htrisk_dagster.dashboard.page import Page, Servers, Visit, aria, remember
from htrisk_dagster.dashboard.panels import (
    chart,
    key_figure,
    missing,
    not_in_snapshot,
    number,
    panel,
    rows_table,
)
from htrisk_dagster.dashboard.place_charts import base_map
from htrisk_dagster.dashboard.snapshots import Snapshot, SnapshotShelf
from htrisk_dagster.schemas.hot_places import CLUSTER_METHODS
from htrisk_dagster.schemas.hotspots import CELL_WEEK_GI_STAR
from htrisk_dagster.schemas.published import HOT_SPOT_CLASSES, HOT_SPOT_WEEKS, WEEK_SPOTS

_CLASSES, _WEEKS = HOT_SPOT_CLASSES.full_name, HOT_SPOT_WEEKS.full_name
_GI_STAR = CELL_WEEK_GI_STAR.full_name
_CLUSTERS, _QUALITY, _ZONES = (
    "hotspots.place_clusters",
    "hotspots.cluster_quality",
    "hotspots.zones",
)


def layout(visit: Visit) -> list[Component]:
    """Weeks and classes of hot spots, clusters with their quality, zones."""
    return [_weeks(visit), _hot_spots(visit), _clusters(visit), _quality(visit), _zones(visit)]


def _weeks(visit: Visit) -> Component:
    what = (
        "Cells that were hot or cold in one week: Getis-Ord Gi* of the cell and its neighbours against the "
        "whole area, by exact permutation with 5% of false discoveries within the week. A spot is shown "
        "where cell and neighbours have 11 reported incidents or more in the week, or none; what is hidden "
        "looks like a cell that is neither. A week by itself is mostly chance: look at several."
    )
    snapshot = visit.snapshot
    if not snapshot.has(_WEEKS):
        gap = not_in_snapshot(_GI_STAR, snapshot.header.area)
        return panel(visit, "Hot and cold cells of a week", [gap], what=what)
    rows = snapshot.table(_WEEKS)
    series = _ordered(rows)
    weeks = [str(week) for week in rows["week_on"].unique().sort(descending=True)]
    wish = visit.wishes
    body = [
        html.Div(
            [
                dmc.Select(
                    id="spots-week",
                    label="Week from Monday",
                    data=weeks,
                    value=wish["week"] if wish.get("week") in weeks else weeks[0],
                    allowDeselect=False,
                    searchable=True,
                    w=200,
                ),
                dmc.Select(
                    id="spots-of",
                    label="Series",
                    data=[{"value": s, "label": _series_words(s, snapshot)} for s in series],
                    value=wish["of"] if wish.get("of") in series else series[0],
                    allowDeselect=False,
                    w=320,
                ),
            ],
            className="controls",
        ),
        html.Div(id="week-spots"),
    ]
    files = (("GeoJSON of all weeks", f"/download/{WEEK_SPOTS.full_name}.geojson"),)
    tables = [WEEK_SPOTS.full_name, _WEEKS]
    return panel(
        visit, "Hot and cold cells of a week", body, what=what, tables=tables, downloads=files
    )


def _ordered(rows: pl.DataFrame) -> list[str]:
    """Series of a table, all incidents first."""
    return sorted(rows["series"].unique(), key=lambda s: (s != "incidents", s))


def _hot_spots(visit: Visit) -> Component:
    what = (
        "Getis-Ord Gi* compares each cell and its eight neighbours with the whole area, week by week, by "
        "exact permutation with 5% of false discoveries. The class tells what became of a cell's hot and "
        "cold weeks over two years. Cells that are not drawn show no pattern."
    )
    snapshot = visit.snapshot
    if not snapshot.has(_CLASSES):
        gap = missing(
            "No cell shows a pattern, or hotspots/emerging_hot_spots was never made. With rare incidents "
            "most weeks have no cell that permutation calls hot."
        )
        return panel(visit, "Emerging hot spots", [gap], what=what)
    series = _ordered(snapshot.table(_CLASSES))[::-1]
    wish = visit.wishes.get("series")
    body = [
        html.Div(
            dmc.Select(
                id="hot-series",
                label="Series",
                data=[{"value": s, "label": _series_words(s, snapshot)} for s in series],
                value=wish if wish in series else series[0],
                allowDeselect=False,
                w=320,
            ),
            className="controls",
        ),
        html.Div(id="hot-spots"),
    ]
    files = (("GeoJSON", f"/download/{_CLASSES}.geojson"),)
    return panel(visit, "Emerging hot spots", body, what=what, tables=[_CLASSES], downloads=files)


def _series_words(series: str, snapshot: Snapshot) -> str:
    return "All reported incidents" if series == "incidents" else snapshot.header.target_title


def register(app: Dash, shelf: SnapshotShelf, servers: Servers) -> None:
    """Callbacks of the choices of series and of method."""

    @app.callback(Output("hot-spots", "children"), Input("hot-series", "value"))
    def show_classes(series: str) -> Component:
        return classes_chart(shelf.newest(), series)

    @app.callback(
        Output("week-spots", "children"), Input("spots-week", "value"), Input("spots-of", "value")
    )
    def show_week(week: str, series: str) -> Component:
        return week_chart(shelf.newest(), series, date.fromisoformat(week))

    @app.callback(Output("clusters", "children"), Input("cluster-method", "value"))
    def show_clusters(method: str) -> Component:
        return clusters_chart(shelf.newest(), method)

    remember(app, "hot-series")
    remember(app, "spots-week", "spots-of")


def _clusters(visit: Visit) -> Component:
    what = (
        "Groups of places where incidents of the target were reported. HDBSCAN and DBSCAN leave scattered "
        "incidents out as noise; KMeans puts every one into a cluster, near it or not. A circle holds half "
        "of its cluster's incidents; clusters of fewer than 11 are not kept. Station houses were taken out."
    )
    if not visit.snapshot.has(_CLUSTERS):
        gap = not_in_snapshot(_CLUSTERS, visit.snapshot.header.area)
        return panel(visit, "Clusters of places", [gap], what=what)
    body = [
        html.Div(
            dmc.SegmentedControl(
                id="cluster-method",
                value="hdbscan",
                data=[
                    {"value": m, "label": m.upper().replace("KMEANS", "KMeans")}
                    for m in CLUSTER_METHODS
                ],
            ),
            role="group",
            style={"width": "max-content"},
            **aria(label="Method of clustering"),
        ),
        html.Div(id="clusters"),
    ]
    files = (("GeoJSON", f"/download/{_CLUSTERS}.geojson"),)
    return panel(
        visit,
        "Clusters of places",
        body,
        what=what,
        tables=[_CLUSTERS],
        width="two-thirds",
        downloads=files,
    )


def clusters_chart(snapshot: Snapshot, method: str) -> Component:
    """Clusters of one method as circles that hold half their incidents, and what is noise."""
    rows = snapshot.table(_CLUSTERS).filter(method=method).sort("cluster")
    quality = snapshot.table(_QUALITY).filter(method=method).row(0, named=True)
    figure = base_map(snapshot, height=520)
    metres = pl.col("extent_m").cast(pl.Int64)
    label = pl.format(
        "cluster {}: {} incidents, half within {} m", "cluster", "incidents_count", metres
    )
    named = rows.with_columns(label.alias("label"))
    figure.add(
        "scatter",
        x=named["lon"].to_list(),
        y=named["lat"].to_list(),
        mode="markers",
        marker={
            "color": COLOURS[1],
            "opacity": 0.75,
            "size": (6 + 0.35 * named["incidents_count"].sqrt() * 4).to_list(),
            "line": {"color": "#ffffff", "width": 1},
        },
        text=named["label"].to_list(),
        hovertemplate="%{text}<extra></extra>",
        showlegend=False,
    )
    figures = [
        key_figure("Clusters", f"{rows.height}", f"of {quality['clusters_count']} of any size"),
        key_figure("Noise", f"{number(quality['noise_pct'])}%", "points in no cluster"),
        key_figure(
            "At station houses",
            f"{number(quality['station_house_pct'])}%",
            "of all points, taken out before",
        ),
    ]
    caption = f"Clusters of {method}; larger circles hold more incidents."
    under = rows_table(rows.drop("target", "method", "x_m", "y_m"), caption)
    return html.Div(
        [
            html.Div(figures, className="kpis", style={"margin": ".7rem 0"}),
            chart(figure, f"Map of {rows.height} clusters by {method}.", under),
        ]
    )


def _quality(visit: Visit) -> Component:
    what = (
        "How good each method's clusters are. A silhouette near 1 with a high share at station houses would "
        "be a map of police stations. Stability is agreement with half samples."
    )
    if not visit.snapshot.has(_QUALITY):
        body: list[Component] = [not_in_snapshot(_QUALITY, visit.snapshot.header.area)]
    else:
        rows = visit.snapshot.table(_QUALITY).drop("target")
        body = [rows_table(_turned(rows), "Quality of each method's clusters.")]
    return panel(
        visit, "Quality of the clusters", body, what=what, tables=[_QUALITY], width="third"
    )


def _turned(rows: pl.DataFrame) -> pl.DataFrame:
    """Measures as rows: three methods fit beside each other where ten measures do not."""
    measures = [c for c in rows.columns if c != "method"]
    by_method = {r["method"]: r for r in rows.iter_rows(named=True)}
    columns = {
        method: [None if (v := row[m]) is None else float(v) for m in measures]
        for method, row in by_method.items()
    }
    names = pl.Series("measure", [m.replace("_", " ") for m in measures])
    return pl.DataFrame([names, *(pl.Series(k, v, dtype=pl.Float64) for k, v in columns.items())])


def _zones(visit: Visit) -> Component:
    what = (
        "Contiguous zones that share the work of outreach: about the same expectation and ground in each. "
        "They say nothing of the people in them."
    )
    if not visit.snapshot.has(_ZONES):
        body: list[Component] = [not_in_snapshot(_ZONES, visit.snapshot.header.area)]
    else:
        body = [rows_table(visit.snapshot.table(_ZONES).sort("zone"), "Zones of work.")]
    files = (("GeoJSON of cells", "/download/hotspots.cell_zones.geojson"),)
    return panel(visit, "Zones of work", body, what=what, tables=[_ZONES], downloads=files)


PAGE = Page(
    path="/hot-places",
    title="Clusters and hot spots",
    lead="Where reports concentrated in the past, and how sure that is. A description, no forecast.",
    layout=layout,
    register=register,
)
