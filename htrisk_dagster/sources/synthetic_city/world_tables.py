"""A city in memory as the program's own tables, without a file in between.

Belongs here: incidents as placed, the grid, events, mobility, holidays. Does not: how the real
chain of readers, staging and placing works; what it makes of the written files is the same but for
rows that are refused.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.schemas import grid, raw, staging
from htrisk_dagster.sources.holiday_calendar import holidays_between
from htrisk_dagster.sources.synthetic_city.ground import Ground
from htrisk_dagster.sources.synthetic_city.incidents import Incidents
from htrisk_dagster.sources.synthetic_city.land import BOROUGHS, CELL_M, CRS, project
from htrisk_dagster.sources.synthetic_city.mobility import SERVICE_COLUMNS
from htrisk_dagster.sources.synthetic_city.offences import FAMILIES, OFFENCES
from htrisk_dagster.sources.synthetic_city.permits import Permits, kind_names
from htrisk_dagster.sources.synthetic_city.presets import Preset
from htrisk_dagster.study_areas.area import load_area

_SIDE_POINTS = 10
_OTHER = "other"


def incident_cells(
    incidents: Incidents, ground: Ground, days: NDArray[np.datetime64]
) -> pl.DataFrame:
    """Reported incidents as `schemas.grid.INCIDENT_CELLS`, in order of report.

    Offences of the station house have no cell, nor has a row without a point.
    """
    corners = ground.corners
    is_station = np.array(
        [o.family in {f.name for f in FAMILIES if f.at_station_house} for o in OFFENCES]
    )[incidents.offence]
    is_missing = incidents.point == corners.missing
    quality = np.select([is_missing, is_station], [1, 2], 0)
    order = np.argsort(incidents.reported, kind="stable")
    frame = pl.DataFrame(
        {
            "incident_id": np.arange(len(order)),
            "offence": incidents.offence[order],
            "occurred_on": days[incidents.occurred[order]],
            "reported_on": days[incidents.reported[order]],
            "cell_id": np.where(quality > 0, -1, incidents.cell)[order],
            "precinct": ground.precincts.number[incidents.precinct[order]],
            "quality": quality[order],
        }
    )
    qualities = pl.Series(["exact", "missing", "station_house"])
    groups = pl.Series([_group(o.key_code) for o in OFFENCES])
    return grid.INCIDENT_CELLS.conform(
        frame.with_columns(
            incident_id=pl.format("complaints:{}", "incident_id"),
            source=pl.lit("complaints"),
            offence_group=groups.gather(frame["offence"]),
            cell_id=pl.when(pl.col("cell_id") >= 0).then("cell_id"),
            location_quality=qualities.gather(frame["quality"]),
        )
    )


def cells(ground: Ground) -> pl.DataFrame:
    """Cells as `schemas.grid.CELLS`; the share of land is that of 100 points of the cell."""
    land = ground.land
    lon, lat = project(CRS, "EPSG:4326", land.x_m, land.y_m)
    return grid.CELLS.conform(
        pl.DataFrame(
            {
                "cell_id": np.arange(len(land.col)),
                "col": land.col - land.col.min(),
                "row": land.row - land.row.min(),
                "x_m": land.x_m,
                "y_m": land.y_m,
                "lon": lon,
                "lat": lat,
                "land_share": _land_share(ground),
                "precinct": ground.precincts.number[ground.precinct],
                "borough": np.array(BOROUGHS)[land.borough],
            }
        )
    )


def events(allowed: Permits, ground: Ground, first_day: np.datetime64) -> pl.DataFrame:
    """Event permits as `schemas.staging.EVENTS`."""
    number = ground.precincts.number
    spans_two = allowed.second_precinct >= 0
    frame = pl.DataFrame(
        {
            "event_id": 600_000 + allowed.permit,
            "starts_on": first_day + allowed.first,
            "ends_on": first_day + allowed.last,
            "event_type": kind_names()[allowed.kind],
            "precinct": number[allowed.precinct],
            "second": np.where(spans_two, number[allowed.second_precinct], -1),
            "precinct_share": np.where(spans_two, 0.5, 1.0),
        }
    )
    second = frame.filter(pl.Series(spans_two)).with_columns(precinct=pl.col("second"))
    key = list(staging.EVENTS.key)
    both = pl.concat([frame, second]).cast({"event_id": pl.String}).unique(key).sort(key)
    return staging.EVENTS.conform(both)


def mobility(passengers: pl.DataFrame, riders: pl.DataFrame) -> pl.DataFrame:
    """Airport passengers by month and transit riders by day as `schemas.staging.MOBILITY`."""
    airport = passengers.select(
        series=pl.lit("airport_jfk"),
        period_on="Activity Period",
        period=pl.lit("month"),
        passengers_count="Revenue Passenger Volume",
    )
    transit = (
        riders.select(
            pl.col("Date").str.to_date("%m/%d/%Y").alias("period_on"),
            **{f"transit_{service}": column for service, column in SERVICE_COLUMNS.items()},
        )
        .unpivot(index="period_on", variable_name="series", value_name="passengers_count")
        .with_columns(period=pl.lit("day"))
        .select(airport.columns)
    )
    return staging.MOBILITY.conform(pl.concat([airport, transit]).sort("series", "period_on"))


def holidays(preset: Preset) -> pl.DataFrame:
    """Holidays as `schemas.raw.HOLIDAYS`, from the year before the city to the year after."""
    first, last = preset.first_day.year - 1, preset.last_day.year + 1
    return raw.HOLIDAYS.conform(holidays_between(date(first, 1, 1), date(last, 12, 31)))


def _group(key_code: int) -> str:
    groups = load_area("nyc").offence_groups
    return next((name for name, group in groups.items() if key_code in group.codes), _OTHER)


def _land_share(ground: Ground) -> NDArray[np.float64]:
    import shapely

    land = ground.land
    steps = ((np.arange(_SIDE_POINTS) + 0.5) / _SIDE_POINTS - 0.5) * CELL_M
    offset_x, offset_y = np.repeat(steps, _SIDE_POINTS), np.tile(steps, _SIDE_POINTS)
    share = np.zeros(len(land.col))
    for outline in land.outlines:
        shapely.prepare(outline)
        inside = shapely.contains_xy(
            outline, land.x_m[:, None] + offset_x, land.y_m[:, None] + offset_y
        )
        share += inside.mean(axis=1)
    return np.minimum(share, 1.0)
