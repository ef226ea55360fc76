"""Page 8: the CTDC explorer: published counts of identified victims, grouped by any of their columns.

Belongs here: choices, plots and the filterable table. Does not: which counts are hidden
(`victim_population/suppression.py`), grouping (`victim_population/clusters.py`).

Clusters are of the published counts, not of records: whatever is chosen here can tell no more than the
published tables themselves.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import dash_mantine_components as dmc
import polars as pl
from dash import Dash, Input, Output, dcc, html
from dash.development.base_component import Component
from flask import Response, abort

from htrisk_dagster.dashboard.chart_figure import Figure
from htrisk_dagster.dashboard.chart_style import COLOURS, styled
from htrisk_dagster.dashboard.downloads import file_to_keep
from htrisk_dagster.dashboard.page import Page, Servers, Visit, aria, in_browser, remember
from htrisk_dagster.dashboard.panels import chart, missing, panel, rows_grid, rows_table
from htrisk_dagster.dashboard.snapshots import Snapshot, SnapshotShelf
from htrisk_dagster.errors import MissingPartitionError, SettingError
from htrisk_dagster.victim_population.clusters import cluster_counts
from htrisk_dagster.victim_population.published_tables import ALL
from htrisk_dagster.warehouse.exported_csv import csv_for_people

_DATA_SET = "ctdc"
_DEFAULT = "source_by_gender_by_exploitation"
_WHAT = (
    "Identified victims of the Counter-Trafficking Data Collaborative's k-anonymised records, as counts that "
    "may leave: nothing of 1 to 10, nor anything that gives one away. They are never joined with places. "
    "Who is identified is not who is trafficked, and the data source colours every share."
)


def case_tables(snapshot: Snapshot) -> dict[str, pl.DataFrame]:
    """Published tables by name, inner cells and margins; empty where no release lies beside."""
    folder = folder_of_cases(snapshot)
    return {path.stem: _read(path) for path in sorted(folder.glob("*.csv"))}


def folder_of_cases(snapshot: Snapshot) -> Path:
    """Folder of the published case tables, beside the snapshots of study areas."""
    return snapshot.path.parent.parent / _DATA_SET


def _read(path: Path) -> pl.DataFrame:
    frame = pl.read_csv(path, infer_schema=False)
    return frame.with_columns(pl.col("count").cast(pl.Int64))


def _of_release(snapshot: Snapshot, name: str) -> list[Component]:
    """From when the tables are, and the chosen one as a file."""
    path = next(folder_of_cases(snapshot).glob(f"{name}.csv"))
    written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    address = f"/download/cases/{name}.csv"
    return [
        html.Span(f"{name}, published {written:%Y-%m-%d %H:%M} UTC"),
        html.A("CSV", href=address, title=f"{name} as CSV", download=""),
    ]


def layout(visit: Visit) -> list[Component]:
    """Choices, plot and table; what makes them where nothing is published."""
    tables = case_tables(visit.snapshot)
    if not tables:
        gap = missing(
            "No case tables have been published in this workspace. Run `htrisk cases --data FOLDER` with a "
            "CTDC file, and open the dashboard of that workspace (`htrisk dashboard --data FOLDER`)."
        )
        return [panel(visit, "Who is harmed and how", [gap], what=_WHAT)]
    names = sorted(tables)
    wish = visit.wishes.get("table")
    chosen = wish if wish in names else _DEFAULT if _DEFAULT in names else names[0]
    body = [
        html.Div(
            [
                _select("case-table", "Table", names, chosen, 330),
                html.Div(
                    axes_of(tables[chosen]),
                    id="case-axes",
                    className="controls",
                    style={"margin": 0},
                ),
            ],
            className="controls",
        ),
        html.Div(id="case-plot"),
        dcc.Store(id="case-solid"),
    ]
    return [
        panel(visit, "Clusters of published counts", body, what=_WHAT),
        panel(
            visit,
            "The table",
            [
                html.Div(_rows(tables[chosen], chosen), id="case-rows"),
                html.Div(
                    _of_release(visit.snapshot, chosen), id="case-release", className="fresh bare"
                ),
            ],
            what="The chosen table, with a filter under each heading. Hidden counts are not shown (k = 11).",
        ),
    ]


def _select(name: str, label: str, values: list[str], value: str | None, width: int) -> Component:
    data = [{"value": v, "label": v.replace("_", " ")} for v in values]
    select: Component = dmc.Select(
        id=name, label=label, data=data, value=value, allowDeselect=False, w=width
    )
    return select


def register(app: Dash, shelf: SnapshotShelf, servers: Servers) -> None:
    """Callbacks: the axes of a table, its plot, its rows."""

    @app.callback(
        Output("case-axes", "children"),
        Output("case-rows", "children"),
        Output("case-release", "children"),
        Input("case-table", "value"),
        prevent_initial_call=True,
    )
    def show_axes(name: str) -> tuple[list[Component], Component, list[Component]]:
        snapshot = shelf.newest()
        frame = case_tables(snapshot)[name]
        return axes_of(frame), _rows(frame, name), _of_release(snapshot, name)

    @app.server.get("/download/cases/<name>.csv")
    def case_table(name: str) -> Response:
        try:
            frame = case_tables(shelf.newest()).get(name)
        except MissingPartitionError as error:
            abort(404, str(error))
        if frame is None:
            abort(404, f"There is no published case table '{name}'.")
        return file_to_keep(csv_for_people(frame).encode(), "text/csv", f"{name}.csv")

    @app.callback(
        Output("case-plot", "children"),
        Input("case-table", "value"),
        Input("case-x", "value"),
        Input("case-y", "value"),
        Input("case-z", "value"),
        Input("case-columns", "value"),
        Input("case-k", "value"),
        Input("case-scale", "checked"),
        Input("case-kind", "value"),
    )
    def show_plot(
        name: str,
        x: str,
        y: str,
        z: str,
        columns: list[str],
        k: int,
        scale: bool,
        kind: str,
    ) -> Component:
        frame = case_tables(shelf.newest())[name]
        axes = [a for a in (x, y, z) if a in frame.columns]
        columns = [c for c in columns or [] if c in frame.columns] or axes
        return plot(
            frame, axes, columns=columns, k=int(k or 2), scale=scale, is_solid=kind == "3-D"
        )

    remember(app, "case-table")
    in_browser(app, "solid", Output("case-solid", "data"), Input("case-kind", "value"))


def _rows(frame: pl.DataFrame, name: str) -> Component:
    caption = f"{name.replace('_', ' ')}: {frame.height:,} counts."
    return rows_grid(frame, caption, suppressed=["count"])


def axes_of(frame: pl.DataFrame) -> list[Component]:
    """Choices of axes, columns, number of clusters and kind for a table."""
    dimensions = [c for c in frame.columns if c != "count"]
    at = [*dimensions, *([dimensions[-1]] * 3)]
    kinds = ["2-D", "3-D"] if len(dimensions) >= 3 else ["2-D"]
    return [
        *(
            _select(f"case-{axis.lower()}", axis, dimensions, at[i], 190)
            for i, axis in enumerate("XYZ")
        ),
        dmc.MultiSelect(
            id="case-columns",
            label="Columns to cluster by",
            data=[{"value": d, "label": d.replace("_", " ")} for d in dimensions],
            value=dimensions,
            w=300,
        ),
        dmc.NumberInput(id="case-k", label="k, clusters", value=3, min=2, max=9, step=1, w=110),
        dmc.Switch(id="case-scale", label="Scale columns", checked=True),
        html.Div(
            dmc.SegmentedControl(id="case-kind", value="2-D", data=kinds),
            role="group",
            **aria(label="Kind of plot"),
        ),
    ]


def plot(
    frame: pl.DataFrame, axes: list[str], *, columns: list[str], k: int, scale: bool, is_solid: bool
) -> Component:
    """Shown inner cells as bubbles, coloured by cluster; hidden ones are counted beside."""
    dimensions = [c for c in frame.columns if c != "count"]
    inner = frame.filter(pl.all_horizontal(pl.col(d) != ALL for d in dimensions))
    shown = inner.filter(pl.col("count") > 0)
    try:
        shown = shown.with_columns(cluster_counts(shown, columns, n_clusters=k, scale=scale))
    except SettingError as error:
        return missing(str(error))
    hidden = inner["count"].null_count()
    sizes = (
        shown.group_by("cluster")
        .agg(pl.len().alias("cells"), pl.col("count").sum())
        .sort("cluster")
    )
    note = f"{shown.height} of {inner.height} cells are shown, {hidden} are hidden (k = 11), the rest are 0."
    distinct = list(dict.fromkeys(axes))
    figure = _solid(shown, distinct) if is_solid and len(distinct) == 3 else _flat(shown, distinct)
    label = f"{k} clusters of published counts by {', '.join(columns)}."
    under = rows_table(sizes, "Clusters, the largest first: cells and records shown.")
    return html.Div([html.P(note, className="quiet"), chart(figure, label, under)])


def _bubbles(rows: pl.DataFrame) -> dict[str, object]:
    return {
        "size": (6 + 44 * (rows["count"] / rows["count"].max()).sqrt()).to_list(),
        "color": [COLOURS[(c - 1) % len(COLOURS)] for c in rows["cluster"]],
        "opacity": 0.85,
        "line": {"color": "#ffffff", "width": 1},
    }


def _labels(rows: pl.DataFrame) -> list[str]:
    named = [c for c in rows.columns if c not in ("count", "cluster")]
    return [
        f"{', '.join(str(r[c]) for c in named)}: {r['count']:,} records, cluster {r['cluster']}"
        for r in rows.iter_rows(named=True)
    ]


def _flat(rows: pl.DataFrame, axes: list[str]) -> Figure:
    x, y = axes[0], axes[1] if len(axes) > 1 else axes[0]
    figure = Figure().add(
        "scatter",
        x=rows[x].to_list(),
        y=rows[y].to_list(),
        mode="markers",
        marker=_bubbles(rows),
        text=_labels(rows),
        hovertemplate="%{text}<extra></extra>",
    )
    styled(figure, x_title=x.replace("_", " "), y_title=y.replace("_", " "), height=520)
    figure.lay_out(xaxis={"type": "category"}, yaxis={"type": "category"})
    return figure


def _solid(rows: pl.DataFrame, axes: list[str]) -> Figure:
    x, y, z = axes
    figure = Figure().add(
        "scatter3d",
        x=rows[x].to_list(),
        y=rows[y].to_list(),
        z=rows[z].to_list(),
        mode="markers",
        marker=_bubbles(rows),
        text=_labels(rows),
        hovertemplate="%{text}<extra></extra>",
    )
    styled(figure, height=620)
    figure.lay_out(
        dragmode="orbit",
        scene={
            f"{k}axis": {"title": {"text": a.replace("_", " ")}}
            for k, a in zip("xyz", axes, strict=True)
        },
    )
    return figure


PAGE = Page(
    path="/cases",
    title="Who is harmed and how",
    lead="Identified victims as published counts: never joined with places, never a record of one person.",
    layout=layout,
    register=register,
)
