"""The mix of offences as bars or pies: what was reported, and what a classifier expects.

Belongs here: the two charts and the shares in them. Does not: the page around them (`pages/patterns.py`),
which shares may leave (`publishing/public_mix.py`, `publishing/public_counts.py`).
"""

from __future__ import annotations

from textwrap import wrap

import polars as pl
from dash.development.base_component import Component

from htrisk_dagster.dashboard.chart_figure import Figure
from htrisk_dagster.dashboard.chart_style import COLOURS, styled
from htrisk_dagster.dashboard.panels import chart, rows_table
from htrisk_dagster.dashboard.snapshots import Snapshot
from htrisk_dagster.schemas.published import OFFENCE_MIX, QUARTER_COUNTS
from htrisk_dagster.victim_population.published_tables import ALL

_LONGEST_LINE = 20


def spoken(value: str) -> str:
    """A name of the tables in words: `felony_assault` is `Felony assault`."""
    return "All" if value == ALL else value.replace("_", " ").capitalize()


def mix_chart(snapshot: Snapshot, kind: str) -> Component:
    """Historical shares of the series."""
    shares = mix_shares(snapshot)
    names = [spoken(s) for s in shares["series"]]
    if kind == "pie":
        figure = Figure().add(
            "pie",
            labels=names,
            values=shares["historical_pct"].to_list(),
            sort=False,
            textinfo="label+percent",
            marker={"colors": [COLOURS[i % len(COLOURS)] for i in range(len(names))]},
        )
        styled(figure, height=420).lay_out(showlegend=False)
    else:
        figure = Figure().add(
            "bar",
            y=names,
            x=shares["historical_pct"].to_list(),
            orientation="h",
            marker={"color": COLOURS[0]},
        )
        styled(figure, x_title="share, %", height=120 + 38 * len(names))
        figure.lay_out(yaxis={"autorange": "reversed", "showgrid": False})
    return chart(figure, "Shares of the series.", rows_table(shares, "Shares of the series, %."))


def mix_shares(snapshot: Snapshot) -> pl.DataFrame:
    """Share of each series in the last four complete quarters, of those whose counts are shown.

    Returns
    -------
    DataFrame
        `series`, `incidents_count`, `historical_pct`, largest first.
    """
    rows = snapshot.table(QUARTER_COUNTS.full_name).filter(
        pl.col("quarter_on").is_not_null(), borough=ALL
    )
    newest = rows["quarter_on"].unique().sort().tail(4)
    counts = (
        rows.filter(pl.col("quarter_on").is_in(newest.implode()))
        .group_by("series")
        .agg(
            pl.when(pl.col("incidents_count").is_not_null().all())
            .then(pl.col("incidents_count").sum())
            .alias("incidents_count")
        )
        .sort("incidents_count", "series", descending=[True, False], nulls_last=True)
    )
    count = pl.col("incidents_count")
    return counts.with_columns((100 * count / count.sum()).alias("historical_pct"))


def mix_times(snapshot: Snapshot) -> list[str]:
    """Quarters of the day on weekdays, then on weekends, in the order of the day."""
    order = pl.col("day_part").cast(pl.Enum(("night", "morning", "afternoon", "evening")))
    rows = snapshot.table(OFFENCE_MIX.full_name).sort("is_weekend", order)
    return rows.select(_time())["time"].unique(maintain_order=True).to_list()


def _time() -> pl.Expr:
    kind = pl.when("is_weekend").then(pl.lit("weekend")).otherwise(pl.lit("weekday"))
    return pl.format("{}_on_a_{}", "day_part", kind).alias("time")


def predicted_chart(snapshot: Snapshot, time: str, kind: str) -> Component:
    """Predicted shares of one time beside those of the past: paired bars, or two pies."""
    rows = (
        snapshot.table(OFFENCE_MIX.full_name)
        .filter(_time() == time)
        .sort("historical_pct", descending=True)
        .select("offence_category", "predicted_pct", "historical_pct")
    )
    # Long names in lines of their own: a phone's chart would be all names.
    names = ["<br>".join(wrap(name, _LONGEST_LINE)) for name in rows["offence_category"]]
    both = (("predicted_pct", "predicted"), ("historical_pct", "historical"))
    figure = Figure()
    for index, (column, name) in enumerate(both):
        values = rows[column].to_list()
        if kind == "pie":
            figure.add(
                "pie",
                labels=names,
                values=values,
                sort=False,
                name=name,
                title={"text": name, "position": "top center"},
                domain={"x": [0.52 * index, 0.48 + 0.52 * index]},
                textinfo="percent",
                textposition="inside",
                marker={"colors": [COLOURS[i % len(COLOURS)] for i in range(len(names))]},
            )
        else:
            colour = COLOURS[1 - index]
            figure.add(
                "bar", x=values, y=names, name=name, orientation="h", marker={"color": colour}
            )
    if kind == "pie":
        styled(figure, height=520).lay_out(margin={"b": 130})
    else:
        styled(figure, x_title="share, %", height=170 + 34 * len(names))
        figure.lay_out(margin={"b": 90}, yaxis={"autorange": "reversed", "showgrid": False})
    words = f"Predicted and historical shares of {len(names)} categories, {spoken(time).lower()}."
    return chart(figure, words, rows_table(rows, f"Shares, {spoken(time).lower()}, %."))
