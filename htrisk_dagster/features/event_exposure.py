"""Permitted events near a cell: how many are expected within a radius, and on recent days.

Belongs here: from `schemas.staging.EVENTS` to events by precinct, day and cell. Does not: which
lags are features (`catalogue`).

Events are published with a precinct and no point. An event is therefore spread evenly over the
cells of its precinct, and a cell's exposure is an expectation. A permit is published before the
day of the event, so the events of the forecast day itself are known and used. That holds for the
file as it stood then; a copy pulled later may hold permits that were given at the last moment.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.grid.cells import Grid
from htrisk_dagster.grid.neighbours import within_radius
from htrisk_dagster.grid.panel import day_numbers

COVERAGE_DAYS = 28
COVERAGE_MINIMUM_SHARE = 0.9


def events_by_precinct(
    events: pl.DataFrame, precincts: NDArray[np.int32], first_day: int, n_days: int
) -> NDArray[np.float64]:
    """Events that take place on each day in each precinct.

    Parameters
    ----------
    events : DataFrame
        `schemas.staging.EVENTS`; an event of n precincts counts 1/n in each, on every day from
        its first to its last.
    precincts : int32, shape (P,)
        Sorted precinct numbers; events elsewhere are left out.
    first_day : int
        Day number since 1970-01-01 of the first row.
    n_days : int
        T.

    Returns
    -------
    float64, shape (T, P)
    """
    # In an order of their own, so that the order of the rows cannot change the last bit of a sum.
    events = events.sort("starts_on", "ends_on", "precinct", "precinct_share")
    start = np.maximum(day_numbers(events["starts_on"]) - first_day, 0)
    stop = np.minimum(day_numbers(events["ends_on"]) - first_day + 1, n_days)
    number = events["precinct"].to_numpy()
    precinct = np.minimum(np.searchsorted(precincts, number), len(precincts) - 1)
    lasts = np.where(precincts[precinct] == number, np.maximum(stop - start, 0), 0)
    # One row an event and day: events last 31 days at most.
    first_row = np.cumsum(lasts) - lasts
    day = np.repeat(start - first_row, lasts) + np.arange(lasts.sum())
    flat = day * len(precincts) + np.repeat(precinct, lasts)
    share = np.repeat(events["precinct_share"].to_numpy(), lasts)
    total = np.bincount(flat, share, minlength=n_days * len(precincts)).astype(np.float64)
    return total.reshape(n_days, len(precincts))


def covered_days(by_precinct: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Days that the events cover: 90% of the 28 days up to and with the day have an event.

    Where they do not, no event is not known to be none. Later days never decide.

    Parameters
    ----------
    by_precinct : float64, shape (T, P)
        From `events_by_precinct`.

    Returns
    -------
    bool, shape (T - 27,)
        For each day that has 27 before it.
    """
    has_event = (by_precinct.sum(axis=1) > 0).astype(np.int64)
    days = np.lib.stride_tricks.sliding_window_view(has_event, COVERAGE_DAYS).sum(axis=1)
    covered: NDArray[np.bool_] = days >= COVERAGE_MINIMUM_SHARE * COVERAGE_DAYS
    return covered


def events_within(
    by_precinct: NDArray[np.float64],
    grid: Grid,
    precinct_index: NDArray[np.int32],
    radius_m: float,
    *,
    cell_ids: NDArray[np.int64] | None = None,
) -> NDArray[np.float64]:
    """Spread events over their precincts and add up what is expected near each cell.

    Parameters
    ----------
    by_precinct : float64, shape (T, P)
        From `events_by_precinct`.
    grid : Grid
        C cells.
    precinct_index : int32, shape (C,)
        0-based precinct of each cell.
    radius_m : float
        A cell counts where its centre lies within the radius.
    cell_ids : int64, shape (K,), optional
        Cells that are asked for; all without it.

    Returns
    -------
    float64, shape (T, C), or (T, K)
    """
    from scipy.sparse import csr_array

    n_cells, n_precincts = grid.n_cells, by_precinct.shape[1]
    cells_of = np.bincount(precinct_index, minlength=n_precincts)
    of_precinct = csr_array(
        (1.0 / cells_of[precinct_index], (np.arange(n_cells), precinct_index)),
        shape=(n_cells, n_precincts),
    )
    # Share of each precinct's cells within the radius of each cell. Sparse, because a dense
    # product may round differently when more days are made at once.
    near = within_radius(grid, radius_m)
    reached = (near if cell_ids is None else near[cell_ids]) @ of_precinct
    exposure: NDArray[np.float64] = (reached @ by_precinct.T).T
    return exposure
