"""Reports by day and precinct of the offences that are published at the station house.

Belongs here: which offences these are by a cutoff, and their counts as known then. Does not: the
guard (`grid/location_quality.py`), the forecast (`models/precinct_day.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.grid.location_quality import station_house_groups
from htrisk_dagster.grid.panel import count_panel


@dataclass(frozen=True)
class PrecinctReports:
    """Counts of one window.

    Parameters
    ----------
    days : datetime64[D], shape (D,)
        Days of report, ending on the day before the cutoff.
    precincts : int32, shape (P,)
    borough_index : int64, shape (P,)
        0-based borough of each precinct.
    counts : dict of str to int64, shape (D, P)
        Of each offence group that is published at the station house; none where there is none.
    others : int64, shape (P,)
        Reports of all other groups in the window.
    """

    days: NDArray[np.datetime64]
    precincts: NDArray[np.int32]
    borough_index: NDArray[np.int64]
    counts: dict[str, NDArray[np.int64]]
    others: NDArray[np.int64]


def precinct_reports(
    incidents: pl.DataFrame, cells: pl.DataFrame, first: date, cutoff: date
) -> PrecinctReports:
    """Count what was reported from `first` to the day before `cutoff`.

    Parameters
    ----------
    incidents : DataFrame
        `schemas.grid.INCIDENT_CELLS` of one source; rows from `cutoff` on are not looked at.
    cells : DataFrame
        `schemas.grid.CELLS`.
    first, cutoff : date

    Returns
    -------
    PrecinctReports
        A report without a known precinct counts nowhere.
    """
    places = (
        cells.group_by("precinct").agg(pl.col("borough").mode().sort().first()).sort("precinct")
    )
    precincts = places["precinct"].to_numpy()
    known = incidents.filter(pl.col("reported_on").is_between(first, cutoff, closed="left"))
    inside = known.filter(pl.col("precinct").is_in(places["precinct"].implode()))
    n_days = (cutoff - first).days
    groups = station_house_groups(known)

    def panel(rows: pl.DataFrame) -> NDArray[np.int64]:
        day = (rows["reported_on"] - first).dt.total_days().to_numpy()
        place = np.searchsorted(precincts, rows["precinct"].to_numpy())
        return count_panel(day, place, n_days, len(precincts)).astype(np.int64)

    others = panel(inside.filter(~pl.col("offence_group").is_in(groups)))
    return PrecinctReports(
        days=np.datetime64(first, "D") + np.arange(n_days),
        precincts=precincts,
        borough_index=places["borough"].rank("dense").to_numpy().astype(np.int64) - 1,
        counts={group: panel(inside.filter(offence_group=group)) for group in groups},
        others=others.sum(axis=0),
    )


def window_start(start: date, cutoff: date, window_days: int) -> date:
    """First day of a window of at most `window_days` before `cutoff`, within a source's history."""
    return max(start, cutoff - timedelta(days=window_days))
