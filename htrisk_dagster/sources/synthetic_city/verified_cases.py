"""Fictional verified cases: what a task force would keep in its own restricted file.

Belongs here: the invented file. Does not: any real case, nor any column on a person; both the
rows and the layout of aggregates are made up, around the columns the program reads.

As in such files most rows stand on the centroid of a large area, which looks like a hot spot and
is none.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.sources.synthetic_city.corners import Corners
from htrisk_dagster.sources.synthetic_city.land import BOROUGHS, CRS, project
from htrisk_dagster.sources.synthetic_city.precincts import Precincts
from htrisk_dagster.sources.synthetic_city.presets import Preset

# Longitude and latitude of three places to which a report without an address is put.
CENTROIDS = (
    ("MANHATTAN", -73.9712, 40.7831),
    ("QUEENS", -73.7949, 40.7282),
    ("BROOKLYN", -73.9442, 40.6782),
)
_AT_CENTROID_PERCENT = 80
_UNITS = 2.0**40
_CHOICES: dict[str, tuple[str, ...]] = {
    "Type": ("Sex trafficking", "Labor trafficking", "Sex and labor trafficking"),
    "Sector": ("Commercial sex", "Domestic work", "Hospitality", "Construction", "Nail salon"),
    "Methods": ("Online advert", "False job offer", "Debt", "Threats"),
    "Sources": ("Hotline", "Law enforcement", "Service provider", "News report"),
    "Location Type": ("Hotel/motel", "Residence", "Street", "Business", "Unknown"),
    "Case Status": ("Verified", "Verified", "Closed"),
}


def verified_case_table(
    preset: Preset,
    place: NDArray[np.float64],
    corners: Corners,
    precincts: Precincts,
    rng: np.random.Generator,
) -> pl.DataFrame:
    """Invent the cases; 17 columns, in order of report.

    Parameters
    ----------
    preset : Preset
        Span and rate.
    place : ndarray of float64, shape (C,)
        Place term of the target family: where cases without a centroid are.
    corners, precincts
        Points and areas.
    rng : numpy.random.Generator
        Stream of this part.
    """
    days = preset.days
    count = int(rng.poisson(preset.verified_cases_per_day * len(days)))
    reported = np.sort(rng.integers(0, len(days), count))
    upper = np.cumsum(np.rint(place * _UNITS).astype(np.int64))
    cell = np.searchsorted(upper, rng.integers(0, upper[-1], count), side="right")
    point = corners.first[cell]
    lon, lat = project(CRS, "EPSG:4326", corners.x_m[point], corners.y_m[point])
    borough = np.array(BOROUGHS)[precincts.borough[corners.precinct[point]]]
    at_centroid = rng.permutation(count) < round(count * _AT_CENTROID_PERCENT / 100)
    which = rng.integers(0, len(CENTROIDS), count)
    drawn: dict[str, Any] = {
        name: np.array(values)[rng.integers(0, len(values), count)]
        for name, values in _CHOICES.items()
    }
    return pl.DataFrame(
        {
            "Incident Reporting Date": pl.Series(days[reported]).dt.strftime("%m/%d/%Y"),
            "Type": drawn["Type"],
            "Sector": drawn["Sector"],
            "Methods": drawn["Methods"],
            "Sources": drawn["Sources"],
            "Country": ["United States"] * count,
            "Location Type": drawn["Location Type"],
            "Latitude": np.where(
                at_centroid, np.array([c[2] for c in CENTROIDS])[which], np.round(lat, 4)
            ),
            "Longitude": np.where(
                at_centroid, np.array([c[1] for c in CENTROIDS])[which], np.round(lon, 4)
            ),
            "State": ["New York"] * count,
            "City": ["New York"] * count,
            "Borough": np.where(at_centroid, np.array([c[0] for c in CENTROIDS])[which], borough),
            "Location Precision": np.where(at_centroid, "Centroid", "Neighborhood"),
            "Case Status": drawn["Case Status"],
            "Report Year": days[reported].astype("datetime64[Y]").astype(np.int64) + 1970,
            "Source Count": rng.integers(1, 5, count),
            "Indicator Count": rng.integers(1, 9, count),
        }
    )
