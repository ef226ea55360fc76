"""Defects of publishers' files that a city can have on demand.

Belongs here: which defects there are, and what each does to the complaints. Does not: the defects
every such file has at the publisher's own rate (`complaint_files`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.errors import SettingError
from htrisk_dagster.sources.synthetic_city.offences import OFFENCES

RENAMED_FROM = 2024
# Labels of the publisher that changed or were cut between yearly files.
RENAMES = {
    "KIDNAPPING & RELATED OFFENSES": "KIDNAPPING",
    "PROSTITUTION & RELATED OFFENSES": "PROSTITUTION",
    "HARRASSMENT 2": "HARASSMENT 2",
    "OTHER OFFENSES RELATED TO THEFT": "OTHER OFFENSES RELATED TO THEF",
    "SEX CRIMES": "FELONY SEX CRIMES",
}
_CODES = ("KY_CD", "PD_CD", "ADDR_PCT_CD")
_AUTUMN_MINUTE, _SPRING_MINUTE = 90, 150
_BEFORE_DAWN = 4 * 60


@dataclass(frozen=True)
class Defects:
    """What is wrong with the complaint files beyond the publisher's own faults.

    Parameters
    ----------
    duplicates_per_million : float
        Rows that stand in a file twice; 100 is the publisher's own rate.
    amended_per_thousand : float
        Complaints of the last year that come again in a later file as another offence of their
        family, under the same number.
    late_month : date, optional
        First day of a month whose reports are missing from both files and come in a later one.
    has_renames : bool
        From 2024 labels are others, and codes are written as decimals (`105.0`).
    has_clock_changes : bool
        On days when the clocks change, incidents before dawn are all put into the hour that spring
        skips, or that autumn has twice.
    """

    duplicates_per_million: float = 100.0
    amended_per_thousand: float = 0.0
    late_month: date | None = None
    has_renames: bool = False
    has_clock_changes: bool = False

    def __post_init__(self) -> None:
        if self.late_month is not None and self.late_month.day != 1:
            raise SettingError(
                f"Defects: late_month {self.late_month} is no first day of a month. Give the "
                "month's first day."
            )
        if not 0 <= self.amended_per_thousand <= 1000 or self.duplicates_per_million < 0:
            raise SettingError(
                "Defects: amended_per_thousand must lie between 0 and 1000 and "
                "duplicates_per_million must not be negative."
            )


NO_DEFECTS = Defects()


def renamed(table: pl.DataFrame) -> pl.DataFrame:
    """Rename labels and write codes as decimals where the report is of 2024 or later.

    Parameters
    ----------
    table : DataFrame
        Columns of the publisher, all text.
    """
    is_new = pl.col("RPT_DT").str.slice(6).cast(pl.Int32) >= RENAMED_FROM
    return table.with_columns(
        pl.when(is_new)
        .then(pl.col("OFNS_DESC").replace(RENAMES))
        .otherwise("OFNS_DESC")
        .alias("OFNS_DESC"),
        *(pl.when(is_new).then(pl.format("{}.0", c)).otherwise(c).alias(c) for c in _CODES),
    )


def with_clock_changes(
    minute: NDArray[np.int64], occurred: NDArray[np.int64], days: NDArray[np.datetime64]
) -> NDArray[np.int64]:
    """Move incidents before dawn of the days that clocks change into the hour in question.

    The second Sunday of March and the first of November, by the Energy Policy Act of 2005.
    """
    month = days.astype("datetime64[M]")
    of_month = (days - month).astype(np.int64)
    is_sunday = (days.astype(np.int64) + 3) % 7 == 6
    number = month.astype(np.int64) % 12
    spring = is_sunday & (number == 2) & (of_month >= 7) & (of_month < 14)
    autumn = is_sunday & (number == 10) & (of_month < 7)
    is_early = minute < _BEFORE_DAWN
    moved = np.where(is_early & spring[occurred], _SPRING_MINUTE, minute)
    return np.where(is_early & autumn[occurred], _AUTUMN_MINUTE, moved)


def amended_offence(offence: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return another offence of the same family for each, the next in the catalogue."""
    families = [o.family for o in OFFENCES]
    following = np.arange(len(OFFENCES))
    for name in dict.fromkeys(families):
        members = np.array([i for i, family in enumerate(families) if family == name])
        following[members] = np.roll(members, -1)
    changed: NDArray[np.int64] = following[offence]
    return changed
