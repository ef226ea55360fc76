"""Whether a day's map is made from sources that have fallen silent, in a sentence for its readers.

Belongs here: which reports are looked at. Does not: the rule (`features/input_findings.py`), the
words around it (`publishing/map_words.py`).
"""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from htrisk_dagster.features.input_findings import sources_still_report
from htrisk_dagster.schemas import grid
from htrisk_dagster.study_areas.area import StudyArea
from htrisk_dagster.warehouse.partitions import Partitions

# A source that was silent for two months is a closed file; a month before tells how busy it was.
_LOOKED_BACK_DAYS = 92


def silence_before(tables: Partitions, area: StudyArea, day: date) -> str:
    """Which sources have stopped before the cutoff of `day`; empty where none has.

    Parameters
    ----------
    tables : Partitions
        Warehouse of the study area.
    area : StudyArea
    day : date
        Day the map is for.
    """
    cutoff = day - timedelta(days=area.publication_lag.incidents_days)
    first = (cutoff - timedelta(days=_LOOKED_BACK_DAYS)).replace(day=1)
    keys = [key for key in tables.keys(grid.INCIDENT_CELLS) if str(first) <= key < str(cutoff)]
    if not keys:
        return ""
    # Two columns of three months: this is asked for every day of a range.
    reports = pl.read_parquet(
        [tables.path(grid.INCIDENT_CELLS, key) for key in keys],
        columns=["source", "reported_on"],
        hive_partitioning=False,
        glob=False,
    )
    finding = sources_still_report(reports, cutoff)
    return "" if finding.holds else finding.sentence
