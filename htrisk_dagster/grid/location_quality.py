"""Place incidents on the grid, and say how far each point can be trusted.

Belongs here: the guard against points that are not where it happened. Does not: counts over time
(`features/`), how incidents are cleaned (dbt staging).

NYPD publishes rapes and sex crimes at the precinct station house and puts what it cannot geocode
there too (Complaint Incident Level footnotes 9-11); other publishers use the centroid of an area.
A map of such points is a map of police stations. A row whose point cannot be trusted to a cell
keeps its precinct and loses its cell.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import polars as pl
import shapely
from numpy.typing import NDArray

from htrisk_dagster.grid.cells import Grid
from htrisk_dagster.schemas.grid import INCIDENT_CELLS

# A point is a station house for an offence group from the month after all three hold.
STATION_MINIMUM_COUNT = 5
STATION_MINIMUM_SHARE = 0.25
STATION_P_VALUE = 1e-6
_POINT_DECIMALS = 5  # about 1 m: one address
_CENTROID_DECIMALS = 4  # about 10 m: publishers round differently


def place_incidents(
    incidents: pl.DataFrame, grid: Grid, *, boroughs: pl.DataFrame, precincts: pl.DataFrame
) -> pl.DataFrame:
    """Give each incident its cell, precinct and location quality.

    Parameters
    ----------
    incidents : DataFrame
        `schemas.staging.INCIDENTS`. Pass the whole history: what a point held before is counted
        from these rows.
    grid : Grid
        Cells of the study area.
    boroughs, precincts : DataFrame
        `schemas.raw.BOROUGHS` and `PRECINCTS`, for their centroids.

    Returns
    -------
    DataFrame
        `schemas.grid.INCIDENT_CELLS`, rows in the order given. Qualities are tried in the order
        missing, outside, centroid, station_house, exact.

    Notes
    -----
    No row is judged by a later one: see `station_house_rows`. On a grid of areas a row's cell is that
    of its area as published, exact, and points are not asked for.
    """
    if grid.touching is not None:
        return _place_in_areas(incidents, grid)
    lon, lat = (incidents[c].fill_null(np.nan).to_numpy() for c in ("lon", "lat"))
    cell = grid.cell_of(lon, lat)
    missing = np.isnan(lon) | np.isnan(lat)
    outside = ~missing & (cell < 0)
    centroid = at_centroid(lon, lat, boroughs, precincts)
    geocoded = ~(missing | outside | centroid)

    cell_precinct = np.where(cell >= 0, grid.cells["precinct"].to_numpy()[cell], -1)
    published = incidents["precinct"].fill_null(-1).to_numpy()
    # The published precinct says whose station a point is: a house near a border may stand in a
    # cell of the precinct next door.
    told = np.where(published >= 0, published, cell_precinct)
    station = np.zeros(incidents.height, dtype=bool)
    station[geocoded] = station_house_rows(
        incidents.filter(pl.Series(geocoded)).select(
            "offence_group", "reported_on", "lon", "lat", precinct=pl.Series(told[geocoded])
        )
    )
    quality = np.select(
        [missing, outside, centroid, station],
        ["missing", "outside", "centroid", "station_house"],
        "exact",
    )
    exact = quality == "exact"
    placed = incidents.with_columns(
        cell_id=_null_where(cell, ~exact),
        precinct=_null_where(np.where(exact, cell_precinct, told), ~exact & (told < 0)),
        location_quality=pl.Series(quality.astype(object), dtype=pl.String),
    )
    return INCIDENT_CELLS.conform(placed)


def _place_in_areas(incidents: pl.DataFrame, grid: Grid) -> pl.DataFrame:
    cells = grid.cells.select("precinct", "cell_id")
    placed = incidents.join(cells, on="precinct", how="left", maintain_order="left").with_columns(
        location_quality=pl.when(pl.col("cell_id").is_not_null())
        .then(pl.lit("exact"))
        .otherwise(pl.lit("missing"))
    )
    return INCIDENT_CELLS.conform(placed)


def station_house_groups(incidents: pl.DataFrame) -> list[str]:
    """Offence groups of which the guard finds a quarter or more at station houses, in order.

    Such a group is published at the station house as a rule, so that it is modelled by precinct. Of
    a group that is there by chance the guard finds one row in a hundred or fewer.

    Parameters
    ----------
    incidents : DataFrame
        `schemas.grid.INCIDENT_CELLS`, rows known by the cutoff.
    """
    quality = pl.col("location_quality")
    pointed = incidents.filter(quality.is_in(["exact", "station_house"]))
    at_house = (quality == "station_house").sum()
    shares = pointed.group_by("offence_group").agg(at_house.alias("n"), at_house / pl.len())
    found = shares.filter(
        pl.col("location_quality") >= STATION_MINIMUM_SHARE, pl.col("n") >= STATION_MINIMUM_COUNT
    )
    return found["offence_group"].sort().to_list()


def at_centroid(
    lon: NDArray[np.float64],
    lat: NDArray[np.float64],
    boroughs: pl.DataFrame,
    precincts: pl.DataFrame,
) -> NDArray[np.bool_]:
    """Find the points within about 10 m of the centroid of a borough or precinct.

    Parameters
    ----------
    lon, lat : float64, shape (n,)
        WGS 84, degrees; NaN where there is no point.
    boroughs, precincts : DataFrame
        `schemas.raw.BOROUGHS` and `PRECINCTS`.

    Returns
    -------
    bool, shape (n,)
    """
    return _is_one_of(lon, lat, _centroids(boroughs, precincts), _CENTROID_DECIMALS)


def station_house_rows(points: pl.DataFrame) -> NDArray[np.bool_]:
    """Find the rows at a point that, before their month of report, held an implausible share.

    Parameters
    ----------
    points : DataFrame
        Geocoded incidents: offence_group, reported_on, lon, lat, precinct.

    Returns
    -------
    bool, shape (n,)

    Notes
    -----
    Rows of a report month are judged by rows reported before its first day, so that what a row is
    called never depends on what came later; a station's first rows therefore pass as exact. With
    k of the precinct's n geocoded rows of the group at the point, and o of its O rows of all other
    groups, the point is a station house for the group where k >= 5, k / n >= 0.25 and
    P(X >= k) < 1e-6 for X ~ Binomial(n, (o + 1) / (O + 1)). The one added row keeps a point that
    has seen nothing else from being certain, and no point is flagged where there is no other
    offence to compare with.
    """
    if points.is_empty():
        return np.zeros(0, dtype=bool)
    at = [pl.col("lon").round(_POINT_DECIMALS), pl.col("lat").round(_POINT_DECIMALS)]
    group, precinct = "offence_group", "precinct"
    rows = points.select(
        month=pl.col("reported_on").dt.truncate("1mo").rank("dense"),
        here_group=pl.struct(precinct, *at, group).rank("dense"),
        here=pl.struct(precinct, *at).rank("dense"),
        precinct_group=pl.struct(precinct, group).rank("dense"),
        precinct=pl.col(precinct).rank("dense"),
    )
    codes = {name: rows[name].to_numpy().astype(np.intp) - 1 for name in rows.columns}
    month = codes.pop("month")
    order = np.argsort(month, kind="stable")
    bounds = np.searchsorted(month[order], np.arange(month.max() + 2))
    seen = {name: np.zeros(code.max() + 1, dtype=np.int64) for name, code in codes.items()}
    found = np.zeros(points.height, dtype=bool)
    for start, stop in pairwise(bounds):
        of_month = order[start:stop]
        before = {name: seen[name][code[of_month]] for name, code in codes.items()}
        found[of_month] = _is_implausible(
            before["here_group"], before["precinct_group"], before["here"], before["precinct"]
        )
        for name, code in codes.items():
            np.add.at(seen[name], code[of_month], 1)
    return found


def _is_implausible(
    k: NDArray[np.int64], n: NDArray[np.int64], here: NDArray[np.int64], all_: NDArray[np.int64]
) -> NDArray[np.bool_]:
    from scipy.stats import binom

    implausible = (k >= STATION_MINIMUM_COUNT) & (k >= STATION_MINIMUM_SHARE * n)
    k, n, here, all_ = (count[implausible] for count in (k, n, here, all_))
    share_of_others = (here - k + 1) / (all_ - n + 1)
    implausible[implausible] = binom.sf(k - 1, n, share_of_others) < STATION_P_VALUE
    return implausible


def _centroids(boroughs: pl.DataFrame, precincts: pl.DataFrame) -> NDArray[np.float64]:
    """Longitude and latitude of the centroid of each area, shape (n, 2)."""
    shapes = shapely.from_wkb([*boroughs["geometry"], *precincts["geometry"]])
    points: NDArray[np.float64] = shapely.get_coordinates(shapely.centroid(shapes))
    return points


def _is_one_of(
    lon: NDArray[np.float64], lat: NDArray[np.float64], places: NDArray[np.float64], decimals: int
) -> NDArray[np.bool_]:
    def key(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.complex128]:
        pair: NDArray[np.complex128] = np.rint(x * 10**decimals) + 1j * np.rint(y * 10**decimals)
        return pair

    return np.isin(key(lon, lat), key(places[:, 0], places[:, 1]))


def _null_where(values: NDArray[np.int32], where: NDArray[np.bool_]) -> pl.Series:
    return pl.select(
        pl.when(pl.Series(~where)).then(pl.Series(values.astype(np.int32)))
    ).to_series()
