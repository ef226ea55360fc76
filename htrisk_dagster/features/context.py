"""Context features: places as they were published by each day, each source with its own lag.

Belongs here: from `schemas.context.CELLS` and the daily series by area to one number a cell and day.
Does not: the lags (the study area's file), how a value came to a cell (`grid/context_tables`).

For day D a value counts where it was published before D: its period ended before D minus the lag of its
source. Where nothing is known the feature is NaN, never zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.grid.cells import Grid
from htrisk_dagster.grid.panel import day_numbers
from htrisk_dagster.schemas.context import CELL_VARIABLES
from htrisk_dagster.study_areas.area import ContextPart, DailyPart

_CENSUS = tuple(v for v in CELL_VARIABLES if v not in ("hotels_count", "subway_stations_count"))
# Where several kinds of area have a value for a cell, the smallest wins.
_FINEST_FIRST = ("neighbourhood", "precinct", "borough")


@dataclass(frozen=True, eq=False)
class ContextInputs:
    """What context features are made from.

    Parameters
    ----------
    declared : ContextPart
        Parts that the study area has, with their lags and windows.
    cells : DataFrame
        `schemas.context.CELLS`.
    cell_neighbourhoods : DataFrame
        `schemas.context.CELL_NEIGHBOURHOODS`; the one with most residents is the cell's.
    news : DataFrame
        `schemas.context_sources.NEWS_SENTIMENT`.
    adverts : DataFrame
        `schemas.context_sources.ADVERT_COUNTS`.
    """

    declared: ContextPart
    cells: pl.DataFrame
    cell_neighbourhoods: pl.DataFrame
    news: pl.DataFrame
    adverts: pl.DataFrame


def cell_variables(declared: ContextPart) -> tuple[str, ...]:
    """Variables of `context.cells` that a study area has, in the order of its features."""
    return (
        *(_CENSUS if declared.census else ()),
        *(("hotels_count",) if declared.hotels else ()),
        *(("subway_stations_count",) if declared.subway_stations else ()),
        *(f"places_{c}_count" for c in (declared.places.categories if declared.places else ())),
    )


def context_columns(
    inputs: ContextInputs, grid: Grid, days: NDArray[np.datetime64]
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Name and values, shape (D, C), of every context feature that is declared.

    Parameters
    ----------
    inputs : ContextInputs
        Rows may reach past a day; only what was published before it is used.
    grid : Grid
        C cells.
    days : datetime64[D], shape (D,)
        Consecutive days the forecast is for.
    """
    declared = inputs.declared
    for variable in cell_variables(declared):
        rows = inputs.cells.filter(pl.col("variable") == variable)
        yield variable, newest_published(rows, days, grid.n_cells)
    if declared.news_sentiment:
        yield from _news(inputs, declared.news_sentiment, grid, days)
    if declared.advert_counts:
        yield _adverts(inputs, declared.advert_counts, grid, days)


def newest_published(
    rows: pl.DataFrame, days: NDArray[np.datetime64], n_cells: int
) -> NDArray[np.float64]:
    """Of one variable, the newest period published before each day.

    Parameters
    ----------
    rows : DataFrame
        Rows of `schemas.context.CELLS` of one variable.

    Returns
    -------
    float64, shape (D, C)
        NaN where no period is published yet, and where a cell has no row in the newest.
    """
    periods = rows.select("known_on", "period_on").unique().sort("known_on", "period_on")
    tables = np.full((periods.height + 1, n_cells), np.nan)
    for i, period in enumerate(periods["period_on"], start=1):
        of_period = rows.filter(pl.col("period_on") == period)
        tables[i, of_period["cell_id"].to_numpy()] = of_period["value"].to_numpy()
    known = day_numbers(periods["known_on"])
    number = days.astype("datetime64[D]").astype(np.int64)
    return tables[np.searchsorted(known, number)]


