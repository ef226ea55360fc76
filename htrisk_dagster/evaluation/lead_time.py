"""How long before a verified case's report its place was flagged, beside exchanged places.

Belongs here: flags of the 28 days before, their statistics, the permutation. Does not: hit rates on
the day of the report and the release of all counts (`verified_validation`).

A case is measurable where its point is exact and the day of its report and the 28 days before all
have a map. Exchanging the places among the cases keeps days and places and breaks their link: a
map that never changes has no lead beyond that null.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.evaluation.daily_ranks import DailyRanks
from htrisk_dagster.evaluation.pairs import cells_in_budget
from htrisk_dagster.evaluation.shown_sums import shown_sums
from htrisk_dagster.evaluation.verified_counts import COARSE, NO_MAP, NO_PLACE, with_reasons
from htrisk_dagster.schemas.verified import LEAD_TIME
from htrisk_dagster.victim_population.published_tables import K

LEAD_BUDGET_PCT = 5.0
WINDOW_DAYS = 28
N_PERMUTATIONS = 999
_LEADS = {"1 to 7 days": 7, "8 to 14 days": 14, "15 to 28 days": WINDOW_DAYS}
_NOT_FLAGGED, _FEW_MAPS = "not flagged", "few maps"


def flags_before(
    placed: pl.DataFrame, maps: DailyRanks, ranks: NDArray[np.integer]
) -> NDArray[np.bool_] | None:
    """Whether the place of each measurable case was flagged 1 to 28 days before.

    Parameters
    ----------
    placed : DataFrame
        `verified_counts.place_cases`.
    maps : DailyRanks
    ranks : int, shape (D, C)
        Of one model.

    Returns
    -------
    bool, shape (n, 28), or None
        The day before first; None where no case is measurable.
    """
    rows, cell = _windows(placed, maps)
    if not len(rows):
        return None
    return np.asarray(ranks[rows, cell[:, None]] <= _flagged_cells(ranks))


def _flagged_cells(ranks: NDArray[np.integer]) -> int:
    return cells_in_budget(ranks.shape[1], LEAD_BUDGET_PCT / 100)


def _windows(placed: pl.DataFrame, maps: DailyRanks) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
    """Rows of the 28 maps before each measurable case, shape (n, 28), and its cell, shape (n,)."""
    measurable = _measurable(placed, maps)
    of_case = placed.filter(pl.Series(measurable))
    return _window_rows(of_case, maps), of_case["cell_id"].to_numpy()


def _window_rows(placed: pl.DataFrame, maps: DailyRanks) -> NDArray[np.intp]:
    day = placed["reported_on"].to_numpy().astype("datetime64[D]")
    before = np.arange(1, WINDOW_DAYS + 1).astype("timedelta64[D]")
    return maps.row_of(np.asarray(day[:, None] - before, dtype="datetime64[D]"))


def _measurable(placed: pl.DataFrame, maps: DailyRanks) -> NDArray[np.bool_]:
    day = placed["reported_on"].to_numpy().astype("datetime64[D]")
    whole = (maps.row_of(day) >= 0) & (_window_rows(placed, maps) >= 0).all(axis=1)
    return np.asarray(whole & (placed["place"] == "exact").to_numpy())


def lead_words(
    placed: pl.DataFrame,
    maps: DailyRanks,
    flagged: NDArray[np.bool_] | None,
) -> pl.Series:
    """How long before the report the place of each case was first flagged, in words.

    Parameters
    ----------
    placed : DataFrame
        `verified_counts.place_cases`.
    maps : DailyRanks
    flagged : bool, shape (n, 28), or None
        Of `flags_before`.
    """
    day = placed["reported_on"].to_numpy().astype("datetime64[D]")
    # Cases with a map on the day and too few before have a word, and so a protected count, of their
    # own: it is the difference between the located cases of the two tables.
    words = np.where(maps.row_of(day) >= 0, _FEW_MAPS, NO_MAP).astype(object)
    if flagged is not None:
        first = _first_flagged(flagged)
        names = np.array([_NOT_FLAGGED, *_LEADS], dtype=object)
        which = np.searchsorted([0, *_LEADS.values()], first)
        words[_measurable(placed, maps)] = names[which]
    return with_reasons(placed, words)


def _first_flagged(flagged: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Days before the report of the earliest flag in the window, 0 where there is none."""
    earliest = WINDOW_DAYS - np.argmax(flagged[:, ::-1], axis=1)
    return np.where(flagged.any(axis=1), earliest, 0)


def lead_rows(
    model: str,
    cells: Mapping[str, int | None],
    placed: pl.DataFrame,
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
    placed : DataFrame
        `verified_counts.place_cases`.
    flagged : bool, shape (n, 28), or None
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
    found, located = shown_sums(
        cells, (*_LEADS, _NOT_FLAGGED), (NO_MAP, _FEW_MAPS, COARSE, NO_PLACE)
    )[-2:]
    blank: dict[str, object] = dict.fromkeys(LEAD_TIME.column_names)
    rows = [blank | {"model": model, "statistic": n, "located_count": located} for n in names]
    if flagged is None or found is None or located is None or found < K:
        return rows
    windows, cell = _windows(placed, maps)
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
