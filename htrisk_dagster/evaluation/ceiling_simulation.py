"""What chance does to every metric on a finite block: scores of counts drawn from the intensity.

Belongs here: drawing counts from a known intensity, scoring forecasts on each draw, and the
ceiling's rows of the comparison. Does not: expectations in closed form (`ceilings`).

A model above the ceiling's expectation may be lucky; one above the band of 200 draws has probably
seen what it was to forecast. Counts are drawn as events, not cell by cell: the number of events is
Poisson and each falls on a cell-day with probability proportional to its intensity. A draw then
costs as many steps as there are events, and 200 draws of a rare event a second. A negative binomial
is a Poisson number of clusters, each of a logarithmic number of incidents (Quenouille 1949), drawn
in the same way. Scores are sums over the cell-days that were hit, so none visits the others.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from htrisk_dagster.evaluation.bootstrap import percentile_interval
from htrisk_dagster.evaluation.ceilings import checked_intensity
from htrisk_dagster.evaluation.comparison import INFORMATION_GAIN, SHARES
from htrisk_dagster.evaluation.pairs import cells_in_budget, checked_pair
from htrisk_dagster.schemas.predictions import MODEL_COMPARISON

Array = NDArray[np.float64]
N_DRAWS = 200


def draw_hits(
    intensity: Array, *, size: float = math.inf, n_draws: int, seed: int
) -> Iterator[tuple[NDArray[np.int64], Array]]:
    """Draw blocks of counts.

    Yields
    ------
    hit : int64, shape (n,)
        Flat indices of the cell-days with an incident, in order.
    count : float64, shape (n,)
        Incidents of each, 1 or more.
    """
    rng = np.random.default_rng(seed)
    flat = intensity.ravel()
    clusters = flat if math.isinf(size) else size * np.log1p(flat / size)
    upto = np.cumsum(clusters)
    for _ in range(n_draws):
        n = int(rng.poisson(upto[-1]))
        at = np.searchsorted(upto, rng.random(n) * upto[-1], side="right")
        at = np.minimum(at, flat.size - 1)  # a draw within rounding of the end
        each = np.ones(n) if math.isinf(size) else rng.logseries(flat[at] / (size + flat[at]))
        hit, of = np.unique(at, return_inverse=True)
        yield hit, np.bincount(of, weights=each, minlength=hit.size).astype(np.float64)


class _Scored:
    """One forecast, prepared so that a draw is scored from the cell-days it hit."""

    def __init__(self, expected: Array, reference: Array) -> None:
        n_days, n_cells = expected.shape
        flat = self.expected = expected.ravel()
        _, code, size = np.unique(flat, return_inverse=True, return_counts=True)
        upto = np.cumsum(size)
        # Ties share their mean rank, as in the AUC, and one threshold, as in average precision.
        self.mean_rank = (upto - (size - 1) / 2)[code]
        self.flagged = (flat.size - upto + size)[code]
        order = np.argsort(-expected, axis=1, kind="stable")
        rank = np.empty(expected.shape, dtype=np.int64)
        np.put_along_axis(rank, order, np.broadcast_to(np.arange(n_cells), order.shape), axis=1)
        self.day_rank = rank.ravel()
        self.taken = {label: cells_in_budget(n_cells, share) for label, share in SHARES.items()}
        self.shape = (n_days, n_cells)
        self.log_expected, self.p = np.log(flat), -np.expm1(-flat)
        self.total = float(flat.sum())
        self.squares = float(np.square(flat).sum())
        self.p_squares = float(np.square(self.p).sum())
        self.log_ratio = self.log_expected - np.log(reference.ravel())
        self.excess = float(reference.sum()) - self.total

    def of(self, hit: NDArray[np.int64], count: Array) -> dict[str, float]:
        from scipy.special import gammaln, xlogy

        n, n_hit = self.expected.size, hit.size
        events = float(count.sum())
        at, p = self.expected[hit], self.p[hit]
        linear = float(count @ self.log_expected[hit])
        flagged = np.sort(self.flagged[hit])
        found = np.searchsorted(flagged, flagged, side="right")
        won = float(self.mean_rank[hit].sum()) - n_hit * (n_hit + 1) / 2
        nats = float(gammaln(count + 1).sum()) - linear + self.total
        scores = {
            "poisson_deviance": 2 * (float(xlogy(count, count).sum()) - linear - events + self.total) / n,
            "poisson_log_score": nats / n,
            "average_precision": float((found / flagged).mean()) if n_hit else math.nan,
            "prevalence": n_hit / n,
            "auc": won / (n_hit * (n - n_hit)) if 0 < n_hit < n else math.nan,
            "brier": (self.p_squares + float((1 - 2 * p).sum())) / n,
            "log_loss": (self.total - float((np.log(p) + at).sum())) / n,
            "expected_over_observed": self.total / events if events else math.nan,
            "mae": (self.total + float((np.abs(count - at) - at).sum())) / n,
            "rmse": math.sqrt((self.squares + float((count * (count - 2 * at)).sum())) / n),
        }  # fmt: skip
        bits = (float(count @ self.log_ratio[hit]) + self.excess) / math.log(2)
        scores[INFORMATION_GAIN] = bits / events if events else math.nan
        for label, taken in self.taken.items():
            hits = float(count[self.day_rank[hit] < taken].sum())
            rate = hits / events if events else math.nan
            scores[f"hit_rate_{label}"] = rate
            scores[f"pai_{label}"] = rate * self.shape[1] / taken
        return scores


def simulated_scores(
    intensity: ArrayLike,
    forecasts: Mapping[str, ArrayLike],
    *,
    reference: ArrayLike,
    size: float = math.inf,
    n_draws: int = N_DRAWS,
    seed: int,
) -> dict[str, dict[str, Array]]:
    """Score forecasts on counts drawn from the true intensity; all meet the same draws.

    Parameters
    ----------
    intensity : array, shape (D, C)
        What counts are drawn from; times the day's shock where the real block had one.
    forecasts : dict of str to array (D, C)
        Expected counts by name, the intensity itself among them where its ceiling is wanted.
    reference : array, shape (D, C)
        What information gain refers to.
    size : float
        Size r of the negative binomial that counts are drawn from; inf is the Poisson.

    Returns
    -------
    dict of str to dict of str to float64 (n_draws,)
        By forecast and metric, with the metrics' names in the comparison. PEI* and the calibration
        slope are left out: a ceiling of 1 says nothing new.
    """
    true = checked_intensity(intensity)
    _, base = checked_pair(np.zeros_like(true), reference)
    prepared = {
        name: _Scored(checked_pair(np.zeros_like(true), values)[1], base)
        for name, values in forecasts.items()
    }
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in prepared}
    for hit, count in draw_hits(true, size=size, n_draws=n_draws, seed=seed):
        for name, scored in prepared.items():
            rows[name].append(scored.of(hit, count))
    return {
        name: {metric: np.array([r[metric] for r in found]) for metric in found[0]}
        for name, found in rows.items()
    }


def ceiling_rows(
    intensity: ArrayLike,
    ceilings: Mapping[str, ArrayLike],
    *,
    reference: ArrayLike,
    active: NDArray[np.bool_],
    size: float = math.inf,
    n_draws: int = N_DRAWS,
    seed: int,
) -> pl.DataFrame:
    """Rows of ceilings for the table of models.

    Parameters
    ----------
    intensity : array, shape (D, C)
        What counts are drawn from.
    ceilings : dict of str to array (D, C)
        Forecasts of those who know more than a model can, such as `ceiling_omniscient`.
    reference : array, shape (D, C)
        The historical mean's forecast.
    active : bool, shape (C,)
        Cells of the mask `active`; the mask `land` is all cells.

    Returns
    -------
    DataFrame
        `schemas.predictions.MODEL_COMPARISON`. `value` is the expectation over the draws and the
        interval the band within which 95% of them fall, not a bootstrap of the counts that came.
    """
    true = checked_intensity(intensity)
    base = np.asarray(reference, dtype=np.float64)
    rows: list[dict[str, object]] = []
    for mask, cells in (("active", active), ("land", np.ones_like(active))):
        chosen = {name: np.asarray(v)[:, cells] for name, v in ceilings.items()}
        scores = simulated_scores(
            true[:, cells],
            {**chosen, "": base[:, cells]},
            reference=base[:, cells],
            size=size,
            n_draws=n_draws,
            seed=seed,
        )
        rows += [
            {"model": name, "mask": mask, "metric": metric, **_row(draws, scores[""][metric])}
            for name in ceilings
            for metric, draws in scores[name].items()
        ]
    return MODEL_COMPARISON.conform(pl.DataFrame(rows, infer_schema_length=None))


def _row(own: Array, other: Array) -> dict[str, float | None]:
    difference = own - other
    low, high = percentile_interval(own)
    difference_low, difference_high = percentile_interval(difference)
    numbers = {
        "value": float(np.nanmean(own)) if np.isfinite(own).any() else math.nan,
        "lower_95": low,
        "upper_95": high,
        "difference": float(np.nanmean(difference)) if np.isfinite(difference).any() else math.nan,
        "difference_lower_95": difference_low,
        "difference_upper_95": difference_high,
    }
    return {k: v if math.isfinite(v) else None for k, v in numbers.items()}
