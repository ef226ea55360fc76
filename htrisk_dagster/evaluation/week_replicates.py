"""The value of every metric in every resample of weeks, from sums by week.

Belongs here: the fast equivalent of resampling days and recomputing. Does not: what the metrics
mean (`count_scores`, `hotspot_accuracy`, `discrimination`, `calibration`), drawing weeks
(`bootstrap`).

A resample is a row of `draws`, how often it holds each week, so a metric needs only:

* sums by week, for whatever is a ratio of sums;
* for AUC, the pairs won between positives of one week and negatives of another, since each pair
  counts by the product of its weeks' tallies: (W, W) whole numbers, then a quadratic form;
* for average precision, tallies by week at each positive's expectation;
* for the calibration slope, cell-days by week in bins of log(expected). The bins are `BIN_WIDTH`
  wide and stand at the mean of their members; the point value needs no bins and uses none.

The tests hold all of it to a literal resample-and-recompute.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.evaluation.bootstrap import ratio_replicates, sum_by_week, week_of_day
from htrisk_dagster.evaluation.calibration import solve_slope
from htrisk_dagster.evaluation.count_scores import (
    deviance_terms,
    information_terms,
    log_score_terms,
)
from htrisk_dagster.evaluation.hotspot_accuracy import (
    counts_in_best_order,
    counts_in_forecast_order,
)
from htrisk_dagster.evaluation.occurrence_scores import brier_terms, log_loss_terms
from htrisk_dagster.evaluation.pairs import cells_in_budget

Array = NDArray[np.float64]

BIN_WIDTH = 0.01
# Thresholds of average precision taken at once: 4,096 x 500 resamples are 16 MB an array.
_CHUNK = 4096


def sum_replicates(
    counts: Array, expected: Array, reference: Array, draws: Array
) -> dict[str, Array]:
    """Replicates of the metrics that are ratios of sums over cell-days, by name, each (R,)."""
    error = counts - expected

    def weekly(terms: Array) -> Array:
        return sum_by_week(terms.sum(axis=1))

    cell_days = weekly(np.ones_like(counts))
    events = weekly(counts)
    return {
        "poisson_deviance": ratio_replicates(
            draws, weekly(deviance_terms(counts, expected)), cell_days
        ),
        "poisson_log_score": ratio_replicates(
            draws, weekly(log_score_terms(counts, expected)), cell_days
        ),
        "brier": ratio_replicates(draws, weekly(brier_terms(counts, expected)), cell_days),
        "log_loss": ratio_replicates(draws, weekly(log_loss_terms(counts, expected)), cell_days),
        "information_gain_bits": ratio_replicates(
            draws, weekly(information_terms(counts, expected, reference)), events
        ),
        "prevalence": ratio_replicates(draws, weekly((counts > 0).astype(np.float64)), cell_days),
        "expected_over_observed": ratio_replicates(draws, weekly(expected), events),
        "mae": ratio_replicates(draws, weekly(np.abs(error)), cell_days),
        "rmse": np.sqrt(ratio_replicates(draws, weekly(np.square(error)), cell_days)),
    }


def hotspot_replicates(
    counts: Array, expected: Array, draws: Array, *, shares: dict[str, float], pei_share: str
) -> dict[str, Array]:
    """Replicates of PAI and hit rate at each share and of PEI* at one, by name, each (R,)."""
    hits = sum_by_week(counts_in_forecast_order(counts, expected).cumsum(axis=1))
    n_cells = counts.shape[1]
    found = {}
    for label, share in shares.items():
        taken = cells_in_budget(n_cells, share)
        rate = ratio_replicates(draws, hits[:, taken - 1], hits[:, -1])
        found[f"hit_rate_{label}"] = rate
        found[f"pai_{label}"] = rate * n_cells / taken
    taken = cells_in_budget(n_cells, shares[pei_share])
    best = sum_by_week(counts_in_best_order(counts)[:, :taken].sum(axis=1))
    found[f"pei_star_{pei_share}"] = ratio_replicates(draws, hits[:, taken - 1], best)
    return found


def auc_replicates(
    counts: Array, expected: Array, draws: Array, *, block: NDArray[np.int64] | None = None
) -> Array:
    """ROC AUC in each resample, shape (R,); NaN where it has no positive or no negative.

    Blocks are weeks, or as `block`, shape (D,), numbers each day's.
    """
    weeks = week_of_day(len(counts)) if block is None else block
    is_positive = counts > 0
    n_weeks = draws.shape[1]
    week_of_positive = np.broadcast_to(weeks[:, None], counts.shape)[is_positive]
    at_positive = expected[is_positive]
    # Twice the pairs won, ties counting one: whole numbers, exact in float64.
    won = np.zeros((n_weeks, n_weeks))
    negatives = np.zeros(n_weeks)
    for week in range(n_weeks):
        in_week = weeks == week
        below = np.sort(expected[in_week][~is_positive[in_week]])
        negatives[week] = below.size
        twice = np.searchsorted(below, at_positive, "left") + np.searchsorted(
            below, at_positive, "right"
        )
        won[:, week] = np.bincount(week_of_positive, weights=twice, minlength=n_weeks)
    positives = np.bincount(week_of_positive, minlength=n_weeks).astype(np.float64)
    pairs = 2 * (draws @ positives) * (draws @ negatives)
    total = ((draws @ won) * draws).sum(axis=1)
    return np.where(pairs > 0, total / np.where(pairs > 0, pairs, 1.0), np.nan)


def average_precision_replicates(counts: Array, expected: Array, draws: Array) -> Array:
    """Average precision in each resample, shape (R,); NaN where it has no positive."""
    weeks = week_of_day(len(counts))
    is_positive = counts > 0
    at_positive = expected[is_positive]
    week_of_positive = np.broadcast_to(weeks[:, None], counts.shape)[is_positive]
    thresholds = np.unique(at_positive)
    n_weeks = draws.shape[1]
    flagged = np.empty((len(thresholds), n_weeks))
    hits = np.empty_like(flagged)
    for week in range(n_weeks):
        ranked = np.sort(expected[weeks == week], axis=None)
        flagged[:, week] = ranked.size - np.searchsorted(ranked, thresholds, "left")
        ranked_hits = np.sort(at_positive[week_of_positive == week])
        hits[:, week] = ranked_hits.size - np.searchsorted(ranked_hits, thresholds, "left")
    gained = hits - np.append(hits[1:], np.zeros((1, n_weeks)), axis=0)[: len(hits)]
    total = np.zeros(len(draws))
    for start in range(0, len(thresholds), _CHUNK):
        part = slice(start, start + _CHUNK)
        flags = flagged[part] @ draws.T
        precision = (hits[part] @ draws.T) / np.maximum(flags, 1.0)
        total += ((gained[part] @ draws.T) * precision).sum(axis=0)
    n_positive = draws @ np.bincount(week_of_positive, minlength=n_weeks).astype(np.float64)
    return np.where(n_positive > 0, total / np.maximum(n_positive, 1.0), np.nan)


def slope_replicates(counts: Array, expected: Array, draws: Array) -> Array:
    """Calibration slope in each resample, shape (R,); NaN where it has no finite one."""
    x = np.log(expected)
    _, code, size = np.unique(np.round(x / BIN_WIDTH), return_inverse=True, return_counts=True)
    bin_x = np.bincount(code.ravel(), weights=x.ravel()) / size
    n_weeks, n_bins = draws.shape[1], len(size)
    weeks = week_of_day(len(counts))[:, None]
    tally = np.bincount(
        (weeks * n_bins + code.reshape(x.shape)).ravel(), minlength=n_weeks * n_bins
    ).reshape(n_weeks, n_bins)
    events = sum_by_week(counts.sum(axis=1))
    at_events = sum_by_week((counts * x).sum(axis=1))
    return solve_slope(
        bin_x, draws @ tally.astype(np.float64), ratio_replicates(draws, at_events, events)
    )
