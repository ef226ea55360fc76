"""Probability thresholds for a given share of area, tuned on folds and reported on the test block.

Belongs here: the threshold that flags a budget of cell-days, and what it gave. Does not: indices
that take the same number of cells each day (`hotspot_accuracy`).

Recall is never given without the share flagged: flagging everything has a recall of 100%. A fixed
threshold flags more cells on risky days and fewer on quiet ones, so the share flagged on the test
block differs from the budget, and is reported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from htrisk_dagster.evaluation.pairs import ratio
from htrisk_dagster.schemas.predictions import THRESHOLDS

BUDGETS_PCT = (0.5, 1.0, 5.0, 10.0, 20.0)


def threshold_for_budget(probabilities: ArrayLike, *, budget_pct: float) -> float:
    """Lowest probability at and above which at most `budget_pct` of cell-days lie.

    Equal probabilities are flagged together or not at all, so the budget is kept and may be
    underspent. Where even the highest value is too common, the threshold is the next number above
    it and flags nothing.

    Raises
    ------
    ValueError
        Where there are no probabilities, one is outside [0, 1], or the budget is outside (0, 100].
    """
    values = np.sort(np.asarray(probabilities, dtype=np.float64), axis=None)[::-1]
    # Written so that NaN is refused too.
    if not values.size or not ((values >= 0) & (values <= 1)).all():
        raise ValueError("Thresholds are tuned on probabilities in [0, 1], one at least.")
    if not 0 < budget_pct <= 100:
        raise ValueError(f"A budget of {budget_pct}% of cell-days is not in (0, 100].")
    allowed = int(np.floor(budget_pct * values.size / 100 + 1e-9))
    if allowed == values.size:
        return float(values[-1])
    # The first value that may not be flagged bounds the threshold from below.
    above = values[:allowed][values[:allowed] > values[allowed]]
    return float(above[-1]) if above.size else float(np.nextafter(values[allowed], 1.0))


def threshold_table(
    fold_probabilities: Mapping[str, Sequence[ArrayLike]],
    counts: ArrayLike,
    probabilities: Mapping[str, ArrayLike],
    *,
    budgets_pct: Sequence[float] = BUDGETS_PCT,
) -> pl.DataFrame:
    """Tune a threshold for each model and budget on the folds, and report it on the test block.

    Parameters
    ----------
    fold_probabilities : dict of str to list of arrays (D, C)
        Probability of at least one incident on the test days of each fold, by model.
    counts : array, shape (D, C)
        Reported incidents of the test block, which comes after the folds.
    probabilities : dict of str to array (D, C)
        Probabilities on the test block, by model.
    budgets_pct : sequence of float
        Shares of cell-days to flag, in %.

    Returns
    -------
    DataFrame
        `schemas.predictions.THRESHOLDS`.

    Raises
    ------
    ValueError
        Where the two dictionaries differ in models, or shapes do not fit.
    """
    if set(fold_probabilities) != set(probabilities):
        raise ValueError(
            f"Folds have the models {sorted(fold_probabilities)}, the test block "
            f"{sorted(probabilities)}."
        )
    happened = np.asarray(counts) > 0
    rows = []
    for model, folds in fold_probabilities.items():
        tuning = np.concatenate([np.asarray(p, dtype=np.float64).ravel() for p in folds])
        tested = np.asarray(probabilities[model], dtype=np.float64)
        if tested.shape != happened.shape:
            raise ValueError(
                f"Model '{model}': probabilities of shape {tested.shape} do not fit counts of "
                f"shape {happened.shape}."
            )
        for budget in budgets_pct:
            threshold = threshold_for_budget(tuning, budget_pct=budget)
            rows.append(
                {"model": model, "budget_pct": budget} | _report(happened, tested, threshold)
            )
    return THRESHOLDS.conform(pl.DataFrame(rows))


def _report(
    happened: NDArray[np.bool_], probabilities: NDArray[np.float64], threshold: float
) -> dict[str, float | None]:
    flagged = probabilities >= threshold
    n_flagged, n_happened = int(flagged.sum()), int(happened.sum())
    hits = int((flagged & happened).sum())
    return {
        "threshold_prob": threshold,
        "flagged_pct": 100 * ratio(n_flagged, flagged.size),
        "recall_pct": 100 * hits / n_happened if n_happened else None,
        "precision_pct": 100 * hits / n_flagged if n_flagged else None,
    }
