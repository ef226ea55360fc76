"""The points that a point method may be given: where it happened, not where the police filed it.

Belongs here: the removal of station houses in hindsight, and the share that was removed. Does not:
the guard itself (`grid/location_quality.py`).

The guard judges a row by earlier rows alone, as a forecast must, so a station house's first rows pass
as exact. A map of the past has no such duty: once a point is known as a station house for an offence
group, every row of the group there is removed.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

# About 1 m, as in the guard: one address.
_POINT_DECIMALS = 5


@dataclass(frozen=True)
class TrustedPoints:
    """Incidents at the place where they are said to have happened.

    Parameters
    ----------
    incidents : DataFrame
        The rows that may be given to a point method.
    station_house_pct : float
        Rows at station houses, percent of those with a point in the study area.
    """

    incidents: pl.DataFrame
    station_house_pct: float


def trusted_points(located: pl.DataFrame) -> TrustedPoints:
    """Keep exact points, less those at which the guard ever found a station house of the group.

    Parameters
    ----------
    located : DataFrame
        offence_group, lon, lat, location_quality of `schemas.grid.INCIDENT_CELLS`, and whatever else.
    """
    address = [
        "offence_group",
        pl.col("lon").round(_POINT_DECIMALS).alias("_lon"),
        pl.col("lat").round(_POINT_DECIMALS).alias("_lat"),
    ]
    pointed = located.filter(pl.col("location_quality").is_in(["exact", "station_house"]))
    flagged = pl.col("location_quality") == "station_house"
    stays = ~pointed.select(flagged.any().over(address)).to_series()
    removed = pointed.height - int(stays.sum())
    share = 100 * removed / pointed.height if pointed.height else 0.0
    return TrustedPoints(pointed.filter(stays), share)
