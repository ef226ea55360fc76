"""The charts of the comparison of models: which metrics and curves are drawn, and how they are read.

Belongs here: from tables of `evaluation/training_comparison` to charts. Does not: marks and axes
(`chart_drawing`), the page around the charts (`model_page`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
import polars as pl

from htrisk_dagster.evaluation.comparison import INFORMATION_GAIN
from htrisk_dagster.evaluation.curves import Curve
from htrisk_dagster.evaluation.training_comparison import CEILING, fold_spread
from htrisk_dagster.publishing.chart_drawing import (
    Box,
    Interval,
    Line,
    box_chart,
    interval_chart,
    line_chart,
    line_style,
)

_HERE = Path(__file__).parent
_CALIBRATED = 1.0
_OWN = ("value", "lower_95", "upper_95")
_DIFFERENCE = ("difference", "difference_lower_95", "difference_upper_95")
# Metric, title, the unit that scales it, and what it is read against where not the baseline.
METRICS: tuple[tuple[str, str, int, float | None], ...] = (
    ("poisson_deviance", "Poisson deviance, per 1,000 cell-days (lower is better)", 1000, None),
    (INFORMATION_GAIN, "Information gain, bits per incident (higher is better)", 1, 0.0),
    ("pai_1pct", "PAI at 1% of area (higher is better)", 1, None),
    ("average_precision", "Average precision, % (higher is better)", 100, None),
    ("auc", "AUC (higher is better)", 1, None),
    ("calibration_slope", "Calibration slope (1 is calibrated)", 1, _CALIBRATED),
    ("expected_over_observed", "Expected over observed (1 is calibrated)", 1, _CALIBRATED),
)
_CURVES = (
    ("roc", "ROC", False, False),
    ("precision_recall", "Precision and recall", False, None),
    ("pai_by_area", "PAI by share of area", True, None),
    ("calibration", "Calibration", True, True),
)


def stylesheet() -> str:
    """Colours and type of the page, and of its charts where they stand alone."""
    return (_HERE / "model_page.css").read_text(encoding="utf-8")


def draw_curve(
    name: str, curves: Mapping[str, Curve], *, reference: str, order: Sequence[str] = ()
) -> str:
    """Draw one kind of curve for all models, the ceiling and the baseline on top.

    Parameters
    ----------
    name : str
        Of the curve, as `Curve.name`.
    curves : dict of str to Curve
        By model, the ceiling under `CEILING`.
    reference : str
        The baseline.
    order : sequence of str, optional
        Models in the order that gives them their colours; that of `curves` if empty.
    """
    _, title, log_x, log_y = next(c for c in _CURVES if c[0] == name)
    lines = [
        Line(model, style, curves[model].x, curves[model].y)
        for model, style in _styles(order or list(curves), reference).items()
        if model in curves
    ]
    any_curve = next(iter(curves.values()))
    told = f"{title} of {', '.join(line.name for line in lines)}."
    return line_chart(
        lines,
        title=told,
        x_title=any_curve.x_title,
        y_title=any_curve.y_title,
        log_x=log_x,
        log_y=log_y,
    )


def standalone(chart: str) -> str:
    """Give a chart its own style, to be a file of its own."""
    first, _, rest = chart.partition("\n")
    return f"{first}\n<style>{stylesheet()}\nsvg {{ background: var(--page); }}</style>\n{rest}\n"


def interval_charts(shown: pl.DataFrame, models: Sequence[str], *, reference: str) -> str:
    """Chart differences to the baseline; of calibration, whose best is 1, the values themselves.

    Parameters
    ----------
    shown : DataFrame
        `MODEL_COMPARISON` of one mask.
    models : sequence of str
        In the order of the rows.
    reference : str
        The baseline.
    """
    cell = {(r["model"], r["metric"]): r for r in shown.iter_rows(named=True)}
    others = [m for m in models if m != reference]
    charts = []
    for metric, title, unit, against in METRICS:
        is_calibration = against == _CALIBRATED
        columns = _OWN if is_calibration else _DIFFERENCE
        rows = [
            Interval(model, *(float(cell[model, metric][c]) * unit for c in columns))
            for model in (models if is_calibration else others)
            if all(cell[model, metric][c] is not None for c in columns)
        ]
        if rows:
            what = "value" if is_calibration else f"difference to {reference}"
            drawn = interval_chart(
                rows,
                title=f"{title}: {what} with 95% interval.",
                x_title=what,
                mark=_CALIBRATED if is_calibration else 0.0,
            )
            charts.append(_figure_of(title, drawn))
    return _grid(charts)


def fold_charts(by_fold: pl.DataFrame, models: Sequence[str], *, reference: str) -> str:
    """Chart the spread over folds of each metric, a box a model.

    Parameters
    ----------
    by_fold : DataFrame
        Of `fold_scores`.
    models, reference
        As in `interval_charts`.
    """
    spread = {(r["model"], r["metric"]): r for r in fold_spread(by_fold).iter_rows(named=True)}
    single = by_fold.drop_nulls().sort("fold").partition_by("model", "metric", as_dict=True)
    charts = []
    for metric, title, unit, against in METRICS:
        boxes = [
            _box(model, row, single[model, metric]["value"].to_list(), unit)
            for model in models
            for row in [spread.get((model, metric), {})]
            if row.get("median") is not None
        ]
        if boxes:
            base = next((b.median for b in boxes if b.name == reference), None)
            drawn = box_chart(
                boxes,
                title=f"{title} by fold.",
                x_title="value on a fold",
                mark=base if against is None else against,
            )
            charts.append(_figure_of(title, drawn))
    return _grid(charts)


def curve_charts(
    curves: Mapping[str, Mapping[str, Curve]], models: Sequence[str], *, reference: str
) -> str:
    """Chart every kind of curve, under one legend.

    Parameters
    ----------
    curves : dict of str to dict
        Of `compared_curves`.
    models, reference
        As in `interval_charts`.
    """
    styles = _styles([*models, CEILING], reference)
    items = "".join(
        f'<li><svg viewBox="0 0 40 10" aria-hidden="true"><path class="line {style}" d="M0 5H40"/>'
        f"</svg>{escape(name)}</li>"
        for name, style in sorted(styles.items(), key=lambda s: s[0] not in (CEILING, reference))
    )
    charts = [
        _figure_of(title, draw_curve(name, curves[name], reference=reference, order=models))
        for name, title, _, _ in _CURVES
        if name in curves
    ]
    return f'<ul class="legend" aria-label="Legend">{items}</ul>{_grid(charts)}'


def learning_charts(learning: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """Chart the learning curves of each model that has any, by step."""
    charts = []
    for model, of_model in learning.items():
        lines = [
            Line(name, line_style(i), np.arange(len(v), dtype=float), np.asarray(v, dtype=float))
            for i, (name, v) in enumerate(of_model.items())
            if len(v) > 1
        ]
        if lines:
            told = f"{model}: {', '.join(line.name for line in lines)}"
            drawn = line_chart(
                lines, title=f"{told} by step.", x_title="step", y_title="loss", log_x=False
            )
            charts.append(_figure_of(told, drawn))
    return _grid(charts)


def _figure_of(title: str, chart: str) -> str:
    return f"<figure><h3>{escape(title)}</h3>\n{chart}</figure>\n"


def _grid(charts: Sequence[str]) -> str:
    return f'<div class="charts">{"".join(charts)}</div>' if charts else ""


def _styles(models: Sequence[str], reference: str) -> dict[str, str]:
    """Style by model in the order they are drawn: baseline and ceiling last, on top."""
    others = [m for m in models if m not in (reference, CEILING)]
    styles = {m: line_style(i) for i, m in enumerate(others)}
    return {**styles, CEILING: "ceiling", reference: "baseline"}


def _box(model: str, row: Mapping[str, float], values: Sequence[float], unit: int) -> Box:
    return Box(
        model,
        lowest=row["lowest"] * unit,
        lower_quartile=row["lower_quartile"] * unit,
        median=row["median"] * unit,
        upper_quartile=row["upper_quartile"] * unit,
        highest=row["highest"] * unit,
        values=tuple(unit * v for v in values),
    )
