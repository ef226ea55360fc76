"""Page 4: how good the forecasts are, beside a baseline that is easy and a ceiling that is not to be had.

Belongs here: the page's panels. Does not: metrics and curves (`evaluation/`).
"""

from __future__ import annotations

import polars as pl
from dash import html
from dash.development.base_component import Component

from htrisk_dagster.dashboard.chart_figure import Figure
from htrisk_dagster.dashboard.chart_style import COLOURS, line_style, styled
from htrisk_dagster.dashboard.page import Page, Visit
from htrisk_dagster.dashboard.panels import (
    chart,
    key_figure,
    missing,
    not_in_snapshot,
    number,
    panel,
    rows_table,
)

_BASELINE, _CHAMPION, _CEILING = "historical_mean", "champion", "ceiling"
_SHOWN_AT_FIRST = (_BASELINE, "empirical_bayes", _CHAMPION, _CEILING)
_METRICS = {
    "poisson_deviance": "Poisson deviance",
    "information_gain_bits": "information gain, bits",
    "auc": "AUC",
    "average_precision": "average precision",
    "pai_1pct": "PAI at 1%",
    "pai_5pct": "PAI at 5%",
    "calibration_slope": "calibration slope",
    "expected_over_observed": "expected / observed",
}
_CURVES = {
    "roc": ("ROC", "linear", "linear", "Recall against false alarms, with the diagonal of chance."),
    "precision_recall": (
        "Precision and recall",
        "linear",
        "log",
        "Share of flagged cell-days that had an incident, against the share of incidents found. With "
        "rare incidents precision is low for every model.",
    ),
    "pai_by_area": (
        "PAI by share of area",
        "log",
        "linear",
        "Share of incidents over share of area, for every share of area. The ceiling is drawn beside.",
    ),
    "calibration": (
        "Calibration",
        "log",
        "log",
        "Reported against expected incidents in twenty groups of risk. On the diagonal a forecast means "
        "what it says.",
    ),
}


def layout(visit: Visit) -> list[Component]:
    """Key figures, four curves, the table of metrics, verified cases, thresholds, drift, importance."""
    return [
        _summary(visit),
        *(_curve(visit, name) for name in _CURVES),
        _comparison(visit),
        _verified(visit),
        _thresholds(visit),
        _importance(visit),
        _drift(visit),
    ]


def _summary(visit: Visit) -> Component:
    table = "evaluation.model_comparison"
    what = (
        "The champion on the days that were forecast and whose reports are in, on cells with any incident "
        "before. The interval is of resampled weeks; the difference is against the map of past counts."
    )
    if not visit.snapshot.has(table):
        body: list[Component] = [not_in_snapshot(table, visit.snapshot.header.area)]
    else:
        rows = visit.snapshot.table(table).filter(model=_CHAMPION, mask="active")
        by_metric = {r["metric"]: r for r in rows.iter_rows(named=True)}
        shown = [
            m
            for m in ("auc", "pai_1pct", "average_precision", "calibration_slope")
            if m in by_metric
        ]
        body = [html.Div([_figure(m, by_metric[m]) for m in shown], className="kpis")]
    if visit.servers.mlflow:
        body.append(
            html.P(html.A("All runs, curves and parameters in MLflow", href=visit.servers.mlflow))
        )
    return panel(visit, "The champion in four numbers", body, what=what, tables=[table])


def _figure(metric: str, row: dict[str, float | None]) -> Component:
    value, low, high = row["value"], row["lower_95"], row["upper_95"]
    note = "no interval" if low is None or high is None else f"95%: {number(low)} to {number(high)}"
    if row["difference"] is not None and metric != "calibration_slope":
        note += f"; {row['difference']:+.3g} against the historical mean"
    return key_figure(_METRICS[metric], "no data" if value is None else number(value), note)