def _news(
    inputs: ContextInputs, part: DailyPart, grid: Grid, days: NDArray[np.datetime64]
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Mean sentiment, share below zero and texts a day, over the window as published."""
    rows = _points_to_precincts(inputs.news, grid)
    texts = pl.col("texts_count").cast(pl.Float64)
    rows = rows.select(
        "area_type",
        "area_id",
        pl.col("published_on").alias("on"),
        texts.alias("texts"),
        (texts * pl.col("sentiment_mean")).alias("polarity"),
        (texts * pl.col("negative_share")).alias("negative"),
    )
    sums = _window_sums(rows, ("texts", "polarity", "negative"), part, inputs, grid, days)
    any_text = np.zeros(len(days), dtype=bool)
    mean, negative, count = (np.full((len(days), grid.n_cells), np.nan) for _ in range(3))
    for n_texts, polarity, below in sums:
        any_text |= (n_texts > 0).any(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(np.isnan(mean), polarity / n_texts, mean)
            negative = np.where(np.isnan(negative), below / n_texts, negative)
        count = np.where(np.isnan(count) & (n_texts > 0), n_texts / part.window_days, count)
    # Where others have news and a cell has none, it is quiet there; where nobody has, nothing is known.
    count = np.where(np.isnan(count) & any_text[:, None], 0.0, count)
    w = part.window_days
    yield f"news_polarity_{w}", mean
    yield f"news_negative_share_{w}", negative
    yield f"news_texts_mean_{w}", count


def _adverts(
    inputs: ContextInputs, part: DailyPart, grid: Grid, days: NDArray[np.datetime64]
) -> tuple[str, NDArray[np.float64]]:
    """Mean adverts a day in the area per cell of it, over the days of the window that were counted."""
    rows = inputs.adverts.select(
        "area_type",
        "area_id",
        pl.col("counted_on").alias("on"),
        pl.col("adverts_count").cast(pl.Float64).alias("adverts"),
        pl.lit(1.0).alias("days"),
    )
    found = np.full((len(days), grid.n_cells), np.nan)
    cells_of = _areas_of_cells(inputs.cell_neighbourhoods, grid)
    sums = _window_sums(rows, ("adverts", "days"), part, inputs, grid, days)
    for kind, (adverts, counted) in zip(_FINEST_FIRST, sums, strict=True):
        n_cells = (
            pl.Series(cells_of[kind]).to_frame("area").select(pl.len().over("area")).to_series()
        )
        with np.errstate(invalid="ignore", divide="ignore"):
            per_cell = adverts / counted / n_cells.to_numpy()
        found = np.where(np.isnan(found), per_cell, found)
    return f"adverts_mean_{part.window_days}", found


def _window_sums(
    rows: pl.DataFrame,
    columns: Sequence[str],
    part: DailyPart,
    inputs: ContextInputs,
    grid: Grid,
    days: NDArray[np.datetime64],
) -> list[tuple[NDArray[np.float64], ...]]:
    """Sums over the window as published before each day, by kind of area, brought to cells.

    Returns
    -------
    list of tuple of float64, shape (D, C)
        One entry a kind, the finest first; one array a column, 0 where there is no row.
    """
    first = int(days[0].astype("datetime64[D]").astype(np.int64))
    w = part.window_days
    # A row of day d is published on d + lag and used after it: the newest at D is D - lag - 1.
    start = first - part.lag_days - w
    n_rows = len(days) + w - 1
    cells_of = _areas_of_cells(inputs.cell_neighbourhoods, grid)
    found = []
    for kind in _FINEST_FIRST:
        areas, of_cell = np.unique(cells_of[kind], return_inverse=True)
        index = {str(area): i for i, area in enumerate(areas)}
        of_kind = rows.filter((pl.col("area_type") == kind) & pl.col("area_id").is_in(list(index)))
        of_kind = of_kind.sort("on", "area_id", *columns)
        day = day_numbers(of_kind["on"]) - start
        inside = (day >= 0) & (day < n_rows)
        area = of_kind["area_id"].replace_strict(index, return_dtype=pl.Int64).to_numpy()
        flat = day[inside] * len(areas) + area[inside]
        sums = []
        for column in columns:
            weights = of_kind[column].to_numpy()[inside]
            table = np.bincount(flat, weights, minlength=n_rows * len(areas))
            table = table.reshape(n_rows, len(areas))
            # Day by day and not by a running sum: a day alone and in a range has the same bytes.
            total = np.zeros((len(days), len(areas)))
            for k in range(w):
                total += table[k : k + len(days)]
            sums.append(total[:, of_cell])
        found.append(tuple(sums))
    return found


def _areas_of_cells(shared: pl.DataFrame, grid: Grid) -> dict[str, NDArray[np.object_]]:
    """Code of each cell's neighbourhood (empty where it has none), precinct and borough."""
    most = (
        shared.sort("cell_id", "residents_count", "lots_count", "neighbourhood")
        .unique("cell_id", keep="last", maintain_order=True)
        .select("cell_id", "neighbourhood")
    )
    cells = grid.cells.join(most, on="cell_id", how="left", maintain_order="left")
    return {
        "neighbourhood": cells["neighbourhood"].fill_null("").to_numpy().astype(object),
        "precinct": cells["precinct"].cast(pl.String).to_numpy().astype(object),
        "borough": cells["borough"].str.to_uppercase().to_numpy().astype(object),
    }


def _points_to_precincts(news: pl.DataFrame, grid: Grid) -> pl.DataFrame:
    """Give rows of a point the precinct of its cell; a point outside the grid is left out."""
    is_point = pl.col("area_type") == "point"
    points = news.filter(is_point)
    if points.is_empty():
        return news
    cell = grid.cell_of(points["lon"].to_numpy(), points["lat"].to_numpy())
    precinct = grid.cells["precinct"].cast(pl.String).to_numpy()[cell]
    placed = points.with_columns(
        area_type=pl.lit("precinct"), area_id=pl.Series(precinct.astype(object), dtype=pl.String)
    ).filter(pl.Series(cell >= 0))
    return pl.concat([news.filter(~is_point), placed])
