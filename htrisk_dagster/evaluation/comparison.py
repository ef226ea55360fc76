"""All models in one table: every metric, its interval, and its difference to the baseline.

Belongs here: which metrics make the table, for which cells, and how it is printed. Does not: the
metrics themselves, nor the choice of a champion, which must not see the test block (`champion`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from htrisk_dagster.evaluation import week_replicates
from htrisk_dagster.evaluation.bootstrap import draw_weeks, percentile_interval, week_of_day
from htrisk_dagster.evaluation.calibration import calibration_slope, expected_over_observed
from htrisk_dagster.evaluation.count_scores import (
    information_gain,
    mae,
    poisson_deviance,
    poisson_log_score,
    rmse,
)
from htrisk_dagster.evaluation.discrimination import average_precision, prevalence, roc_auc
from htrisk_dagster.evaluation.hotspot_accuracy import hit_rate, pai, pei_star
from htrisk_dagster.evaluation.occurrence_scores import brier, log_loss
from htrisk_dagster.evaluation.pairs import checked_pair
from htrisk_dagster.schemas.predictions import MODEL_COMPARISON

SHARES = {"0.5pct": 0.005, "1pct": 0.01, "5pct": 0.05}
PEI_SHARE = "1pct"
INFORMATION_GAIN = "information_gain_bits"
CEILING_PREFIX = "ceiling_"

METRICS: dict[str, Callable[[ArrayLike, ArrayLike], float]] = {
    "poisson_deviance": poisson_deviance,
    "poisson_log_score": poisson_log_score,
    **{f"pai_{label}": partial(pai, share=share) for label, share in SHARES.items()},
    **{f"hit_rate_{label}": partial(hit_rate, share=share) for label, share in SHARES.items()},
    f"pei_star_{PEI_SHARE}": partial(pei_star, share=SHARES[PEI_SHARE]),
    "average_precision": average_precision,
    "prevalence": prevalence,
    "auc": roc_auc,
    "brier": brier,
    "log_loss": log_loss,
    "calibration_slope": calibration_slope,
    "expected_over_observed": expected_over_observed,
    "mae": mae,
    "rmse": rmse,
}
"""Metrics by name that need no second forecast, in the order of the table."""

# Columns of the printed table: metric, heading, digits, and the unit that scales it.
_PRINTED = (
    ("poisson_deviance", "Poisson deviance, per 1,000 cell-days", 2, 1000),
    (INFORMATION_GAIN, "information gain, bits per incident", 3, 1),
    ("pai_0.5pct", "PAI at 0.5% of area", 2, 1),
    ("pai_1pct", "PAI at 1%", 2, 1),
    ("pai_5pct", "PAI at 5%", 2, 1),
    ("average_precision", "average precision, %", 2, 100),
    ("auc", "AUC", 3, 1),
    ("calibration_slope", "calibration slope", 2, 1),
    ("expected_over_observed", "expected / observed", 2, 1),
)


def point_values(counts: ArrayLike, expected: ArrayLike) -> dict[str, float]:
    """Every metric of `METRICS`, by name."""
    return {name: metric(counts, expected) for name, metric in METRICS.items()}


def replicate_values(
    counts: NDArray[np.float64],
    expected: NDArray[np.float64],
    reference: NDArray[np.float64],
    draws: NDArray[np.float64],
) -> dict[str, NDArray[np.float64]]:
    """Every metric of the table in every resample of weeks, by name, each of shape (R,)."""
    return {
        **week_replicates.sum_replicates(counts, expected, reference, draws),
        **week_replicates.hotspot_replicates(
            counts, expected, draws, shares=SHARES, pei_share=PEI_SHARE
        ),
        "auc": week_replicates.auc_replicates(counts, expected, draws),
        "average_precision": week_replicates.average_precision_replicates(counts, expected, draws),
        "calibration_slope": week_replicates.slope_replicates(counts, expected, draws),
    }


def compare(
    counts: ArrayLike,
    forecasts: Mapping[str, ArrayLike],
    *,
    active: NDArray[np.bool_],
    reference: str = "historical_mean",
    n_resamples: int,
    seed: int,
) -> pl.DataFrame:
    """Compare forecasts of the same cell-days.

    Parameters
    ----------
    counts : array, shape (D, C)
        Reported incidents on consecutive days, the first of which starts the first week.
    forecasts : dict of str to array (D, C)
        Expected counts by model.
    active : bool, shape (C,)
        Cells of the mask `active`; the mask `land` is all cells.
    reference : str
        Model that differences and information gain refer to.
    n_resamples, seed : int
        Of the block bootstrap by week; all models and both masks meet the same resamples.

    Returns
    -------
    DataFrame
        `schemas.predictions.MODEL_COMPARISON`; undefined values are missing.

    Raises
    ------
    ValueError
        Where the reference is not among the forecasts, no cell is active, or an array is unfit
        (see `pairs.checked_pair`).
    """
    if reference not in forecasts:
        raise ValueError(
            f"The reference '{reference}' is not among the forecasts: {', '.join(forecasts)}."
        )
    pairs = {name: checked_pair(counts, values) for name, values in forecasts.items()}
    observed = pairs[reference][0]
    if active.shape != (observed.shape[1],) or not active.any():
        raise ValueError(
            f"The active mask has shape {active.shape} and {int(active.sum())} cells; "
            f"it must mark one at least of {observed.shape[1]}."
        )
    n_weeks = int(week_of_day(len(observed))[-1]) + 1
    draws = draw_weeks(n_weeks, n_resamples=n_resamples, seed=seed)
    rows: list[dict[str, object]] = []
    for mask, cells in (("active", active), ("land", np.ones_like(active))):
        truth = observed[:, cells]
        masked = {name: pair[1][:, cells] for name, pair in pairs.items()}
        rows += _compare_masked(mask, truth, masked, masked[reference], reference, draws)
    return MODEL_COMPARISON.conform(pl.DataFrame(rows, infer_schema_length=None))


def _compare_masked(
    mask: str,
    counts: NDArray[np.float64],
    forecasts: Mapping[str, NDArray[np.float64]],
    base: NDArray[np.float64],
    reference: str,
    draws: NDArray[np.float64],
) -> list[dict[str, object]]:
    values, replicates = {}, {}
    for name, expected in forecasts.items():
        values[name] = point_values(counts, expected)
        values[name][INFORMATION_GAIN] = information_gain(counts, expected, reference=base)
        replicates[name] = replicate_values(counts, expected, base, draws)
    rows: list[dict[str, object]] = []
    for name, metrics in values.items():
        for metric, value in metrics.items():
            own, other = replicates[name][metric], replicates[reference][metric]
            low, high = percentile_interval(own)
            difference_low, difference_high = percentile_interval(own - other)
            numbers = {
                "value": value,
                "lower_95": low,
                "upper_95": high,
                "difference": value - values[reference][metric],
                "difference_lower_95": difference_low,
                "difference_upper_95": difference_high,
            }
            finite = {k: v if np.isfinite(v) else None for k, v in numbers.items()}
            rows.append({"model": name, "mask": mask, "metric": metric, **finite})
    return rows


def to_markdown(
    comparison: pl.DataFrame,
    mask: str,
    *,
    n_days: int,
    n_cells: int,
    n_incidents: int,
    reference: str = "historical_mean",
) -> str:
    """Print the comparison of one mask as Markdown: a row a model, value and 95% interval.

    Parameters
    ----------
    comparison : DataFrame
        `MODEL_COMPARISON`.
    mask : str
        `active` or `land`.
    n_days, n_cells, n_incidents : int
        Of that mask, for the line under the table.
    reference : str
        Model of the first row; the others follow by deviance, ceilings come last.
    """
    shown = comparison.filter(pl.col("mask") == mask)
    deviance = shown.filter(metric="poisson_deviance").sort("value", "model")
    ceilings = [m for m in deviance["model"] if m.startswith(CEILING_PREFIX)]
    others = [m for m in deviance["model"] if m != reference and m not in ceilings]
    models = [reference, *others, *reversed(ceilings)]
    cell = {(r["model"], r["metric"]): r for r in shown.iter_rows(named=True)}
    lines = [
        f"| model | {' | '.join(heading for _, heading, _, _ in _PRINTED)} |",
        "|---" * (len(_PRINTED) + 1) + "|",
    ]
    for model in models:
        printed = [
            _printed_value(cell.get((model, m)), digits, unit) for m, _, digits, unit in _PRINTED
        ]
        lines.append(f"| {model} | {' | '.join(printed)} |")
    share = cell[reference, "prevalence"]["value"]
    lines += [
        "",
        f"Mask `{mask}`: {n_cells:,} cells x {n_days:,} days, {n_incidents:,} reported incidents, "
        f"prevalence {100 * share:.3f}% of cell-days. In brackets: 95% block-bootstrap interval by "
        "week. The reference of information gain is the first row.",
    ]
    if ceilings:
        lines += [
            "",
            f"Rows `{CEILING_PREFIX}...`: what to expect of who knows the true intensity, or the true "
            "law and what was reported in time; in brackets the band of 95% of draws. No model can be "
            "better but by luck.",
        ]
    return "\n".join(lines) + "\n"


def _printed_value(row: Mapping[str, float | None] | None, digits: int, unit: int) -> str:
    if row is None:
        return ""
    value, low, high = row["value"], row["lower_95"], row["upper_95"]
    if value is None:
        return "not defined"
    if low is None or high is None:
        return f"{value * unit:.{digits}f}"
    return f"{value * unit:.{digits}f} [{low * unit:.{digits}f}, {high * unit:.{digits}f}]"