def _curve(visit: Visit, name: str) -> Component:
    title, x_scale, y_scale, what = _CURVES[name]
    snapshot, table = visit.snapshot, "published.curves"
    if not snapshot.has(table):
        area = snapshot.header.area
        gap = missing(
            f"No day that was forecast has its reports yet; later {area}/publishing/snapshot has curves."
        )
        return panel(visit, title, [gap], what=what, width="half")
    rows = snapshot.query("from published.curves where curve = ? order by model, point", [name])
    models = sorted(rows["model"].unique(), key=lambda m: (m not in _SHOWN_AT_FIRST, m))
    figure = Figure()
    is_drawn = (pl.col("y") > 0) if y_scale == "log" else pl.lit(value=True)
    for index, model in enumerate(models):
        of_model = rows.filter(is_drawn, model=model)
        figure.add(
            "scatter",
            x=of_model["x"].to_list(),
            y=of_model["y"].to_list(),
            mode="lines",
            name=model.replace("_", " "),
            line=_line(model, index),
            visible=True if model in _SHOWN_AT_FIRST else "legendonly",
        )
    if name in ("roc", "calibration"):
        low = 1e-6 if name == "calibration" else 0.0
        high = 1.0 if name == "roc" else float(rows["x"].to_numpy().max())
        low = max(low, float(rows["x"].to_numpy().min())) if name == "calibration" else low
        chance = {"color": "#7a8591", "dash": "longdash", "width": 1}
        figure.add(
            "scatter", x=[low, high], y=[low, high], mode="lines", name="diagonal", line=chance
        )
    styled(figure, x_title=rows["x_title"][0], y_title=rows["y_title"][0], height=470)
    figure.lay_out(margin={"b": 150}, xaxis={"type": x_scale}, yaxis={"type": y_scale})
    label = f"{title} of {len(models)} models, the historical mean and the ceiling among them."
    few = rows.filter(pl.col("model").is_in(_SHOWN_AT_FIRST) & (pl.col("point") % 20 == 0))
    caption = f"{title}: every twentieth point of the models shown at first; the CSV has all."
    under = rows_table(few.select("model", "x", "y"), caption)
    body = [chart(figure, label, under), html.P("Choose models in the legend.", className="quiet")]
    return panel(visit, title, body, what=what, tables=[table], width="half")


def _line(model: str, index: int) -> dict[str, object]:
    if model == _BASELINE:
        return {"color": COLOURS[5], "dash": "dash", "width": 2.5}
    if model == _CEILING:
        return {"color": COLOURS[4], "dash": "dot", "width": 2.5}
    return line_style(index)


def _comparison(visit: Visit) -> Component:
    table = "evaluation.model_comparison"
    what = (
        "Every model by every metric. Deviance: lower is better; PAI, AUC and average precision: higher; "
        "slope and expected over observed: 1 is calibrated. The ceilings are what the truth itself "
        "would score, where it is known."
    )
    body: list[Component] = [not_in_snapshot(table, visit.snapshot.header.area)]
    if visit.snapshot.has(table):
        rows = visit.snapshot.table(table)
        body = [_pivot(rows, mask, words) for mask, words in (
            ("active", "Cells with an incident of any kind before the first day"),
            ("land", "All cells on land"),
        )]  # fmt: skip
    return panel(visit, "All models by all metrics", body, what=what, tables=[table])


def _pivot(rows: pl.DataFrame, mask: str, words: str) -> Component:
    chosen = rows.filter((pl.col("mask") == mask) & pl.col("metric").is_in(list(_METRICS)))
    wide = chosen.pivot("metric", index="model", values="value")
    columns = ["model", *(m for m in _METRICS if m in wide.columns)]
    shown = wide.select(columns)
    if "poisson_deviance" in columns:
        shown = shown.sort("poisson_deviance", nulls_last=True)
    return rows_table(shown, words, names=_METRICS)


