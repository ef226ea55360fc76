"""Verified cases as counts, and the one door by which any count of them leaves its store.

Belongs here: `release`, counts by borough and period, and which points are too coarse for a cell.
Does not: any join with forecasts (`verified_validation`), how counts are hidden
(`victim_population/suppression.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from htrisk_dagster.evaluation.release_periods import finest, starts
from htrisk_dagster.grid.cells import Grid
from htrisk_dagster.grid.location_quality import at_centroid
from htrisk_dagster.schemas.staging import VERIFIED_CASE_COUNTS
from htrisk_dagster.sources.canary_case import without_canary
from htrisk_dagster.victim_population.published_tables import ALL, K, PublishedTable, TableSpec
from htrisk_dagster.victim_population.suppression import publish

BY_PERIOD = TableSpec("verified_case_counts", ("borough", "period"))
UNKNOWN_BOROUGH = "unknown"
DAY = "%Y-%m-%d"
# A point with this many rows and this share of them stands for an area, whatever the publisher
# calls it: of a real file 80% of rows sit on three points. A hotel with one case in twenty would
# be lost too, which costs a little recall and invents none.
COARSE_ROWS = 5
COARSE_SHARE = 0.05
_POINT_DECIMALS = 4  # about 10 m


def place_cases(
    cases: pl.DataFrame, grid: Grid, *, boroughs: pl.DataFrame, precincts: pl.DataFrame
) -> pl.DataFrame:
    """Say of each case what its point can be used for. The result is as restricted as the cases.

    Parameters
    ----------
    cases : DataFrame
        `schemas.raw.VERIFIED_CASES`; the planted case among them goes no further.
    grid : Grid
    boroughs, precincts : DataFrame
        `schemas.raw.BOROUGHS` and `PRECINCTS`, for their centroids.

    Returns
    -------
    DataFrame
        reported_on, borough (`unknown` off the grid), place (exact, coarse or none), and cell_id,
        missing unless exact, in the order of the cases.
    """
    cases = without_canary(cases)
    lon, lat = (cases[c].fill_null(np.nan).to_numpy() for c in ("lon", "lat"))
    cell = pl.Series("cell_id", grid.cell_of(lon, lat), dtype=pl.Int32)
    point = pl.struct(pl.col("lon").round(_POINT_DECIMALS), pl.col("lat").round(_POINT_DECIMALS))
    at_point = pl.len().over(point)
    is_placed = pl.col("cell_id") >= 0
    is_heap = (at_point >= COARSE_ROWS) & (at_point >= COARSE_SHARE * is_placed.sum())
    is_coarse = is_heap | pl.Series(at_centroid(lon, lat, boroughs, precincts))
    placed = cases.with_columns(cell).with_columns(
        pl.when(~is_placed)
        .then(pl.lit("none"))
        .when(is_coarse)
        .then(pl.lit("coarse"))
        .otherwise(pl.lit("exact"))
        .alias("place")
    )
    by_cell = grid.cells.select("cell_id", "borough")
    return placed.join(by_cell, on="cell_id", how="left", maintain_order="left").select(
        "reported_on",
        pl.col("borough").fill_null(UNKNOWN_BOROUGH),
        "place",
        pl.when(pl.col("place") == "exact").then(pl.col("cell_id")).alias("cell_id"),
    )


def release(
    records: pl.DataFrame,
    specs: Sequence[TableSpec],
    known_empty: Sequence[tuple[str, str]] = (),
) -> list[PublishedTable]:
    """Publish tables of all cases with k = 11 and complementary suppression.

    Releases that share no column share the number of all cases. It is shown in each or in none:
    where hiding a small count would take it, no cell of the release is shown.

    Parameters
    ----------
    records : DataFrame
        One row a case, every case of the file.
    specs, known_empty
        See `victim_population.suppression.publish`; every table has its margins.

    Returns
    -------
    list of PublishedTable
        Without cells where there is no case.
    """
    if records.is_empty():
        note = "Not published: there is no record."
        empty = [pl.DataFrame(schema=dict.fromkeys(s.dimensions, pl.String)) for s in specs]
        return [
            PublishedTable(s, 0, e.with_columns(count=pl.lit(None, pl.Int64)), note)
            for s, e in zip(specs, empty, strict=True)
        ]
    tables = publish(records, specs, known_empty=known_empty)
    totals = [
        table.cells.filter(pl.all_horizontal(pl.col(d) == ALL for d in table.spec.dimensions))
        for table in tables
    ]
    if all(total["count"].is_not_null().all() for total in totals):
        return tables
    note = "Not published: no count could be shown without the number of all cases being hidden."
    return [PublishedTable(t.spec, t.k, t.cells.clear(), note) for t in tables]


def count_by_borough_period(placed: pl.DataFrame) -> pl.DataFrame:
    """Count cases by borough and period of report, with totals.

    Parameters
    ----------
    placed : DataFrame
        Of `place_cases`.

    Returns
    -------
    DataFrame
        `schemas.staging.VERIFIED_CASE_COUNTS`: every borough with a case in every period with one,
        zeros shown, 1 to 10 and their complements missing; no row where nothing can be shown.
    """
    months = finest(placed["reported_on"], placed["borough"].n_unique(), least=K)
    period = starts(pl.col("reported_on"), months).dt.strftime(DAY)
    cells = release(placed.select("borough", period=period), [BY_PERIOD])[0].cells
    on = pl.when(pl.col("period") != ALL).then(pl.col("period")).str.to_date(DAY)
    length = pl.when(pl.col("period") != ALL).then(months).cast(pl.Int32)
    return VERIFIED_CASE_COUNTS.conform(
        cells.select(
            "borough",
            period_on=on,
            months_count=length,
            cases_count="count",
        )
    ).sort("borough", "period_on", nulls_last=True)
