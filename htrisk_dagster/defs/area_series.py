"""Area series through the graph: counts by period, and what the months and the clock are made of.

Belongs here: which incidents are counted, by which places, and the steps behind `series/area_periods` and
the descriptions. Does not: forecasts (`series_outlook.py`), score and plan (`series_plans.py`), the
methods (`models/series`), what is checked (`series_checks.py`).

Counts and descriptions have no partitions: they are of the whole history as it is known now, amended
reports included, and a new month changes every one of them. What is forecast has: see `series_outlook.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from htrisk_dagster.defs.fingerprints import MadeFrom
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.errors import SourceError
from htrisk_dagster.features.coverage import History
from htrisk_dagster.models.series.aggregation import (
    TOTAL_AREA,
    count_by_area,
    local_days,
    whole_periods,
)
from htrisk_dagster.models.series.panel import Frequency, SeriesPanel
from htrisk_dagster.schemas import series, staging
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.study_areas.area import StudyArea
from htrisk_dagster.warehouse.partitions import WHOLE

PLACE = "place"
DESCRIPTIONS = (series.DECOMPOSITION, series.STATIONARITY, series.AUTOCORRELATION, series.PEAKS)


@dataclass(frozen=True)
class KnownIncidents:
    """Incidents of the source that covers the study area longest, and the days they cover.

    `rows` have the `place` that each is counted under, missing where nothing says it.
    """

    rows: pl.DataFrame
    first_day: date
    last_day: date


def known_incidents(
    workspace: Workspace, area: StudyArea, known_before: date | None = None
) -> KnownIncidents | None:
    """Incidents of the preferred covered source, without the newest days, whose reports still come.

    Parameters
    ----------
    known_before : date, optional
        Reports of this day and later are not read; all are if not given.

    Returns
    -------
    KnownIncidents or None
        None where no source covers six months on end.
    """
    from htrisk_dagster.evaluation.training import waiting_days

    rows = workspace.tables(area.name).read(staging.INCIDENTS, [WHOLE])
    if known_before is not None:
        rows = rows.filter(pl.col("reported_on") < known_before)
    newest = rows["reported_on"].max()
    chosen = History.of(rows).choose(area.incidents, newest) if isinstance(newest, date) else None
    if chosen is None or not isinstance(newest, date):
        return None
    source, first_day = chosen
    rows = rows.filter(pl.col("source") == source)
    last = newest - timedelta(days=waiting_days(rows, newest + timedelta(days=1)))
    return KnownIncidents(with_places(rows, area), first_day, last) if last > first_day else None


def with_places(rows: pl.DataFrame, area: StudyArea) -> pl.DataFrame:
    """Incidents with the `place` that they are counted under.

    The area's own code of a beat or town where it declares some, else the number of the precinct; the
    borough where no incident has a precinct, as in a city that publishes points alone.
    """
    if rows["precinct"].null_count() == rows.height:
        return rows.with_columns(pl.col("borough").alias(PLACE))
    codes = {number: code for code, number in precinct_numbers(area).items()}
    number = pl.col("precinct")
    named = number.replace_strict(codes, default=None, return_dtype=pl.String)
    return rows.with_columns(pl.coalesce(named, number.cast(pl.String)).alias(PLACE))


def precinct_numbers(area: StudyArea) -> dict[str, int]:
    """Number of each declared beat or town by its code; empty where codes are numbers."""
    return {code: declared.number for code, declared in area.areas.items()}


def store_area_periods(workspace: Workspace, area: StudyArea) -> dict[str, Any]:
    """Count by day, week and month; replace the table.

    Raises
    ------
    SourceError
        Where no source covers six months on end.
    """
    known = _required(workspace, area)
    table = pl.concat([counted(known, frequency) for frequency in series.FREQUENCIES])
    write_series(workspace, area, series.AREA_PERIODS, table)
    return {
        "areas": table[PLACE].n_unique() - 1,
        "incidents": int(table.filter(frequency="day", place=TOTAL_AREA)["incidents_count"].sum()),
        "first_day": str(known.first_day),
        "last_day": str(known.last_day),
    }


def _required(workspace: Workspace, area: StudyArea) -> KnownIncidents:
    known = known_incidents(workspace, area)
    if known is None:
        raise SourceError(
            f"No source of {', '.join(area.incidents.sources)} covers six months on end. Bring more "
            "reports to the folder of files."
        )
    return known


def counted(known: KnownIncidents, frequency: Frequency) -> pl.DataFrame:
    """Known incidents by place and period, as `series.area_periods`."""
    return count_by_area(
        known.rows,
        area=PLACE,
        day="occurred_on",
        first_day=known.first_day,
        last_day=known.last_day,
        frequency=frequency,
    )


def panels_of(periods: pl.DataFrame, least: int) -> list[SeriesPanel]:
    """Whole periods of the places, and of all together; none where there are fewer than `least`.

    Two panels, or that of all alone where incidents have no place.
    """
    whole = periods.filter(~pl.col("is_partial"))
    if whole["period_on"].n_unique() < least:
        return []
    is_total = pl.col(PLACE) == TOTAL_AREA
    places = [] if whole.filter(~is_total).is_empty() else [whole_periods(whole)]
    return [*places, whole_periods(whole.filter(is_total), with_total=True)]


def store_descriptions(workspace: Workspace, area: StudyArea) -> dict[str, Any]:
    """Take the months apart, test them, and find peaks of clock and calendar; replace four tables."""
    from htrisk_dagster.evaluation.series_forecast import least_periods
    from htrisk_dagster.models.series.decomposition import decomposition_table
    from htrisk_dagster.models.series.stationarity import (
        autocorrelation_table,
        stationarity_table,
    )

    periods = workspace.tables(area.name).read(series.AREA_PERIODS, [WHOLE])
    panels = panels_of(periods.filter(frequency="month"), least_periods("month"))
    tables = {table: table.empty() for table in DESCRIPTIONS}
    if panels:
        for table, make in (
            (series.DECOMPOSITION, decomposition_table),
            (series.STATIONARITY, stationarity_table),
            (series.AUTOCORRELATION, autocorrelation_table),
        ):
            tables[table] = pl.concat([make(panel) for panel in panels])
    tables[series.PEAKS] = _peaks(workspace, area)
    for table, frame in tables.items():
        write_series(workspace, area, table, frame)
    steady = tables[series.STATIONARITY].group_by("verdict").len().rows()
    return {
        "months": panels[0].n_periods if panels else 0,
        "peaks": int(tables[series.PEAKS]["is_peak"].sum()),
        **{f"verdict_{verdict}": n for verdict, n in sorted(steady)},
    }


def _peaks(workspace: Workspace, area: StudyArea) -> pl.DataFrame:
    from htrisk_dagster.models.series.peaks import count_phases, peaks_table

    known = _required(workspace, area)
    rows = with_local_time(known, area)
    first = np.datetime64(known.first_day)
    stop = np.datetime64(known.last_day) + 1

    def table(name: str, of: pl.DataFrame) -> pl.DataFrame:
        days = of["local_on"].to_numpy().astype("datetime64[D]")
        hours = of["local_hour"].cast(pl.Int64).to_numpy()
        phases = count_phases(days, hours, first, stop)
        return peaks_table(name, phases, seed=workspace.settings.seed)

    parts = rows.drop_nulls(PLACE).partition_by(PLACE, as_dict=True)
    by_area = [table(str(place), of) for (place,), of in sorted(parts.items())]
    return pl.concat([table(TOTAL_AREA, rows), *by_area])


def with_local_time(known: KnownIncidents, area: StudyArea) -> pl.DataFrame:
    """Incidents of the covered days with `local_on` and `local_hour`."""
    instants = known.rows["occurred_at"]
    local = instants.dt.replace_time_zone("UTC").dt.convert_time_zone(area.time_zone)
    rows = known.rows.with_columns(
        local_on=local_days(instants, area.time_zone), local_hour=local.dt.hour()
    )
    return rows.filter(pl.col("local_on").is_between(known.first_day, known.last_day))


def write_series(
    workspace: Workspace, area: StudyArea, table: Table, frame: pl.DataFrame, key: str = WHOLE
) -> None:
    """Replace one partition of a table of series."""
    made = MadeFrom(workspace, area)
    made_from = made.series() if key == WHOLE else made.series_of(key)
    workspace.tables(area.name).write(table, frame, key, made_from=made_from)
    workspace.build_catalog()