def _verified(visit: Visit) -> Component:
    what = (
        "Verified cases are the only events that somebody established. Of their places, the share that lay "
        "in the flagged cells on the day of the report, and how long before. Counts are hidden below 11."
    )
    snapshot, names = (
        visit.snapshot,
        ("evaluation.verified_hit_rate", "evaluation.verified_lead_time"),
    )
    body: list[Component] = []
    if snapshot.has(names[0]):
        rows = snapshot.table(names[0]).sort("model", "budget_pct")
        hidden = ["located_count", "hits_count", "hit_rate_pct", "lower_95_pct", "upper_95_pct"]
        body.append(
            rows_table(rows, "Hit rate of each model at each area budget.", suppressed=hidden)
        )
    if snapshot.has(names[1]):
        rows = snapshot.table(names[1]).sort("model", "statistic")
        caption = "Lead time against cases whose places are exchanged."
        body.append(rows_table(rows, caption, suppressed=["located_count"]))
    if not body:
        body.append(not_in_snapshot(names[0], snapshot.header.area))
    return panel(visit, "Models against verified cases", body, what=what, tables=names)


def _thresholds(visit: Visit) -> Component:
    table = "evaluation.thresholds"
    what = (
        "Probabilities at which a cell-day is flagged, tuned on earlier folds so that a given share is "
        "flagged, and what they gave on the scored days. Recall is never shown without the share flagged."
    )
    return panel(
        visit, "Thresholds", [_whole(visit, table, what)], what=what, tables=[table], width="half"
    )


def _drift(visit: Visit) -> Component:
    table = "evaluation.drift"
    what = (
        "Whether the newest days are still those that the models were trained for: features of the last "
        "four weeks, and reported incidents against the champion's expectation."
    )
    return panel(visit, "Drift", [_whole(visit, table, what)], what=what, tables=[table])


def _whole(visit: Visit, table: str, caption: str) -> Component:
    if not visit.snapshot.has(table):
        return not_in_snapshot(table, visit.snapshot.header.area)
    return rows_table(visit.snapshot.table(table), caption.split(". ")[0])


def _importance(visit: Visit) -> Component:
    table = "models.feature_importance"
    what = (
        "How much each kind of input moves the forecasts, as the mean absolute change of the logarithm: 0.7 "
        "halves or doubles. What the models went by, not what causes incidents."
    )
    if not visit.snapshot.has(table):
        gap = not_in_snapshot(table, visit.snapshot.header.area)
        return panel(visit, "What moves the forecasts", [gap], what=what, width="half")
    rows = visit.snapshot.query(
        "select model, feature, mean_abs_log from models.feature_importance where kind = 'field term' "
        "and month_on = (select max(month_on) from models.feature_importance) order by 3"
    )
    champion = visit.snapshot.query(
        "select model from predictions.cell_day_risk order by risk_on desc limit 1"
    )
    model = (
        str(champion["model"][0])
        if champion["model"][0] in set(rows["model"])
        else "empirical_bayes"
    )
    top = rows.filter(model=model).tail(12)
    figure = Figure().add(
        "bar",
        x=top["mean_abs_log"].to_list(),
        y=[f.replace("_", " ") for f in top["feature"]],
        orientation="h",
        marker={"color": COLOURS[0]},
    )
    styled(figure, x_title="mean absolute change of the logarithm", height=380)
    figure.lay_out(yaxis={"showgrid": False})
    label = f"Field terms of {model} by how much they move its forecasts."
    under = rows_table(rows.reverse(), "Field terms of every model.")
    body = [
        html.P(f"Of {model.replace('_', ' ')}.", className="quiet"),
        chart(figure, label, under),
    ]
    return panel(visit, "What moves the forecasts", body, what=what, tables=[table], width="half")


PAGE = Page(
    path="/models",
    title="Model quality",
    lead=(
        "Forecasts were sealed before the truth was read. A score far above the historical mean on common "
        "offences would be a sign of a leak, not of a good model."
    ),
    layout=layout,
)
