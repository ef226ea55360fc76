"""Complaints as the NYPD publishes them: a historic file and a year-to-date file.

Belongs here: the two layouts, and which complaint stands in which file. Does not: what stands in a
column (`complaint_rows`), defects on demand (`defects`).

The historic file (qgea-i56i) has 35 columns and leaves missing values empty; the year-to-date
file (5uac-w243) has 36, quotes every value and writes '(null)' for most missing ones. The last
year's first reports are in both. Columns on suspects and victims exist, as in the publisher's
files, and hold nothing but 'UNKNOWN' and 'U'.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.sources.synthetic_city.complaint_rows import (
    NULL_TEXT,
    ComplaintRows,
    word_complaints,
)
from htrisk_dagster.sources.synthetic_city.corners import Corners
from htrisk_dagster.sources.synthetic_city.defects import (
    amended_offence,
    renamed,
    with_clock_changes,
)
from htrisk_dagster.sources.synthetic_city.incidents import Incidents
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
HISTORIC = "complaints/NYPD_Complaint_Data_Historic.csv"
YEAR_TO_DATE = "complaints/NYPD_Complaint_Data_Current_Year_To_Date.csv"
LATER = "complaints/NYPD_Complaint_Data_Later.csv"
OVERLAP_ROWS = 300
_NULL_TEXT_COLUMNS = ("HADEVELOPT", "LOC_OF_OCCUR_DESC", "PARKS_NM", "STATION_NAME")
_EMPTY = ("PARKS_NM", "HADEVELOPT", "HOUSING_PSA", "TRANSIT_DISTRICT", "STATION_NAME")
_UNKNOWN = ("SUSP_AGE_GROUP", "SUSP_RACE", "VIC_AGE_GROUP", "VIC_RACE")
_ROWS_AT_ONCE = 200_000


@dataclass(frozen=True, eq=False)
class ComplaintFile:
    """One file of complaints.

    Parameters
    ----------
    path : str
        Path within the city.
    columns : tuple of str
        Its layout.
    parts : list of (ComplaintRows, ndarray of int64)
        Rows in order, by the complaints they are of.
    has_renames : bool
        Whether the newest labels and codes are others.
    """

    path: str
    columns: tuple[str, ...]
    parts: list[tuple[ComplaintRows, NDArray[np.int64]]]
    has_renames: bool

    @property
    def height(self) -> int:
        """Number of rows."""
        return sum(len(rows) for _, rows in self.parts)

    def frames(self) -> Iterator[pl.DataFrame]:
        """Yield the rows as written, some at a time; all columns are text."""
        for complaints, rows in self.parts:
            for start in range(0, len(rows), _ROWS_AT_ONCE):
                yield self._written(complaints.frame(rows[start : start + _ROWS_AT_ONCE]))

    def _written(self, frame: pl.DataFrame) -> pl.DataFrame:
        if self.has_renames:
            frame = renamed(frame)
        frame = frame.rename({"wkt": "New Georeferenced Column"}).with_columns(
            *(pl.lit(None, dtype=pl.String).alias(name) for name in _EMPTY),
            *(pl.lit("UNKNOWN").alias(name) for name in _UNKNOWN),
            *(pl.lit("U").alias(name) for name in ("SUSP_SEX", "VIC_SEX")),
        )
        if self.columns == YEAR_TO_DATE_COLUMNS:
            frame = frame.with_columns(pl.col(_NULL_TEXT_COLUMNS).fill_null(NULL_TEXT))
        return frame.select(self.columns)


def complaint_files(
    incidents: Incidents,
    preset: Preset,
    corners: Corners,
    precincts: Precincts,
    rng: np.random.Generator,
    defect_rng: np.random.Generator,
) -> list[ComplaintFile]:
    """Sort the complaints into files, each in order of report.

    Parameters
    ----------
    incidents, preset, corners, precincts
        The city.
    rng : numpy.random.Generator
        Stream of the files.
    defect_rng : numpy.random.Generator
        Stream of defects on demand, so that none of them changes any other row.

    Returns
    -------
    list of ComplaintFile
        `HISTORIC`: reports before 1 January of the last year and the next `OVERLAP_ROWS` rows.
        `YEAR_TO_DATE`: reports since. A few rows of each file stand in it twice. `LATER`, where the
        defects ask for it: a month that was missing, and amended complaints.
    """
    count = len(incidents.occurred)
    order = np.lexsort((rng.permutation(count), incidents.reported))
    defects = preset.defects
    if defects.has_clock_changes:
        minute = with_clock_changes(incidents.minute, incidents.occurred, preset.days)
        incidents = replace(incidents, minute=minute)
    complaints = word_complaints(incidents, preset, corners, precincts, rng)
    split = int(np.sum(incidents.reported < preset.year_to_date_start))
    is_late = np.zeros(count, dtype=bool)
    if defects.late_month is not None:
        month = preset.days[incidents.reported].astype("datetime64[M]")
        is_late = month == np.datetime64(defects.late_month, "M")
    rate = defects.duplicates_per_million / 1e6
    historic, year_to_date = (
        np.concatenate([rows, _some(rows, rate, rng)])
        for rows in (order[: split + OVERLAP_ROWS], order[split:])
    )
    historic, year_to_date = historic[~is_late[historic]], year_to_date[~is_late[year_to_date]]
    again = np.unique(_some(year_to_date, defects.amended_per_thousand / 1000, defect_rng))
    amended = complaints.with_index("offence", amended_offence(incidents.offence))
    files = [
        (HISTORIC, HISTORIC_COLUMNS, [(complaints, historic)]),
        (YEAR_TO_DATE, YEAR_TO_DATE_COLUMNS, [(complaints, year_to_date)]),
        (LATER, YEAR_TO_DATE_COLUMNS, [(complaints, order[is_late[order]]), (amended, again)]),
    ]
    made = [ComplaintFile(*file, has_renames=defects.has_renames) for file in files]
    return [file for file in made if file.height]


def _some(rows: NDArray[np.int64], share: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw a share of the rows, one at least unless the share is 0."""
    count = max(1, round(share * len(rows))) if share else 0
    return rows[rng.integers(0, len(rows), count)]
