"""`build_block`: all features of all cells for a run of days, known by each day's cutoff.

Belongs here: which rows make which column, and the division of counts by days. Does not: the list
of columns (`catalogue`), counting (`as_of_counts`), the choice of a source (`coverage`).

For day D the cutoff is c = D - lag_days, and only rows with `reported_on` before c are used. A
series without a source, and events and mobility on days that they do not cover, give NaN: absent is
not zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.errors import SourceError
from htrisk_dagster.features import as_of_counts, event_exposure, mobility
from htrisk_dagster.features import catalogue as cat
from htrisk_dagster.features.as_of_counts import AsOfCounts
from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.features.calendar import calendar_features
from htrisk_dagster.features.column_writer import ColumnWriter
from htrisk_dagster.features.context import ContextInputs, context_columns
from htrisk_dagster.grid.area_grid import far_apart
from htrisk_dagster.grid.cells import Grid
from htrisk_dagster.grid.neighbours import queen_contiguity
from htrisk_dagster.grid.panel import count_panel, day_number, day_numbers
from htrisk_dagster.grid.parts import GridPart

_Column = tuple[str, NDArray[np.float64] | NDArray[np.float32] | NDArray[np.int32]]


@dataclass(frozen=True)
class Series:
    """A series of incidents.

    Parameters
    ----------
    name : str
        As in the names of its features.
    sources : tuple of str
        Raw tables it is taken from; empty where none covers the period, and its columns are NaN.
    offence_groups : tuple of str
        Groups that count; empty for all.
    """

    name: str
    sources: tuple[str, ...]
    offence_groups: tuple[str, ...] = ()

    def select(self, incidents: pl.DataFrame) -> pl.DataFrame:
        """Rows of `schemas.grid.INCIDENT_CELLS` that belong to the series."""
        chosen = pl.col("source").is_in(self.sources)
        if self.offence_groups:
            chosen &= pl.col("offence_group").is_in(self.offence_groups)
        return incidents.filter(chosen)


@dataclass(frozen=True, eq=False)
class FeatureInputs:
    """What features are made from.

    Parameters
    ----------
    grid : Grid
        C cells.
    incidents : DataFrame
        `schemas.grid.INCIDENT_CELLS`, whole history.
    target : Series
        What is forecast.
    series : tuple of Series
        Covariates; the first is named 'incidents'.
    events : DataFrame
        `schemas.staging.EVENTS`; NaN on days they do not cover, see `event_exposure`.
    mobility : DataFrame
        `schemas.staging.MOBILITY`; NaN on days a series does not cover, see `mobility`.
    holidays : DataFrame
        `schemas.raw.HOLIDAYS`.
    lag_days : int
        Publication lag of incidents, at least 1.
    mobility_lag_days : mapping of str to int
        Publication lag by kind of mobility series, the keys of `mobility.SERIES`.
    history_start : date
        First day of occurrence that is known; a mean divides by the days since, at most.
    context : ContextInputs, optional
        What is known of places; without it there are no features of context.
    part : GridPart, optional
        Cells that features are made of; all without it. Rows may then be those of its cells, and
        all of the last 364 days before the first cutoff, which precinct and city need.
    """

    grid: Grid
    incidents: pl.DataFrame
    target: Series
    series: tuple[Series, ...]
    events: pl.DataFrame
    mobility: pl.DataFrame
    holidays: pl.DataFrame
    lag_days: int
    mobility_lag_days: Mapping[str, int]
    history_start: date
    context: ContextInputs | None = None
    part: GridPart | None = None

    @property
    def catalogue(self) -> tuple[cat.FeatureSpec, ...]:
        """Features that are made from these inputs, in order."""
        declared = self.context.declared if self.context else None
        return cat.feature_catalogue([s.name for s in self.series], declared)


def build_block(
    inputs: FeatureInputs, start: date, stop: date, *, with_counts: bool
) -> CellDayBlock:
    """Make the features of days `start` up to, not including, `stop`.

    A day has the same bytes whether it is made alone or within a range, and a cell whether it is
    made in a part or with all.

    Parameters
    ----------
    inputs : FeatureInputs
        Rows may reach past the cutoff; they are not used, except for `counts`.
    start, stop : date
        Local days the forecasts are for.
    with_counts : bool
        Also count the target by day of occurrence, whatever its day of report.

    Returns
    -------
    CellDayBlock
        Columns as in `feature_catalogue`.

    Raises
    ------
    SourceError
        Where there is no day, counts are asked of a target without a source, or a year has no
        holidays.
    """
    if stop <= start:
        raise SourceError(f"No day lies from {start} up to {stop}. Give a later stop.")
    if with_counts and not inputs.target.sources:
        raise SourceError(
            f"Target '{inputs.target.name}' has no source that covers {start} to {stop}, so it "
            "cannot be counted. See the coverage table, and load its source or choose another."
        )
    work = _Work(inputs, start, stop)
    names = tuple(spec.name for spec in inputs.catalogue)
    features = np.empty((work.n_days, work.grid.n_cells, len(names)), dtype=np.float32)
    writer = ColumnWriter(features)
    for name, values in work.columns():
        writer.put(names.index(name), values)
    writer.close()
    own = work.part.own
    return CellDayBlock(
        work.days,
        np.ascontiguousarray(features[:, own]),
        names,
        work.precinct_index[own],
        work.borough_index[own],
        work.truth()[:, own] if with_counts else None,
    )


class _Work:
    """One call of `build_block`: its days, cutoffs and codes, and the columns as they are made."""

    def __init__(self, inputs: FeatureInputs, start: date, stop: date) -> None:
        self.inputs = inputs
        self.part = inputs.part or GridPart.whole(inputs.grid)
        self.grid = self.part.grid
        self.days = np.arange(np.datetime64(start), np.datetime64(stop))
        self.n_days = len(self.days)
        self.first_day = day_number(start)
        self.since = day_number(inputs.history_start)
        self.first_cutoff = self.first_day - inputs.lag_days
        self.cutoffs = self.first_cutoff + np.arange(self.n_days)
        # Codes and sizes of areas are those of the whole grid, whatever the part.
        cells = inputs.grid.cells
        self.precincts, index = np.unique(cells["precinct"].to_numpy(), return_inverse=True)
        self.precinct_of_all = index.astype(np.int32)
        self.precinct_index = self.precinct_of_all[self.part.cell_ids]
        _, index = np.unique(cells["borough"].to_numpy(), return_inverse=True)
        self.borough_index = index.astype(np.int32)[self.part.cell_ids]
        self.cells_of_precinct = np.bincount(self.precinct_of_all)

    def truth(self) -> NDArray[np.float32]:
        """Target by day of occurrence and cell, shape (D, C)."""
        rows = self.part.placed(self.inputs.target.select(self.inputs.incidents))
        rows = rows.drop_nulls("place")
        day = day_numbers(rows["occurred_on"]) - self.first_day
        cell = rows["place"].to_numpy().astype(np.int64)
        return count_panel(day, cell, self.n_days, self.grid.n_cells).astype(np.float32)

    def columns(self) -> Iterator[_Column]:
        """Name and values, to be broadcast to (D, C), of every column that has a source."""
        inputs = self.inputs
        known = inputs.incidents.filter(pl.col("occurred_on") >= inputs.history_start)
        all_incidents, *further = inputs.series
        for name, series in ((cat.TARGET, inputs.target), (cat.ALL_INCIDENTS, all_incidents)):
            if series.sources:
                yield from self._main_series(name, series.select(known))
        for series in further:
            if series.sources:
                rows = series.select(known)
                counts = self._by_cell(rows)
                for w in cat.SERIES_WINDOWS:
                    yield f"{series.name}_mean_{w}", self._mean(counts.window_counts(w), w)
                yield self._precinct_mean(series.name, rows)
        yield from self._events()
        yield from self._mobility()
        for name, values in calendar_features(self.days, inputs.holidays).items():
            yield name, values[:, None]
        yield from self._place()
        if inputs.context:
            for name, values in context_columns(inputs.context, inputs.grid, self.days):
                yield name, values[:, self.part.cell_ids]

    def _main_series(self, name: str, rows: pl.DataFrame) -> Iterator[_Column]:
        counts = self._by_cell(rows)
        lags = range(1, (cat.TARGET_LAGS if name == cat.TARGET else cat.INCIDENT_LAGS) + 1)
        for k, panel in zip(lags, counts.lag_panels(lags), strict=True):
            unknown = self.cutoffs - k < self.since
            if unknown.any():
                values = panel.astype(np.float32)
                values[unknown] = np.nan
                yield f"{name}_lag_{k}", values
            else:
                yield f"{name}_lag_{k}", panel
        near = queen_contiguity(self.grid)
        with np.errstate(divide="ignore"):
            per_neighbour = 1.0 / near.sum(axis=1)
        for w in cat.LONG_WINDOWS:
            window = counts.window_counts(w)
            yield f"{name}_mean_{w}", self._mean(window, w)
            if w in cat.SERIES_WINDOWS:
                around = (near @ window.T).T
                # No neighbour: 0 x infinity is NaN, absent.
                with np.errstate(invalid="ignore"):
                    yield f"{name}_near_mean_{w}", self._mean(around, w) * per_neighbour
        yield self._ewm(name, counts)
        yield self._same_weekday(name, counts)
        yield self._precinct_mean(name, rows)
        if name == cat.TARGET:
            city = self._counts(rows.with_columns(place=0), 1).window_counts(cat.CITY_WINDOW)
            mean = self._mean(city, cat.CITY_WINDOW) / self.inputs.grid.n_cells
            yield f"city_{name}_mean_{cat.CITY_WINDOW}", mean

    def _ewm(self, name: str, counts: AsOfCounts) -> _Column:
        half_life = cat.HALF_LIFE_DAYS
        weight = as_of_counts.ewm_weight_available(self.cutoffs, half_life, self.since)
        return f"{name}_ewm_{half_life}", _per(counts.ewm(half_life, self.since), weight)

    def _same_weekday(self, name: str, counts: AsOfCounts) -> _Column:
        weeks, lag_days = cat.SAME_WEEKDAY_WEEKS, self.inputs.lag_days
        lags = np.array(as_of_counts.same_weekday_lags(weeks, lag_days))
        available = (self.cutoffs[:, None] - lags >= self.since).sum(axis=1)
        mean = _per(counts.same_weekday_counts(weeks, lag_days), available)
        return f"{name}_same_weekday_mean_{weeks}", mean

    def _precinct_mean(self, name: str, rows: pl.DataFrame) -> _Column:
        numbers = self.precincts.tolist()
        # A precinct that the grid does not know, such as a number since split, has no place.
        place = pl.col("precinct").replace_strict(numbers, range(len(numbers)), default=None)
        w = cat.PRECINCT_WINDOW
        counts = self._counts(rows.with_columns(place=place), len(numbers)).window_counts(w)
        mean = self._mean(counts, w) / self.cells_of_precinct
        return f"precinct_{name}_mean_{w}", mean[:, self.precinct_index]

    def _events(self) -> Iterator[_Column]:
        # From as far back as the newest days need to tell whether the oldest lag is covered.
        before = self.inputs.lag_days + cat.EVENT_LAGS
        margin = event_exposure.COVERAGE_DAYS - 1
        first = self.first_day - before - margin
        n_days = margin + before + self.n_days
        table = event_exposure.events_by_precinct(self.inputs.events, self.precincts, first, n_days)
        covered = event_exposure.covered_days(table)
        table = np.where(covered[:, None], table[margin:], np.nan)
        per_cell = (table / self.cells_of_precinct)[:, self.precinct_index]
        for k in range(1, cat.EVENT_LAGS + 1):
            day = cat.EVENT_LAGS - k
            yield f"events_lag_{k}", per_cell[day : day + self.n_days]
        exposure = event_exposure.events_within(
            table[before:],
            self.inputs.grid,
            self.precinct_of_all,
            cat.EVENT_RADIUS_M,
            cell_ids=self.part.cell_ids,
        )
        yield f"events_radius_{cat.EVENT_RADIUS_M}m_count", exposure

    def _mobility(self) -> Iterator[_Column]:
        table, lags = self.inputs.mobility, self.inputs.mobility_lag_days
        airport = mobility.airport_anomaly(table, self.days, lags["airport"])
        transit = mobility.transit_ratio(table, self.days, lags["transit"])
        yield "airport_jfk_anomaly", airport[:, None]
        yield "transit_subway_ratio", transit[:, None]

    def _place(self) -> Iterator[_Column]:
        whole, ids = self.inputs.grid, self.part.cell_ids
        metres = whole.cells.select("x_m", "y_m").to_numpy()
        if whole.touching is not None:
            metres = far_apart(whole.n_cells) * whole.cell_size_m
        for axis, values in zip("xy", metres.T, strict=True):
            yield f"{axis}_km", (values - values.mean())[ids] / 1000
        yield "land_share", self.grid.cells["land_share"].to_numpy()
        yield "borough_code", self.borough_index

    def _by_cell(self, rows: pl.DataFrame) -> AsOfCounts:
        return self._counts(self.part.placed(rows), self.grid.n_cells)

    def _counts(self, rows: pl.DataFrame, n_places: int) -> AsOfCounts:
        return AsOfCounts.from_frame(rows, n_places, self.first_cutoff, self.n_days)

    def _mean(self, counts: NDArray[np.int32], w: int) -> NDArray[np.float64]:
        return _per(counts, as_of_counts.days_available(self.cutoffs, w, self.since))


def _per(
    totals: NDArray[np.int32] | NDArray[np.float64],
    number: NDArray[np.int64] | NDArray[np.float64],
) -> NDArray[np.float64]:
    """Totals of shape (D, P) per day available, shape (D,); NaN where there is none."""
    divisor = np.where(number > 0, number, np.nan)
    result: NDArray[np.float64] = totals / divisor[:, None]
    return result
