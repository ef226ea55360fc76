"""Layouts of a study area: the publishers' own, or what its file says of its city's files.

Belongs here: from the declaration to `Layout`s, and the search by them. Does not: recognising
(`layouts`), reading (`intake`), the declaration itself (`study_areas/`).
"""

from __future__ import annotations

from pathlib import Path

from htrisk_dagster.errors import SourceError
from htrisk_dagster.schemas import context_sources, raw
from htrisk_dagster.sources import incident_reports
from htrisk_dagster.sources.layouts import LAYOUTS, Layout, find_files, normalise
from htrisk_dagster.study_areas.area import StudyArea
from htrisk_dagster.study_areas.city_files import BoundaryPart, PlaceFile


def layouts_in(area: StudyArea | None, table: str) -> tuple[Layout, ...]:
    """Layouts by which files of a raw table are found; none where the area has no such file.

    Parameters
    ----------
    area : StudyArea, optional
        Without one the publishers' own layouts alone.

    Raises
    ------
    SourceError
        Where there is no such table.
    """
    if table == raw.INCIDENT_REPORTS.name:
        file = area.incident_file if area else None
        return (incident_reports.layout_of(file),) if file else ()
    if area and area.boundary and table in (raw.BOROUGHS.name, raw.PRECINCTS.name):
        return _boundary(area.boundary, table)
    if table not in LAYOUTS:
        raise SourceError(f"No file holds the table '{table}'. There are: {', '.join(LAYOUTS)}.")
    own = LAYOUTS[table]
    if area and table == context_sources.PLACES_OF_INTEREST.name and area.context.places:
        files = area.context.places.files.items()
        return (own, *(_places(category, file) for category, file in files))
    return (own,)


def files_in(folder: Path, area: StudyArea | None, table: str) -> list[tuple[Path, Layout]]:
    """Files of a raw table in `folder` and below it, each with the layout it has, in order of path.

    Raises
    ------
    SourceError
        As for `layouts.find_files`.
    """
    found = {
        path: layout
        for layout in reversed(layouts_in(area, table))
        for path in find_files(folder, table, layout)
    }
    return sorted(found.items())


def _boundary(part: BoundaryPart, table: str) -> tuple[Layout, ...]:
    # Areas together are the city, where nothing else gives its outline.
    outline = part.outline or (part.areas if not part.hull else None)
    named = part.areas if table == raw.PRECINCTS.name else outline
    return (Layout(table, (normalise(named),), forms=("GeoJSON",)),) if named else ()


def _places(category: str, file: PlaceFile) -> Layout:
    columns = (file.latitude, file.longitude, *file.recognised_by)
    return Layout(
        context_sources.PLACES_OF_INTEREST.name,
        tuple(dict.fromkeys(map(normalise, columns))),
        forms=("CSV", "JSON", "Parquet"),
        is_generic=True,
        category=category,
    )
