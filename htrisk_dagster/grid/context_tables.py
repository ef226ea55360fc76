"""Context by cell and by area: census, hotels, stations and places in one long shape.

Belongs here: which variable is split, averaged or counted, and since when each value is known. Does not:
weighting (`areal_weighting`), the publishers' rows (`sources/context/`), features.

A value is published `lag_days` after the last day it speaks of; both days stand beside it, so that
whoever uses it can tell what was known when. A source without rows gives no rows: absent, not zero.
Where there is a source, a cell without a hotel has 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
import shapely

from htrisk_dagster.grid.areal_weighting import (
    average_rates,
    interpolated_medians,
    split_counts,
)
from htrisk_dagster.grid.cells import Grid
from htrisk_dagster.schemas.context import AREAS, CELLS
from htrisk_dagster.sources.context.census_areas import INCOME_BRACKETS_USD, bracket_variable
from htrisk_dagster.study_areas.area import ContextPart

RESIDENTS = "residents_count"
ACS_RESIDENTS = "acs_residents_count"
MEDIAN_INCOME = "median_income_usd"
_BRACKETS = [bracket_variable(lower) for lower in INCOME_BRACKETS_USD]
_VALUES = ("variable", "value", "margin_of_error", "is_approximate", "period_on", "known_on")


@dataclass(frozen=True, eq=False)
class ContextSources:
    """Rows that context is made from, each empty where the source is absent.

    Parameters
    ----------
    lots, census, hotels, stations, places : DataFrame
        Tables of `schemas.context_sources`.
    neighbourhoods, precincts : DataFrame
        Boundaries.
    """

    lots: pl.DataFrame
    census: pl.DataFrame
    hotels: pl.DataFrame
    stations: pl.DataFrame
    places: pl.DataFrame
    neighbourhoods: pl.DataFrame
    precincts: pl.DataFrame

    def census_of(self, area_type: str) -> pl.DataFrame:
        """Census rows of one kind of area: area, variable, value, margin_of_error."""
        rows = self.census.filter(pl.col("area_type") == area_type)
        return rows.select("area_id", "variable", "value", "margin_of_error")

    def point_sets(self, part: ContextPart) -> Iterator[tuple[str, date, date, pl.DataFrame]]:
        """Variable, last day of its period, day of publication and points of each counted set."""
        if part.hotels and self.hotels.height:
            for (year,), rows in self.hotels.sort("tax_year").group_by(
                "tax_year", maintain_order=True
            ):
                end = date(int(str(year)), 12, 31)
                yield "hotels_count", end, end + timedelta(days=part.hotels.lag_days), rows
        if part.subway_stations and self.stations.height:
            since = part.subway_stations.known_from
            yield "subway_stations_count", since, since, self.stations
        if part.places and self.places.height:
            # Several files are one account, known when the newest is.
            newest = self.places["pulled_on"].max()
            assert isinstance(newest, date)
            known = newest + timedelta(days=part.places.lag_days)
            for category in part.places.categories:
                chosen = self.places.filter(pl.col("category") == category)
                yield f"places_{category}_count", newest, known, chosen


def cell_context(
    sources: ContextSources, shared: pl.DataFrame, part: ContextPart, grid: Grid
) -> pl.DataFrame:
    """Context of every cell.

    Parameters
    ----------
    sources : ContextSources
    shared : DataFrame
        `schemas.context.CELL_NEIGHBOURHOODS`, see `areal_weighting.shared_lots`.
    part : ContextPart
        What the study area declares; nothing else is made.
    grid : Grid

    Returns
    -------
    DataFrame
        `schemas.context.CELLS`, sorted by variable, period and cell.
    """
    parts = [CELLS.empty()]
    if part.census and shared.height:
        census = sources.census_of("neighbourhood").rename({"area_id": "neighbourhood"})
        values = _census_cells(shared, census, grid)
        parts.append(_dated(values, part, "cell_id"))
    for variable, period, known, points in sources.point_sets(part):
        cell = grid.cell_of(points["lon"].to_numpy(), points["lat"].to_numpy())
        counts = np.bincount(cell[cell >= 0], minlength=grid.n_cells)
        parts.append(_counted("cell_id", np.arange(grid.n_cells), variable, counts, period, known))
    columns = CELLS.column_names
    found = pl.concat([p.select(columns).cast(CELLS.polars_schema()) for p in parts])
    return CELLS.conform(found.sort("variable", "period_on", "cell_id"))


def area_context(sources: ContextSources, part: ContextPart) -> pl.DataFrame:
    """Context of every neighbourhood and precinct, as published.

    Returns
    -------
    DataFrame
        `schemas.context.AREAS`, sorted by kind, variable, period and area.
    """
    parts = [AREAS.empty()]
    for kind, column, boundaries in (
        ("neighbourhood", "neighbourhood", sources.neighbourhoods),
        ("precinct", "precinct", sources.precincts),
    ):
        found = []
        if part.census:
            values = [_residents_of(sources.lots, column), _with_median(sources.census_of(kind))]
            found.append(_dated(pl.concat(values), part, "area_id"))
        if boundaries.height:
            names = boundaries[column].cast(pl.String).to_numpy()
            tree = shapely.STRtree(shapely.from_wkb(boundaries["geometry"].to_list()))
            for variable, period, known, points in sources.point_sets(part):
                _, area = tree.query(shapely.points(points["lon"], points["lat"]), "within")
                counts = np.bincount(area, minlength=len(names))
                found.append(_counted("area_id", names, variable, counts, period, known))
        parts += [f.with_columns(area_type=pl.lit(kind)).select(AREAS.column_names) for f in found]
    return AREAS.conform(pl.concat(parts).sort("area_type", "variable", "period_on", "area_id"))


def _census_cells(shared: pl.DataFrame, census: pl.DataFrame, grid: Grid) -> pl.DataFrame:
    """Residents of lots, counts split and rates averaged, with `is_approximate`.

    Counts have a row in every cell, since where there is no lot nobody lives.
    """
    cells = pl.DataFrame({"cell_id": np.arange(grid.n_cells, dtype=np.int32)})
    is_count = pl.col("variable").is_in([ACS_RESIDENTS, *_BRACKETS])
    counts = split_counts(shared, census.filter(is_count))
    households = counts.filter(pl.col("variable").is_in(_BRACKETS))
    acs = cells.join(counts.filter(pl.col("variable") == ACS_RESIDENTS), on="cell_id", how="left")
    own = cells.join(
        shared.group_by("cell_id").agg(pl.col(RESIDENTS).sum().alias("value")),
        on="cell_id",
        how="left",
    )
    return pl.concat(
        [
            _everywhere(acs if counts.height else acs.head(0), ACS_RESIDENTS, is_approximate=True),
            _everywhere(own, RESIDENTS, is_approximate=False),
            *(
                rows.with_columns(is_approximate=pl.lit(value=True))
                for rows in (
                    average_rates(shared, census.filter(~is_count)),
                    _medians(households, "cell_id"),
                )
            ),
        ],
        how="diagonal",
    )


def _everywhere(values: pl.DataFrame, variable: str, *, is_approximate: bool) -> pl.DataFrame:
    return values.with_columns(
        pl.lit(variable).alias("variable"),
        pl.col("value").fill_null(0.0),
        pl.lit(value=is_approximate).alias("is_approximate"),
    )


def _with_median(census: pl.DataFrame) -> pl.DataFrame:
    households = pl.col("variable").is_in(_BRACKETS)
    published = census.filter(~households).with_columns(is_approximate=pl.lit(value=False))
    medians = _medians(census.filter(households), "area_id").with_columns(
        is_approximate=pl.lit(value=True)
    )
    columns = ["area_id", *_VALUES[:4]]
    return pl.concat([published, medians], how="diagonal").select(columns)


def _medians(households: pl.DataFrame, key: str) -> pl.DataFrame:
    """Median income of the places whose households are known in every bracket."""
    if households.is_empty():
        return households.select(key, "variable", "value", "margin_of_error")
    wide = households.pivot("variable", index=key, values="value").drop_nulls().sort(key)
    medians = interpolated_medians(wide.select(_BRACKETS).to_numpy(), INCOME_BRACKETS_USD)
    return wide.select(
        key,
        pl.lit(MEDIAN_INCOME).alias("variable"),
        pl.Series("value", medians),
        pl.lit(None, pl.Float64).alias("margin_of_error"),
    ).filter(pl.col("value").is_not_nan())


def _residents_of(lots: pl.DataFrame, column: str) -> pl.DataFrame:
    return (
        lots.drop_nulls(column)
        .sort(column, RESIDENTS)
        .group_by(pl.col(column).cast(pl.String).alias("area_id"), maintain_order=True)
        .agg(pl.col(RESIDENTS).sum().alias("value"))
        .select(
            "area_id",
            pl.lit(RESIDENTS).alias("variable"),
            "value",
            pl.lit(None, pl.Float64).alias("margin_of_error"),
            pl.lit(value=False).alias("is_approximate"),
        )
    )


def _dated(values: pl.DataFrame, part: ContextPart, key: str) -> pl.DataFrame:
    assert part.census is not None
    period = date(part.census.last_year, 12, 31)
    known = period + timedelta(days=part.census.lag_days)
    dated = values.with_columns(period_on=pl.lit(period), known_on=pl.lit(known))
    return dated.select(key, *_VALUES)


def _counted(
    key: str, places: np.ndarray, variable: str, counts: np.ndarray, period: date, known: date
) -> pl.DataFrame:
    return pl.DataFrame({key: places, "value": counts.astype(np.float64)}).select(
        key,
        pl.lit(variable).alias("variable"),
        "value",
        pl.lit(None, pl.Float64).alias("margin_of_error"),
        pl.lit(value=False).alias("is_approximate"),
        pl.lit(period).alias("period_on"),
        pl.lit(known).alias("known_on"),
    )
