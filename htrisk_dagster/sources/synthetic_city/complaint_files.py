"""Complaints as the NYPD publishes them: a historic file and a year-to-date file.

Belongs here: the two layouts, numbering, and the publisher's defects. Does not: what happened
where and when (`incidents`).

The historic file (qgea-i56i) has 35 columns and leaves missing values empty; the year-to-date
file (5uac-w243) has 36, quotes every value and writes '(null)' for most missing ones. The last
year's first reports are in both. Columns on suspects and victims exist, as in the publisher's
files, and hold nothing but 'UNKNOWN' and 'U'.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.sources.synthetic_city.corners import Corners, written_points
from htrisk_dagster.sources.synthetic_city.incidents import Incidents
from htrisk_dagster.sources.synthetic_city.land import BOROUGHS
from htrisk_dagster.sources.synthetic_city.offences import OFFENCES
from htrisk_dagster.sources.synthetic_city.precincts import Precincts
from htrisk_dagster.sources.synthetic_city.presets import Preset

HISTORIC_COLUMNS = (
    *("CMPLNT_NUM", "CMPLNT_FR_DT", "CMPLNT_FR_TM", "CMPLNT_TO_DT", "CMPLNT_TO_TM"),
    *("ADDR_PCT_CD", "RPT_DT", "KY_CD", "OFNS_DESC", "PD_CD", "PD_DESC", "CRM_ATPT_CPTD_CD"),
    *("LAW_CAT_CD", "BORO_NM", "LOC_OF_OCCUR_DESC", "PREM_TYP_DESC", "JURIS_DESC"),
    *("JURISDICTION_CODE", "PARKS_NM", "HADEVELOPT", "HOUSING_PSA", "X_COORD_CD", "Y_COORD_CD"),
    *("SUSP_AGE_GROUP", "SUSP_RACE", "SUSP_SEX", "TRANSIT_DISTRICT", "Latitude", "Longitude"),
    *("Lat_Lon", "PATROL_BORO", "STATION_NAME", "VIC_AGE_GROUP", "VIC_RACE", "VIC_SEX"),
)
YEAR_TO_DATE_COLUMNS = (
    *("CMPLNT_NUM", "ADDR_PCT_CD", "BORO_NM", "CMPLNT_FR_DT", "CMPLNT_FR_TM", "CMPLNT_TO_DT"),
    *("CMPLNT_TO_TM", "CRM_ATPT_CPTD_CD", "HADEVELOPT", "HOUSING_PSA", "JURISDICTION_CODE"),
    *("JURIS_DESC", "KY_CD", "LAW_CAT_CD", "LOC_OF_OCCUR_DESC", "OFNS_DESC", "PARKS_NM"),
    *("PATROL_BORO", "PD_CD", "PD_DESC", "PREM_TYP_DESC", "RPT_DT", "STATION_NAME"),
    *("SUSP_AGE_GROUP", "SUSP_RACE", "SUSP_SEX", "TRANSIT_DISTRICT", "VIC_AGE_GROUP"),
    *("VIC_RACE", "VIC_SEX", "X_COORD_CD", "Y_COORD_CD", "Latitude", "Longitude", "Lat_Lon"),
    "New Georeferenced Column",
)
OVERLAP_ROWS = 300
NULL_TEXT = "(null)"

# The defects of the file of 1.5 million rows; smaller files have their share, one at least.
FULL_ROWS = 1_500_000
_DUPLICATES, _ZERO_POINTS, _OUTSIDE_POINTS, _NULL_PREMISES = 150, 25, 5, 1_500
BAD_DATE = "01/05/1919"

_NULL_TEXT_COLUMNS = ("HADEVELOPT", "LOC_OF_OCCUR_DESC", "PARKS_NM", "STATION_NAME")
_EMPTY = ("PARKS_NM", "HADEVELOPT", "HOUSING_PSA", "TRANSIT_DISTRICT", "STATION_NAME")
_UNKNOWN = ("SUSP_AGE_GROUP", "SUSP_RACE", "VIC_AGE_GROUP", "VIC_RACE")
_POSITIONS = (("INSIDE", 55), ("FRONT OF", 22), (None, 18), ("OPPOSITE OF", 3), ("REAR OF", 2))
_PREMISES = (
    *(("STREET", 30), ("RESIDENCE - APT. HOUSE", 23), ("RESIDENCE-HOUSE", 12), ("OTHER", 5)),
    *(("RESIDENCE - PUBLIC HOUSING", 7), ("CHAIN STORE", 6), ("TRANSIT - NYC SUBWAY", 3)),
    *(("COMMERCIAL BUILDING", 4), ("GROCERY/BODEGA", 3), ("RESTAURANT/DINER", 2)),
    *(("HOTEL/MOTEL", 2), ("BAR/NIGHT CLUB", 2), (None, 1)),
)
_JURISDICTIONS = (
    *(("N.Y. POLICE DEPT", "0", 90), ("N.Y. HOUSING POLICE", "2", 7)),
    *(("N.Y. TRANSIT POLICE", "1", 2), ("PORT AUTHORITY", "3", 1)),
)

_T = TypeVar("_T")


def complaint_tables(
    incidents: Incidents,
    preset: Preset,
    corners: Corners,
    precincts: Precincts,
    rng: np.random.Generator,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Write the complaints as the publisher does, all text, in order of report.

    Returns
    -------
    historic, year_to_date : polars.DataFrame
        Reports before 1 January of the last year and the next `OVERLAP_ROWS` rows; reports
        since. A few rows of each file stand in it twice.
    """
    count = len(incidents.occurred)
    order = np.lexsort((rng.permutation(count), incidents.reported))
    table = _all_columns(incidents, preset, corners, precincts, rng)
    split = int(np.sum(incidents.reported < preset.year_to_date_start))
    historic = _with_duplicates(order[: split + OVERLAP_ROWS], rng)
    year_to_date = _with_duplicates(order[split:], rng)
    return (
        table.select(HISTORIC_COLUMNS)[historic],
        table.select(YEAR_TO_DATE_COLUMNS)[year_to_date].with_columns(
            pl.col(_NULL_TEXT_COLUMNS).fill_null(NULL_TEXT)
        ),
    )


