"""The live origin of a study area with `[services]`: which layer makes a raw table, what is asked again.

Belongs here: one call that brings a raw table's files up to date in a folder. Does not: requests
(`arcgis`), New York's open data (`live`), reading the files (`intake`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from htrisk_dagster.errors import SourceError
from htrisk_dagster.schemas import context_sources, raw
from htrisk_dagster.sources.arcgis import FeatureLayer
from htrisk_dagster.sources.live import is_unsettled
from htrisk_dagster.sources.page_files import MonthOfPages
from htrisk_dagster.study_areas.area import StudyArea
from htrisk_dagster.study_areas.city_files import FeatureService

# A layer without dates, such as licences: asked again after a month.
KEPT_DAYS = 30
_SHAPES = (raw.BOROUGHS.name, raw.PRECINCTS.name)


def fetch(
    area: StudyArea,
    table: str,
    start: date,
    end: date,
    *,
    into: Path,
    token: str | None,
    say: Callable[[str], None],
    today: date | None = None,
) -> Path:
    """Bring the files of one raw table up to date; return their folder, `<into>/<table>`.

    Parameters
    ----------
    area : StudyArea
    table : str
        Raw table. One without a service gets an empty folder, for files brought by hand.
    start, end : date
        First and last local day, both included; whole months are asked for, none after today.
    into : Path
        Folder of all tables.
    token : str, optional
        For a server that asks for one.
    say : callable
        Takes one line of progress.
    today : date, optional
        Day of the request, UTC; now if not given.

    Raises
    ------
    SourceError
        Where the range is empty, the study area names no columns of the table, or a server refuses or
        does not recover. Finished months stay.
    """
    if end < start:
        raise SourceError(f"Nothing can be fetched from {start} to {end}: the end lies before.")
    folder = into / table
    folder.mkdir(parents=True, exist_ok=True)
    service = area.services.get(table)
    if service is None:
        return folder
    now = today or datetime.now(UTC).date()
    columns = _columns(area, table)
    with FeatureLayer(service.url, token) as layer:
        if service.date_field is None:
            _fetch_whole(layer, service, table, columns, folder, now, say)
            return folder
        rows = 0

        def count(new: int) -> None:
            nonlocal rows
            rows += new
            say(f"{layer.name}: {rows} rows")

        layer.download_months(
            columns,
            date_field=service.date_field,
            time_zone=area.time_zone,
            start=start,
            stop=min(end, now) + timedelta(days=1),
            into=folder,
            where=service.where,
            refresh=lambda month: _is_stale(month, now),
            progress=count,
        )
    return folder


def _fetch_whole(
    layer: FeatureLayer,
    service: FeatureService,
    table: str,
    columns: tuple[str, ...],
    folder: Path,
    today: date,
    say: Callable[[str], None],
) -> None:
    files = list(folder.glob(f"{layer.name}.*json.gz"))
    if files and 0 <= (today - _day_written(files[0])).days < KEPT_DAYS:
        return
    say(f"{layer.name}: asking {service.url}")
    download = layer.download_geojson if table in _SHAPES else layer.download
    download(columns, folder, where=service.where)


def _columns(area: StudyArea, table: str) -> tuple[str, ...]:
    """Fields of a layer that are asked for, which are those that the study area names."""
    if table == raw.INCIDENT_REPORTS.name and area.incident_file:
        return area.incident_file.columns
    boundary = area.boundary
    if boundary and table in _SHAPES:
        named = boundary.areas if table == raw.PRECINCTS.name else boundary.outline
        if named:
            return (named,)
    places = area.context.places
    if table == context_sources.PLACES_OF_INTEREST.name and places and len(places.files) == 1:
        (file,) = places.files.values()
        return (file.latitude, file.longitude, *file.recognised_by)
    raise SourceError(
        f"Study area '{area.name}' has a service of {table}, but names no columns of it. Name them in "
        "incident_file, boundary or context.places.files."
    )


def _is_stale(month: MonthOfPages, today: date) -> bool:
    return is_unsettled(month.stop, _day_written(month.finished()[0]), today)


def _day_written(path: Path) -> date:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).date()
