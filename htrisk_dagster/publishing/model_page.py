"""The comparison of one training's models as one HTML file that opens anywhere, offline.

Belongs here: what the page says and in which order. Does not: the drawing (`chart_drawing`), the
numbers (`evaluation/training_comparison`), where the page is kept (`defs`).

It shows differences only: a parameter that all models share is not listed. Every metric has its
spread over folds and its interval, none its last value alone. It works with scripts blocked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from pathlib import Path

import numpy as np
import polars as pl

from htrisk_dagster.evaluation.comparison import INFORMATION_GAIN
from htrisk_dagster.evaluation.curves import Curve
from htrisk_dagster.evaluation.training_comparison import (
    CEILING,
    changed_params,
    differing_params,
    fold_spread,
    learning_summary,
    own_params,
)
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
_MASK = "active"
_CALIBRATED = 1.0
_OWN = ("value", "lower_95", "upper_95")
_DIFFERENCE = ("difference", "difference_lower_95", "difference_upper_95")
# Metric, title, the unit that scales it, and what it is read against where not the baseline.
_METRICS: tuple[tuple[str, str, int, float | None], ...] = (
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
_INVENTED = (
    "INVENTED CITY. Every incident behind these figures was made up by a program, to show how it "
    "works."
)


@dataclass(frozen=True)
class TrainingHeader:
    """What identifies one training.

    Parameters
    ----------
    area_title, target_title : str
        Study area, and what is forecast, in words.
    month : str
        First day on which the models may be used.
    known_before : date
        Nothing reported on or after this day was seen.
    folds : tuple of (date, date)
        First and last test day of each blind fold.
    n_cells, n_incidents : int
        Cells that count, and reported incidents in them over all folds.
    champion, reason : str
        The model chosen, and why.
    reference : str
        The baseline.
    ceiling : str
        What the ceiling is: the true intensity, or whose forecast in its place.
    data_origin, data_digest : str
        `synthetic`, `files` or `api`; fingerprint of code, declarations and rows.
    """

    area_title: str
    target_title: str
    month: str
    known_before: date
    folds: tuple[tuple[date, date], ...]
    n_cells: int
    n_incidents: int
    champion: str
    reason: str
    reference: str
    ceiling: str
    data_origin: str
    data_digest: str


def render_model_page(
    header: TrainingHeader,
    *,
    comparison: pl.DataFrame,
    by_fold: pl.DataFrame,
    params: Mapping[str, Mapping[str, object]],
    learning: Mapping[str, Mapping[str, Sequence[float]]],
    curves: Mapping[str, Mapping[str, Curve]],
    before: tuple[str, Mapping[str, Mapping[str, object]]] | None = None,
) -> str:
    """Make the page of one training.

    Parameters
    ----------
    header : TrainingHeader
    comparison : DataFrame
        `MODEL_COMPARISON` over all folds; the mask `active` is shown.
    by_fold : DataFrame
        Of `training_comparison.fold_scores`.
    params : dict of str to dict
        Parameters by model.
    learning : dict of str to dict
        Learning curves by model and name; models without any may be left out.
    curves : dict of str to dict
        Of `training_comparison.compared_curves`.
    before : (str, dict of str to dict), optional
        Month and parameters by model of the training before: what has changed since.

    Returns
    -------
    str
        HTML. The same tables and header give the same text.
    """
    models = _in_order(comparison, header.reference)
    shown = comparison.filter(mask=_MASK)
    title = f"Models for {header.target_title}, {header.month}"
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            '<head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)} - {escape(header.area_title)}</title>",
            f"<style>{stylesheet()}</style></head>",
            "<body>",
            _headline(header, title),
            "<main>",
            _figures_table(shown, models, header),
            _interval_charts(shown, models, header),
            _fold_charts(by_fold, models, header),
            _curve_charts(curves, models, header),
            _params_table(params, models),
            _changes(before, params),
            _learning_table(learning),
            "</main>",
            f"<footer><p>Data: {escape(header.data_origin)}. Made from data with digest "
            f"{escape(header.data_digest)}. Forecasts of reported incidents at places; they say "
            "nothing of any person.</p></footer>",
            "</body></html>",
        ]
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


def _in_order(comparison: pl.DataFrame, reference: str) -> list[str]:
    """Baseline first, then by deviance, best first."""
    ranked = comparison.filter(mask=_MASK, metric="poisson_deviance").sort("value", "model")
    return [reference, *(m for m in ranked["model"] if m != reference)]


def _styles(models: Sequence[str], reference: str) -> dict[str, str]:
    """Style by model in the order they are drawn: baseline and ceiling last, on top."""
    others = [m for m in models if m not in (reference, CEILING)]
    styles = {m: line_style(i) for i, m in enumerate(others)}
    return {**styles, CEILING: "ceiling", reference: "baseline"}


def _headline(header: TrainingHeader, title: str) -> str:
    folds = "; ".join(f"{first} to {last}" for first, last in header.folds)
    parts = ["<header>"]
    if header.data_origin == "synthetic":
        parts.append(f'<p class="invented" role="alert">{_INVENTED}</p>')
    return "\n".join(
        [
            *parts,
            f"<h1>{escape(title)}</h1>",
            f"<p>{escape(header.area_title)}. For use from {header.month}; nothing reported on or "
            f"after {header.known_before} was seen.</p>",
            '<div class="facts">',
            f"<p><strong>Champion:</strong> {escape(header.champion)}. {escape(header.reason)}</p>",
            f"<p><strong>Blind folds:</strong> {folds}: {header.n_incidents:,} reported incidents in "
            f"{header.n_cells:,} cells with an incident of any kind before.</p>",
            f"<p><strong>Baseline:</strong> {escape(header.reference)}. "
            f"<strong>Ceiling:</strong> {escape(header.ceiling)}.</p>",
            "</div></header>",
        ]
    )


def _figures_table(shown: pl.DataFrame, models: Sequence[str], header: TrainingHeader) -> str:
    cell = {(r["model"], r["metric"]): r for r in shown.iter_rows(named=True)}
    heads = "".join(
        f'<th scope="col" class="number">{escape(title)}</th>' for _, title, _, _ in _METRICS
    )
    rows = []
    for model in models:
        values = "".join(_figure(cell.get((model, m)), unit) for m, _, unit, _ in _METRICS)
        chosen = ' class="best"' if model == header.champion else ""
        rows.append(f'<tr{chosen}><th scope="row">{escape(model)}</th>{values}</tr>')
    return _section(
        "All folds together",
        "Below each figure: its 95% interval, by block bootstrap over weeks. The baseline comes first, "
        "then the models by deviance; the champion is bold.",
        f'<div class="wide"><table><thead><tr><th scope="col">Model</th>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>",
    )


def _figure(row: Mapping[str, float | None] | None, unit: int) -> str:
    value = row["value"] if row else None
    if row is None or value is None:
        return '<td class="number">not defined</td>'
    low, high = row["lower_95"], row["upper_95"]
    interval = "" if low is None or high is None else f"{low * unit:.3g} to {high * unit:.3g}"
    return f'<td class="number">{value * unit:.4g}<small>{interval}</small></td>'


def _interval_charts(shown: pl.DataFrame, models: Sequence[str], header: TrainingHeader) -> str:
    """Chart differences to the baseline; of calibration, whose best is 1, the values themselves."""
    cell = {(r["model"], r["metric"]): r for r in shown.iter_rows(named=True)}
    others = [m for m in models if m != header.reference]
    charts = []
    for metric, title, unit, against in _METRICS:
        is_calibration = against == _CALIBRATED
        columns = _OWN if is_calibration else _DIFFERENCE
        rows = [
            Interval(model, *(float(cell[model, metric][c]) * unit for c in columns))
            for model in (models if is_calibration else others)
            if all(cell[model, metric][c] is not None for c in columns)
        ]
        if rows:
            what = "value" if is_calibration else f"difference to {header.reference}"
            drawn = interval_chart(
                rows,
                title=f"{title}: {what} with 95% interval.",
                x_title=what,
                mark=_CALIBRATED if is_calibration else 0.0,
            )
            charts.append(_figure_of(title, drawn))
    return _section(
        f"Differences to {header.reference}",
        "Paired: all models meet the same resampled weeks. Where a bar crosses the broken line, the "
        "folds cannot tell the model from the baseline, or from a perfect calibration.",
        _grid(charts),
    )


def _fold_charts(by_fold: pl.DataFrame, models: Sequence[str], header: TrainingHeader) -> str:
    spread = {(r["model"], r["metric"]): r for r in fold_spread(by_fold).iter_rows(named=True)}
    single = by_fold.drop_nulls().sort("fold").partition_by("model", "metric", as_dict=True)
    charts = []
    for metric, title, unit, against in _METRICS:
        boxes = [
            _box(model, row, single[model, metric]["value"].to_list(), unit)
            for model in models
            for row in [spread.get((model, metric), {})]
            if row.get("median") is not None
        ]
        if boxes:
            base = next((b.median for b in boxes if b.name == header.reference), None)
            drawn = box_chart(
                boxes,
                title=f"{title} by fold.",
                x_title="value on a fold",
                mark=base if against is None else against,
            )
            charts.append(_figure_of(title, drawn))
    return _section(
        "By fold",
        "Range, quartiles and median over the blind folds; each fold is a dot, the newest filled. The "
        f"broken line is the median of {header.reference}, or the value of a perfect calibration.",
        _grid(charts),
    )


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


def _curve_charts(
    curves: Mapping[str, Mapping[str, Curve]], models: Sequence[str], header: TrainingHeader
) -> str:
    styles = _styles([*models, CEILING], header.reference)
    items = "".join(
        f'<li><svg viewBox="0 0 40 10" aria-hidden="true"><path class="line {style}" d="M0 5H40"/>'
        f"</svg>{escape(name)}</li>"
        for name, style in sorted(
            styles.items(), key=lambda s: s[0] not in (CEILING, header.reference)
        )
    )
    charts = [
        _figure_of(title, draw_curve(name, curves[name], reference=header.reference, order=models))
        for name, title, _, _ in _CURVES
        if name in curves
    ]
    return _section(
        "Curves",
        f"Over the test days of all folds. The ceiling is {header.ceiling}.",
        f'<ul class="legend" aria-label="Legend">{items}</ul>{_grid(charts)}',
    )


def _params_table(params: Mapping[str, Mapping[str, object]], models: Sequence[str]) -> str:
    known = {m: params[m] for m in models if params.get(m)}
    differing, own = differing_params(known), own_params(known)
    n_all = len({name for of in known.values() for name in of})
    n_equal = n_all - differing.height - sum(len(of) for of in own.values())
    alone = "".join(
        f"<dt>{escape(model)}</dt><dd>"
        + ", ".join(f"{escape(n)} <b>{escape(v)}</b>" for n, v in of.items())
        + "</dd>"
        for model, of in own.items()
    )
    return _section(
        "Parameters that differ",
        f"Those that two models or more have and do not agree on. Left out: {n_equal} on which all "
        "that have them agree.",
        f"{_frame(differing, 'parameter')}<h3>Of one model alone</h3><dl>{alone}</dl>",
    )


def _changes(
    before: tuple[str, Mapping[str, Mapping[str, object]]] | None,
    now: Mapping[str, Mapping[str, object]],
) -> str:
    if before is None:
        return ""
    month, earlier = before
    return _section(
        f"Changed since the training for {month}",
        "Parameters and fitted values of the same model that are not what they were.",
        _frame(changed_params(earlier, now), "model"),
    )


def _learning_table(learning: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    summary = learning_summary(learning)
    if summary.is_empty():
        return ""
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
    numbers = summary.with_columns(pl.selectors.float().round_sig_figs(5)).cast(pl.String)
    numbers = numbers.rename({c: c.replace("_", " ") for c in numbers.columns})
    return _section(
        "Learning curves",
        "Lowest, highest and last value of the fit on all that was known. A last value above the "
        "lowest one of a validation curve is overfitting.",
        f"{_frame(numbers, 'model')}{_grid(charts)}",
    )


def _frame(frame: pl.DataFrame, first: str) -> str:
    """Print a frame of text, its first column as row headings."""
    if frame.is_empty():
        return "<p>None differs.</p>"
    heads = "".join(f'<th scope="col">{escape(c)}</th>' for c in frame.columns)
    rows = "".join(
        "<tr>"
        + "".join(
            f'<th scope="row">{escape(v or "–")}</th>'
            if c == first
            else f"<td>{escape(v or '–')}</td>"
            for c, v in row.items()
        )
        + "</tr>"
        for row in frame.iter_rows(named=True)
    )
    return f'<div class="wide"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'


def _section(title: str, text: str, content: str) -> str:
    return (
        f'<section><h2>{escape(title)}</h2>\n<p class="quiet">{escape(text)}</p>\n'
        f"{content}</section>"
    )


def _grid(charts: Sequence[str]) -> str:
    return f'<div class="charts">{"".join(charts)}</div>' if charts else ""


def _figure_of(title: str, chart: str) -> str:
    return f"<figure><h3>{escape(title)}</h3>\n{chart}</figure>\n"
