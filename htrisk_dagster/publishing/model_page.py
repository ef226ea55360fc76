"""The comparison of one training's models as one HTML file that opens anywhere, offline.

Belongs here: what the page says and in which order. Does not: its charts (`model_charts`), the
numbers (`evaluation/training_comparison`), where the page is kept (`defs`).

It shows differences only: a parameter that all models share is not listed. Every metric has its
spread over folds and its interval, none its last value alone. It works with scripts blocked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape

import polars as pl

from htrisk_dagster.evaluation.curves import Curve
from htrisk_dagster.evaluation.training_comparison import (
    changed_params,
    differing_params,
    learning_summary,
    own_params,
)
from htrisk_dagster.publishing.model_charts import (
    METRICS,
    curve_charts,
    fold_charts,
    interval_charts,
    learning_charts,
    stylesheet,
)

_MASK = "active"
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
            _section(
                f"Differences to {header.reference}",
                "Paired: all models meet the same resampled weeks. Where a bar crosses the broken "
                "line, the folds cannot tell the model from the baseline, or from a perfect calibration.",
                interval_charts(shown, models, reference=header.reference),
            ),
            _section(
                "By fold",
                "Range, quartiles and median over the blind folds; each fold is a dot, the newest "
                f"filled. The broken line is the median of {header.reference}, or the value of a "
                "perfect calibration.",
                fold_charts(by_fold, models, reference=header.reference),
            ),
            _section(
                "Curves",
                f"Over the test days of all folds. The ceiling is {header.ceiling}.",
                curve_charts(curves, models, reference=header.reference),
            ),
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


def _in_order(comparison: pl.DataFrame, reference: str) -> list[str]:
    """Baseline first, then by deviance, best first."""
    ranked = comparison.filter(mask=_MASK, metric="poisson_deviance").sort("value", "model")
    return [reference, *(m for m in ranked["model"] if m != reference)]


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
        f'<th scope="col" class="number">{escape(title)}</th>' for _, title, _, _ in METRICS
    )
    rows = []
    for model in models:
        values = "".join(_figure(cell.get((model, m)), unit) for m, _, unit, _ in METRICS)
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
    numbers = summary.with_columns(pl.selectors.float().round_sig_figs(5)).cast(pl.String)
    numbers = numbers.rename({c: c.replace("_", " ") for c in numbers.columns})
    return _section(
        "Learning curves",
        "Lowest, highest and last value of the fit on all that was known. A last value above the "
        "lowest one of a validation curve is overfitting.",
        f"{_frame(numbers, 'model')}{learning_charts(learning)}",
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