def _all_columns(
    incidents: Incidents,
    preset: Preset,
    corners: Corners,
    precincts: Precincts,
    rng: np.random.Generator,
) -> pl.DataFrame:
    count = len(incidents.occurred)
    dates = [*pl.Series(preset.days).dt.strftime("%m/%d/%Y").to_list(), BAD_DATE, None]
    times = [f"{minute // 60:02d}:{minute % 60:02d}:00" for minute in range(24 * 60)] + [None]
    has_end = rng.integers(0, 4, count) > 0
    ends = np.minimum(incidents.minute + rng.integers(0, 120, count), 24 * 60 - 1)
    begins_on = incidents.occurred.copy()
    begins_on[_some(count, 1, rng)] = len(preset.days)
    point = incidents.point.copy()
    point[_some(count, _ZERO_POINTS, rng)] = corners.zero
    point[_some(count, _OUTSIDE_POINTS, rng)] = corners.outside
    premises, premise = _drawn(_PREMISES, count, rng)
    premise[_some(count, _NULL_PREMISES, rng)] = len(premises)
    positions, position = _drawn(_POSITIONS, count, rng)
    jurisdictions, jurisdiction = _drawn([(j, j[2]) for j in _JURISDICTIONS], count, rng)
    # An odd factor modulo a power of two hits each number once: 9 digits, and none repeats.
    factor = 2 * int(rng.integers(2**27, 2**28)) + 1
    number = 100_000_000 + np.arange(count) * factor % 2**29
    columns = {
        "CMPLNT_NUM": pl.Series(number).cast(pl.String),
        "CMPLNT_FR_DT": _gather(dates, begins_on),
        "CMPLNT_FR_TM": _gather(times, incidents.minute),
        "CMPLNT_TO_DT": _gather(dates, np.where(has_end, incidents.occurred, len(dates) - 1)),
        "CMPLNT_TO_TM": _gather(times, np.where(has_end, ends, len(times) - 1)),
        "RPT_DT": _gather(dates, incidents.reported),
        "KY_CD": _gather([str(o.key_code) for o in OFFENCES], incidents.offence),
        "OFNS_DESC": _gather([o.label for o in OFFENCES], incidents.offence),
        "PD_CD": _gather([str(o.detail_code) for o in OFFENCES], incidents.offence),
        "PD_DESC": _gather([o.detail for o in OFFENCES], incidents.offence),
        "LAW_CAT_CD": _gather([o.law for o in OFFENCES], incidents.offence),
        "CRM_ATPT_CPTD_CD": _gather(
            ["ATTEMPTED", "COMPLETED"], (rng.integers(0, 60, count) > 0).astype(np.int64)
        ),
        "ADDR_PCT_CD": _gather([str(n) for n in precincts.number], incidents.precinct),
        "BORO_NM": _gather([BOROUGHS[b] for b in precincts.borough], incidents.precinct),
        "PATROL_BORO": _gather(precincts.patrol_names, incidents.precinct),
        "LOC_OF_OCCUR_DESC": _gather(positions, position),
        "PREM_TYP_DESC": _gather([*premises, NULL_TEXT], premise),
        "JURIS_DESC": _gather([j[0] for j in jurisdictions], jurisdiction),
        "JURISDICTION_CODE": _gather([j[1] for j in jurisdictions], jurisdiction),
    }
    points = written_points(corners).rename({"wkt": "New Georeferenced Column"})
    columns |= {name: points[name].gather(point) for name in points.columns}
    return pl.DataFrame(columns).with_columns(
        *(pl.lit(None, dtype=pl.String).alias(name) for name in _EMPTY),
        *(pl.lit("UNKNOWN").alias(name) for name in _UNKNOWN),
        *(pl.lit("U").alias(name) for name in ("SUSP_SEX", "VIC_SEX")),
    )


def _gather(values: Sequence[str | None], index: NDArray[np.int64]) -> pl.Series:
    return pl.Series(values, dtype=pl.String).gather(index)


def _drawn(
    weighted: Sequence[tuple[_T, int]], count: int, rng: np.random.Generator
) -> tuple[list[_T], NDArray[np.int64]]:
    """Return the values, and `count` indices into them drawn by their whole-number weights."""
    upper = np.cumsum([weight for _, weight in weighted])
    index = np.searchsorted(upper, rng.integers(0, upper[-1], count), side="right")
    return [value for value, _ in weighted], index


def _some(count: int, at_full_size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw a defect's rows, in proportion to the file."""
    return rng.integers(0, count, max(1, round(at_full_size * count / FULL_ROWS)))


def _with_duplicates(rows: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    return np.concatenate([rows, rows[_some(len(rows), _DUPLICATES, rng)]])
