"""Real incidents on a lattice of active cells, as the anchors of the field were counted.

Belongs here: the plane and the cells of the anchors, and `FeatureInputs` from the publishers' own
files. Does not: which series is forecast and for which days (`felonies`, `shootings`).

The figures that this suite is held to (reference/field.md 1.1) were counted on a plane with its
origin at the least longitude and latitude of the file and fixed lengths of a degree. With these
lengths, cells with a felony in the training days number 2,785 at 500 m, 824 at 1 km and 6,752 at
300 m, as stated there; the study area's UTM lattice gives 2,798 and 824. Incidents in cells that
had none before are left out, as there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.errors import SourceError
from htrisk_dagster.features.catalogue import ALL_INCIDENTS, TARGET
from htrisk_dagster.features.feature_matrix import FeatureInputs, Series
from htrisk_dagster.grid.cells import Grid
from htrisk_dagster.schemas import grid as grid_tables
from htrisk_dagster.schemas import raw, staging
from htrisk_dagster.sources import intake
from htrisk_dagster.sources.holiday_calendar import holidays_between
from htrisk_dagster.study_areas.area import StudyArea, load_area

METRES_PER_DEGREE = (84_370.0, 110_950.0)  # of longitude at 40.7 degrees north, and of latitude
FIRST_DAY = date(2014, 1, 1)
LAST_DAY = date(2015, 12, 31)
# The days around need to know whether the next is one.
_HOLIDAYS = (date(2013, 12, 1), date(2016, 1, 31))
FELONIES = "felonies"
# Last precinct number of each borough, and the borough; numbers run borough by borough.
_BOROUGH_BY_PRECINCT = (
    (34, "MANHATTAN"), (52, "BRONX"), (94, "BROOKLYN"), (116, "QUEENS"), (123, "STATEN ISLAND"),
)  # fmt: skip


@dataclass(frozen=True)
class Lattice:
    """Squares on the plane of the anchors.

    Parameters
    ----------
    west, south : float
        Longitude and latitude of the origin.
    cell_size_m : int
        Side of a square.
    """

    west: float
    south: float
    cell_size_m: int

    def squares(self, incidents: pl.DataFrame) -> NDArray[np.int64]:
        """Column and row of the square of each incident, shape (n, 2)."""
        degrees = incidents.select("lon", "lat").to_numpy() - (self.west, self.south)
        return np.floor(degrees * METRES_PER_DEGREE / self.cell_size_m).astype(np.int64)


def read_incidents(data: Path, table: str) -> pl.DataFrame:
    """Incidents with a point of one of the publishers' files: day, group, precinct, lon, lat.

    Parameters
    ----------
    data : Path
        Folder of the publishers' files.
    table : str
        `felonies` or `shootings`. One row a number: the shootings file has one a victim.

    Raises
    ------
    SourceError
        Where the folder holds no such file.
    """
    area = load_area("nyc")
    kept = intake.read(
        table, data, time_zone=area.time_zone, bounding_box=area.bounding_box
    ).kept  # fmt: skip
    if kept.is_empty():
        raise SourceError(f"{data} holds no file of {table}. Give the folder of the real data.")
    group = pl.col("offence").replace_strict(_groups(area), default="other")
    return (
        kept.unique("report_id", keep="first", maintain_order=True)
        .drop_nulls(["lon", "lat", "precinct"])
        .select("report_id", "occurred_on", "precinct", "lon", "lat", offence_group=group)
        .sort("occurred_on", "report_id")
    )


def _groups(area: StudyArea) -> Mapping[str, str]:
    parts = area.offence_groups.items()
    return {label: name for name, part in parts for label in part.labels}


def city_inputs(
    incidents: Mapping[str, pl.DataFrame],
    target: Series,
    *,
    cell_size_m: int,
    active_before: date,
    lag_days: int = 1,
) -> FeatureInputs:
    """Place incidents on the active cells and fill what features are made from.

    Parameters
    ----------
    incidents : dict of str to DataFrame
        Rows of `read_incidents` by raw table; `felonies` serves as covariates and says which
        cells are active.
    target : Series
        What is forecast.
    cell_size_m : int
        Side of a cell.
    active_before : date
        A cell is active with a felony before this day.
    lag_days : int
        Publication lag.

    Returns
    -------
    FeatureInputs
        Events and mobility do not cover these years and are empty: their features are NaN.
    """
    felonies = incidents[FELONIES]
    west, south = (float(felonies[axis].to_numpy().min()) for axis in ("lon", "lat"))
    lattice = Lattice(west, south, cell_size_m)
    grid = _grid(felonies.filter(pl.col("occurred_on") < active_before), lattice)
    placed = [_placed(rows, lattice, grid, table) for table, rows in incidents.items()]
    groups = sorted(felonies["offence_group"].unique())
    return FeatureInputs(
        grid=grid,
        incidents=grid_tables.INCIDENT_CELLS.conform(pl.concat(placed)),
        target=target,
        series=(
            Series(ALL_INCIDENTS, (FELONIES,)),
            *(Series(name, (FELONIES,), (name,)) for name in groups),
        ),
        events=staging.EVENTS.empty(),
        mobility=staging.MOBILITY.empty(),
        holidays=raw.HOLIDAYS.conform(holidays_between(*_HOLIDAYS)),
        lag_days=lag_days,
        mobility_lag_days={"airport": 45, "transit": 2},
        history_start=FIRST_DAY,
    )


def target_series(source: str, groups: tuple[str, ...] = ()) -> Series:
    """Name the groups of a source that are forecast; none means all."""
    return Series(TARGET, (source,), groups)


def _grid(felonies: pl.DataFrame, lattice: Lattice) -> Grid:
    """Active squares as cells, each of the precinct that most of its incidents name."""
    col, row = lattice.squares(felonies).T
    size = lattice.cell_size_m
    by_precinct = (
        felonies.select("precinct", col=pl.Series(col), row=pl.Series(row))
        .group_by("row", "col", "precinct")
        .len()
        .sort("row", "col", "len", "precinct", descending=[False, False, True, False])
    )
    cells = by_precinct.unique(["row", "col"], keep="first", maintain_order=True).with_row_index(
        "cell_id"
    )
    x, y = (pl.col(axis) * size + size / 2 for axis in ("col", "row"))
    table = cells.select(
        "cell_id", "col", "row", "precinct", x_m=x, y_m=y,
        lon=lattice.west + x / METRES_PER_DEGREE[0], lat=lattice.south + y / METRES_PER_DEGREE[1],
        land_share=pl.lit(1.0), borough=_borough(pl.col("precinct")),
    )  # fmt: skip
    return Grid.from_cells(table, "local plane in metres", size)


def _borough(precinct: pl.Expr) -> pl.Expr:
    named = pl.lit("UNKNOWN")
    for last, borough in reversed(_BOROUGH_BY_PRECINCT):
        named = pl.when(precinct <= last).then(pl.lit(borough)).otherwise(named)
    return named


def _placed(rows: pl.DataFrame, lattice: Lattice, grid: Grid, table: str) -> pl.DataFrame:
    """Rows of `schemas.grid.INCIDENT_CELLS`; without a cell outside the active ones."""
    col, row = lattice.squares(rows).T
    inside = (col >= 0) & (col < grid.n_cols) & (row >= 0) & (row < grid.n_rows)
    cell = np.full(len(col), -1, dtype=np.int32)
    cell[inside] = grid.lattice[row[inside], col[inside]]
    has_cell = pl.Series(cell >= 0)
    return rows.select(
        incident_id=pl.concat_str(pl.lit(f"{table}:"), "report_id"),
        source=pl.lit(table),
        offence_group="offence_group",
        occurred_on="occurred_on",
        reported_on="occurred_on",
        cell_id=pl.when(has_cell).then(pl.Series(cell)),
        precinct="precinct",
        location_quality=pl.when(has_cell).then(pl.lit("exact")).otherwise(pl.lit("outside")),
    )
