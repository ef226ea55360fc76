"""How long before a verified case's report its place was flagged, beside exchanged places.

Belongs here: flags of the 28 days before, their statistics, the permutation. Does not: hit rates on
the day of the report and the release of all counts (`verified_validation`).

Exchanging the places among the cases keeps days and places and breaks their link: a
map that never changes has no lead beyond that null.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.evaluation.daily_ranks import DailyRanks
from htrisk_dagster.evaluation.measured_cases import REASONS, WINDOW_DAYS, MeasuredCases
from htrisk_dagster.evaluation.pairs import cells_in_budget
from htrisk_dagster.evaluation.shown_sums import shown_sums
from htrisk_dagster.schemas.verified import LEAD_TIME
from htrisk_dagster.victim_population.published_tables import K

LEAD_BUDGET_PCT = 5.0
N_PERMUTATIONS = 999
_FLAGGED, _NOT_FLAGGED = "flagged", "not flagged"


def flags_before(cases: MeasuredCases, ranks: NDArray[np.integer]) -> NDArray[np.bool_] | None:
    """Whether the place of each case of the window was flagged 1 to 28 days before.

    Parameters
    ----------
    cases : MeasuredCases
    ranks : int, shape (D, C)
        Of one model.

    Returns
    -------
    bool, shape (m, 28), or None
        Of the m cases of `is_measured`, the day before first; None where there is none.
    """
    if not cases.is_measured.any():
        return None
    rows, cell = cases.window_rows[cases.is_measured], cases.cell[cases.is_measured]
    return np.asarray(ranks[rows, cell[:, None]] <= _flagged_cells(ranks))


def lead_words(cases: MeasuredCases, flagged: NDArray[np.bool_] | None) -> pl.Series:
    """Whether each case was flagged at all in the window, or why it is not measured.

    Parameters
    ----------
    cases : MeasuredCases
    flagged : bool, shape (m, 28), or None
        Of `flags_before`.
    """
    words = cases.reason.copy()
    if flagged is not None:
        words[cases.is_measured] = np.where(flagged.any(axis=1), _FLAGGED, _NOT_FLAGGED)
    return pl.Series(words, dtype=pl.String)


def _flagged_cells(ranks: NDArray[np.integer]) -> int:
    return cells_in_budget(ranks.shape[1], LEAD_BUDGET_PCT / 100)


def _first_flagged(flagged: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Days before the report of the earliest flag in the window, 0 where there is none."""
    earliest = WINDOW_DAYS - np.argmax(flagged[:, ::-1], axis=1)
    return np.where(flagged.any(axis=1), earliest, 0)


def lead_rows(
    model: str,
    cells: Mapping[str, int | None],
    cases: MeasuredCases,
    flagged: NDArray[np.bool_] | None,
    maps: DailyRanks,
    *,
    seed: int,
) -> list[dict[str, object]]:
    """Statistics of the leads; only where enough cases were flagged, and enough were not.

    Parameters
    ----------
    model : str
        A key of `maps.ranks`.
    cells : mapping of str to int or None
        Published counts of `lead_words`.
    cases : MeasuredCases
    flagged : bool, shape (m, 28), or None
        Of `flags_before`.
    maps : DailyRanks
    seed : int
        Of the permutations.

    Returns
    -------
    list of dict
        Rows of `schemas.verified.LEAD_TIME`; p-values are one-sided and count the observed
        arrangement among the permutations (Phipson and Smyth 2010).
    """
    ranks = maps.ranks[model]
    names = ("flagged_pct", "first_flagged_days", "last_flagged_days")
    found, located = shown_sums(cells, (_FLAGGED, _NOT_FLAGGED), REASONS)
    blank: dict[str, object] = dict.fromkeys(LEAD_TIME.column_names)
    rows = [blank | {"model": model, "statistic": n, "located_count": located} for n in names]
    if flagged is None or found is None or located is None or found < K:
        return rows
    windows, cell = cases.window_rows[cases.is_measured], cases.cell[cases.is_measured]
    values = _lead_statistics(flagged)
    rng = np.random.default_rng(seed)
    limit = _flagged_cells(ranks)
    exchanged = np.array(
        [
            _lead_statistics(ranks[windows, rng.permutation(cell)[:, None]] <= limit)
            for _ in range(N_PERMUTATIONS)
        ]
    )
    days, times = np.unique(windows[:, 0], return_counts=True)
    anywhere = [
        (ranks[windows[windows[:, 0] == day][0]] <= limit).any(axis=0).mean() for day in days
    ]
    for i, row in enumerate(rows):
        null = exchanged[:, i][np.isfinite(exchanged[:, i])]
        low, high = np.quantile(null, [0.025, 0.975])
        as_great = int((null >= values[i] - 1e-12).sum())
        row |= {
            "value": values[i],
            "exchanged_mean": float(null.mean()),
            "exchanged_lower_95": float(low),
            "exchanged_upper_95": float(high),
            "p_value_prob": (1 + as_great) / (1 + len(null)),
        }
    rows[0]["random_place_value"] = 100 * float(np.average(anywhere, weights=times))
    return rows


def _lead_statistics(flagged: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Per cent flagged in the window; median days of the first and of the last flag, rounded."""
    any_ = flagged.any(axis=1)
    if not any_.any():
        return 0.0, np.nan, np.nan
    first = _first_flagged(flagged)[any_]
    last = np.argmax(flagged[any_], axis=1) + 1
    return (
        100 * float(any_.mean()),
        float(np.rint(np.median(first))),
        float(np.rint(np.median(last))),
    )
