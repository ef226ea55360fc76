"""One training's models side by side, as plain tables: what differs, and how each fold went.

Belongs here: scores by fold and their spread, parameters that differ, learning curves in four
numbers, curves with baseline and ceiling. Does not: drawing (`publishing`), logging (`defs`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.evaluation.ceiling_curves import ceiling_curves
from htrisk_dagster.evaluation.comparison import INFORMATION_GAIN, point_values
from htrisk_dagster.evaluation.count_scores import information_gain
from htrisk_dagster.evaluation.curves import Curve, all_curves

Forecasts = Mapping[str, Sequence[NDArray[np.float64]]]
"""Expected counts of each fold by model, shape (D, C) each."""
CEILING = "ceiling"


def fold_scores(
    counts: Sequence[NDArray[np.floating]],
    forecasts: Forecasts,
    *,
    active: NDArray[np.bool_],
    reference: str = "historical_mean",
) -> pl.DataFrame:
    """Every metric of every model on every fold.

    Parameters
    ----------
    counts : sequence of array (D, C)
        Reported incidents of each fold's test days.
    forecasts : dict of str to sequence of array (D, C)
    active : bool, shape (C,)
        Cells that count.
    reference : str
        Model that information gain refers to.

    Returns
    -------
    DataFrame
        `model`, `fold` (0 oldest), `metric`, `value`; missing where undefined.
    """
    rows: list[dict[str, object]] = []
    for model, of_model in forecasts.items():
        for fold, (observed, expected) in enumerate(zip(counts, of_model, strict=True)):
            cut = _of_cells(observed, active), _of_cells(expected, active)
            base = _of_cells(forecasts[reference][fold], active)
            values = point_values(*cut) | {INFORMATION_GAIN: information_gain(*cut, reference=base)}
            rows += [
                {"model": model, "fold": fold, "metric": metric, "value": value}
                for metric, value in values.items()
            ]
    schema = {"model": pl.String, "fold": pl.Int32, "metric": pl.String, "value": pl.Float64}
    return pl.DataFrame(rows, schema=schema).with_columns(
        pl.when(pl.col("value").is_finite()).then("value").alias("value")
    )


def _of_cells(values: NDArray[np.floating], active: NDArray[np.bool_]) -> NDArray[np.floating]:
    """Columns of the active cells, in row order: sums then add up as over the whole array."""
    return np.ascontiguousarray(values[:, active])


def fold_spread(by_fold: pl.DataFrame) -> pl.DataFrame:
    """Five numbers of a box plot over folds, and the newest fold's, by model and metric.

    Quartiles are linear between folds: of one fold all five are equal, of two they lie between.
    """
    value = pl.col("value")
    return by_fold.group_by("model", "metric", maintain_order=True).agg(
        value.min().alias("lowest"),
        value.quantile(0.25, "linear").alias("lower_quartile"),
        value.median().alias("median"),
        value.quantile(0.75, "linear").alias("upper_quartile"),
        value.max().alias("highest"),
        value.sort_by("fold").last().alias("last"),
        value.count().alias("n_folds"),
    )


def differing_params(params: Mapping[str, Mapping[str, object]]) -> pl.DataFrame:
    """Parameters that two models or more have and do not agree on, one row each.

    Parameters
    ----------
    params : dict of str to dict
        Parameters by model.

    Returns
    -------
    DataFrame
        `parameter` and a column of text for each model; missing where it has none of the name.
        Rows that most models have come first, then by name.
    """
    names = sorted({name for of in params.values() for name in of})
    rows: list[dict[str, str | None]] = [
        {"parameter": name, **{model: _text(of.get(name)) for model, of in params.items()}}
        for name in names
    ]
    rows = [row for row in rows if len({row[m] for m in params} - {None}) > 1]
    rows.sort(key=lambda row: sum(row[m] is None for m in params))
    return pl.DataFrame(rows, schema=dict.fromkeys(["parameter", *params], pl.String))


def own_params(params: Mapping[str, Mapping[str, object]]) -> dict[str, dict[str, str]]:
    """Parameters that one model alone has, as text, by model; models without any are left out."""
    users = Counter(name for of in params.values() for name in of)
    own = {
        model: {n: _text(v) or "" for n, v in sorted(of.items()) if users[n] == 1}
        for model, of in params.items()
    }
    return {model: of for model, of in own.items() if of}


def changed_params(
    before: Mapping[str, Mapping[str, object]], now: Mapping[str, Mapping[str, object]]
) -> pl.DataFrame:
    """Parameters and fitted values of models that are not what they were.

    Parameters
    ----------
    before, now : dict of str to dict
        Parameters by model of two trainings; models in one of them only are left out.

    Returns
    -------
    DataFrame
        `model`, `parameter`, `before`, `now`; missing where there was, or is, none.
    """
    rows = [
        {
            "model": model,
            "parameter": name,
            "before": _text(before[model].get(name)),
            "now": _text(now[model].get(name)),
        }
        for model in now
        if model in before
        for name in sorted({*before[model], *now[model]})
    ]
    schema = dict.fromkeys(["model", "parameter", "before", "now"], pl.String)
    return pl.DataFrame(rows, schema=schema).filter(pl.col("before").ne_missing(pl.col("now")))


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def learning_summary(learning: Mapping[str, Mapping[str, Sequence[float]]]) -> pl.DataFrame:
    """Lowest, highest and last value of each learning curve; the last alone hides an overfit.

    Returns
    -------
    DataFrame
        `model`, `curve`, `n_steps`, `lowest`, `lowest_step` (from 0), `highest`, `last`.
    """
    rows = [
        {
            "model": model,
            "curve": curve,
            "n_steps": len(values),
            "lowest": min(values),
            "lowest_step": int(np.argmin(values)),
            "highest": max(values),
            "last": values[-1],
        }
        for model, curves in learning.items()
        for curve, values in curves.items()
        if len(values)
    ]
    schema = {
        "model": pl.String, "curve": pl.String, "n_steps": pl.Int64, "lowest": pl.Float64,
        "lowest_step": pl.Int64, "highest": pl.Float64, "last": pl.Float64,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema)


def compared_curves(
    counts: Sequence[NDArray[np.floating]],
    forecasts: Forecasts,
    *,
    active: NDArray[np.bool_],
    intensity: Sequence[NDArray[np.float64]],
) -> dict[str, dict[str, Curve]]:
    """Curves over all folds by name and model, the ceiling among them under `CEILING`.

    Parameters
    ----------
    counts, forecasts, active
        As in `fold_scores`.
    intensity : sequence of array (D, C)
        The true intensity of each fold where it is known, or the best blind forecast in its place.
    """
    truth = np.concatenate(counts)[:, active]
    found: dict[str, dict[str, Curve]] = {}
    for model, of_model in forecasts.items():
        for curve in all_curves(truth, np.concatenate(of_model)[:, active]):
            found.setdefault(curve.name, {})[model] = curve
    for curve in ceiling_curves(np.concatenate(intensity)[:, active]):
        found[curve.name][CEILING] = curve
    return found


def curves_as_data(curves: Mapping[str, Curve]) -> dict[str, dict[str, list[float]]]:
    """Points of one kind of curve by model, under the titles of the axes."""
    return {
        model: {curve.x_title: curve.x.tolist(), curve.y_title: curve.y.tolist()}
        for model, curve in curves.items()
    }
