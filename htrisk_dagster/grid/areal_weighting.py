"""From areas to cells by where people live: counts are split, rates averaged, brackets give medians.

Belongs here: areal weighting with tax lots as the bridge, and the margins of error it carries. Does
not: which variable is a count or a rate (`context_tables`), points (`Grid.cell_of`).

Plain areal weighting spreads the residents of an area over its parks and piers. Here the weight of a
cell in an area is the residents of the tax lots that the two share (dasymetric mapping: Mennis 2003,
"Generating surface models of population", The Professional Geographer 55; with lots: Maantay,
Maroko and Herrmann 2007, Cartography and Geographic Information Science 34).

Margins of error follow the Census Bureau's rule for sums, the root of the sum of squares (ACS General
Handbook 2020, chapter 8), with shares taken as known: they hold the survey's error, not the
weighting's, and as if areas were independent.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.grid.cells import Grid
from htrisk_dagster.schemas.context import CELL_NEIGHBOURHOODS

_RESIDENTS = "residents_count"


def cells_of_lots(lots: pl.DataFrame, grid: Grid) -> NDArray[np.int32]:
    """Cell of each lot; one that `Grid.cell_of` cannot place goes to the nearest centre.

    No resident is lost: a lot on a pier two squares off the grid still has its people.

    Parameters
    ----------
    lots : DataFrame
        With `lon` and `lat`.

    Returns
    -------
    int32, shape (n,)
    """
    from pyproj import Transformer
    from scipy.spatial import KDTree

    lon, lat = lots["lon"].to_numpy(), lots["lat"].to_numpy()
    cell = grid.cell_of(lon, lat)
    astray = np.flatnonzero(cell < 0)
    if astray.size:
        project = Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True)
        centres = grid.cells.select("x_m", "y_m").to_numpy()
        points = np.column_stack(project.transform(lon[astray], lat[astray]))
        cell[astray] = KDTree(centres).query(points)[1]
    return cell


def shared_lots(lots: pl.DataFrame, grid: Grid) -> pl.DataFrame:
    """Residents and number of the lots that a cell and a neighbourhood share.

    Parameters
    ----------
    lots : DataFrame
        `schemas.context_sources.TAX_LOTS`; a lot without a neighbourhood is left out.

    Returns
    -------
    DataFrame
        `schemas.context.CELL_NEIGHBOURHOODS`.
    """
    placed = lots.with_columns(cell_id=pl.Series(cells_of_lots(lots, grid), dtype=pl.Int32))
    shared = (
        placed.drop_nulls("neighbourhood")
        .sort("cell_id", "neighbourhood", _RESIDENTS)
        .group_by("cell_id", "neighbourhood", maintain_order=True)
        .agg(pl.col(_RESIDENTS).sum(), pl.len().alias("lots_count"))
    )
    return CELL_NEIGHBOURHOODS.conform(shared)


def split_counts(shared: pl.DataFrame, counts: pl.DataFrame) -> pl.DataFrame:
    """Split counts of neighbourhoods over their cells by residents.

    A neighbourhood without any resident, such as an airport, is split by lots. One without a lot has
    no cell to go to, and its count is not in the result.

    Parameters
    ----------
    shared : DataFrame
        `schemas.context.CELL_NEIGHBOURHOODS`.
    counts : DataFrame
        neighbourhood, variable, value and margin_of_error.

    Returns
    -------
    DataFrame
        cell_id, variable, value and margin_of_error (missing where any part has none). Cells sum to
        the neighbourhoods.
    """
    of_area = pl.col(_RESIDENTS).sum().over("neighbourhood")
    by_lots = pl.col("lots_count") / pl.col("lots_count").sum().over("neighbourhood")
    share = pl.when(of_area > 0).then(pl.col(_RESIDENTS) / of_area).otherwise(by_lots)
    parts = shared.with_columns(share.alias("share")).filter(pl.col("share") > 0)
    return _combined(parts.join(counts, on="neighbourhood"), divide=False)


def average_rates(shared: pl.DataFrame, rates: pl.DataFrame) -> pl.DataFrame:
    """Mean of the neighbourhoods' rates in a cell, weighted by the residents they share with it.

    Parameters
    ----------
    shared : DataFrame
        `schemas.context.CELL_NEIGHBOURHOODS`.
    rates : DataFrame
        neighbourhood, variable, value and margin_of_error.

    Returns
    -------
    DataFrame
        As of `split_counts`; a cell without residents has no row.
    """
    parts = shared.filter(pl.col(_RESIDENTS) > 0).rename({_RESIDENTS: "share"})
    return _combined(parts.join(rates, on="neighbourhood"), divide=True)


def _combined(parts: pl.DataFrame, *, divide: bool) -> pl.DataFrame:
    share, margin = pl.col("share"), pl.col("margin_of_error")
    total = share.sum() if divide else 1.0
    return (
        parts.sort("cell_id", "variable", "neighbourhood")
        .group_by("cell_id", "variable", maintain_order=True)
        .agg(
            ((share * pl.col("value")).sum() / total).alias("value"),
            pl.when(margin.is_not_null().all())
            .then((share * margin).pow(2).sum().sqrt() / total)
            .alias("margin_of_error"),
        )
    )


def interpolated_medians(
    counts: NDArray[np.float64], lower_ends: Sequence[float]
) -> NDArray[np.float64]:
    """Median of values known by bracket only, linear within the bracket of the middle one.

    The Census Bureau's own rule for medians of combined areas, but for brackets so wide that it would
    use Pareto's law; hence an approximation. In the last bracket, which is open, its lower end.

    Parameters
    ----------
    counts : float64, shape (n, B)
        Values in each bracket.
    lower_ends : sequence of float, length B
        Lower end of each bracket, rising.

    Returns
    -------
    float64, shape (n,)
        NaN where nothing is counted.
    """
    lower = np.asarray(lower_ends, dtype=np.float64)
    width = np.append(np.diff(lower), 0.0)
    total = counts.sum(axis=1)
    until = np.cumsum(counts, axis=1)
    middle = total / 2
    bracket = (until < middle[:, None]).sum(axis=1).clip(max=lower.size - 1)
    row = np.arange(len(counts))
    inside = counts[row, bracket]
    before = until[row, bracket] - inside
    with np.errstate(invalid="ignore", divide="ignore"):
        part = np.where(inside > 0, (middle - before) / inside, 0.0)
    return np.where(total > 0, lower[bracket] + part * width[bracket], np.nan)
