"""From a folder of publishers' files to one raw table: rows kept, rows refused, files read.

Belongs here: which parser reads which table, and the account of every row. Does not: recognising
files (`layouts`), a source's columns and rules (its module), removing repeats (staging).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import polars as pl

from htrisk_dagster.errors import SourceError
from htrisk_dagster.schemas import context_sources, nibrs, raw
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.sources import (
    airport_passengers,
    boundaries,
    city_boundaries,
    incident_reports,
    layouts,
    nibrs_files,
    nypd_complaints,
    nypd_felonies,
    nypd_shootings,
    permitted_events,
    police_agencies,
    review_decisions,
    transit_ridership,
    verified_cases,
)  # fmt: skip
from htrisk_dagster.sources.context import (
    advert_counts,
    census_areas,
    hotels,
    news_sentiment,
    places_of_interest,
    subway_stations,
    tax_lots,
)
from htrisk_dagster.sources.declared_layouts import files_in
from htrisk_dagster.sources.file_rows import read_row_parts, read_rows
from htrisk_dagster.sources.layouts import Header, Layout
from htrisk_dagster.sources.quarantine import REFUSAL, FileFacts, Parsed, mark_refused
from htrisk_dagster.sources.unsafe_cells import unsafe_cell_rules
from htrisk_dagster.study_areas.area import BoundingBox, StudyArea

NEW_YORK = BoundingBox(west=-74.30, south=40.47, east=-73.65, north=40.95)


@dataclass(frozen=True)
class Intake:
    """What was read for one raw table.

    Parameters
    ----------
    kept : DataFrame
        The source's table; no rows where no file was found.
    quarantined : DataFrame
        `raw.quarantine`, one row a refused row.
    files : DataFrame
        `raw.intake`, one row a file; no rows where no file was found.
    """

    kept: pl.DataFrame
    quarantined: pl.DataFrame
    files: pl.DataFrame


@dataclass(frozen=True)
class _Source:
    table: Table
    parse: Callable[[pl.DataFrame, FileFacts], Parsed]
    day: str | None = None  # column with the day a row speaks of
    row_key: str | None = None  # column that may not repeat over all files
    reshape: Callable[[pl.DataFrame], pl.DataFrame] | None = None
    is_restricted: bool = False  # no value may go into the quarantine table
    free_text: tuple[str, ...] = ()  # columns that are read and not kept
    in_parts: bool = False  # each row is typed from itself alone, and coded columns are understood
    read_geojson: Callable[[Path, Header, Layout], pl.DataFrame] = boundaries.read_features


_SOURCES = {
    source.table.name: source
    for source in (
        _Source(raw.COMPLAINTS, nypd_complaints.parse, "occurred_on", in_parts=True),
        _Source(raw.FELONIES, nypd_felonies.parse, "occurred_on"),
        _Source(raw.SHOOTINGS, nypd_shootings.parse, "occurred_on"),
        _Source(raw.INCIDENT_REPORTS, incident_reports.parse, "occurred_on"),
        _Source(raw.PERMITTED_EVENTS, permitted_events.parse, "starts_on"),
        _Source(raw.AIRPORT_PASSENGERS, airport_passengers.parse, "month_on", "month_on"),
        _Source(raw.TRANSIT_RIDERSHIP, transit_ridership.parse, "ridden_on", "ridden_on",
                transit_ridership.by_service),
        _Source(raw.BOROUGHS, boundaries.parse_boroughs, row_key="borough"),
        _Source(raw.PRECINCTS, boundaries.parse_precincts, row_key="precinct"),
        _Source(raw.VERIFIED_CASES, verified_cases.parse, "reported_on", is_restricted=True),
        _Source(raw.REVIEW_DECISIONS, review_decisions.parse, "risk_on", is_restricted=True),
        _Source(context_sources.NEIGHBOURHOODS, boundaries.parse_neighbourhoods,
                row_key="neighbourhood"),
        _Source(context_sources.TAX_LOTS, tax_lots.parse),
        _Source(context_sources.CENSUS_AREAS, census_areas.parse, row_key="area_key",
                reshape=census_areas.by_variable),
        _Source(context_sources.HOTELS, hotels.parse, reshape=hotels.by_building),
        _Source(context_sources.SUBWAY_STATIONS, subway_stations.parse, row_key="station"),
        _Source(context_sources.PLACES_OF_INTEREST, places_of_interest.parse,
                read_geojson=places_of_interest.read_points),
        _Source(context_sources.NEWS_SENTIMENT, news_sentiment.parse, "published_on",
                reshape=news_sentiment.by_area_day, is_restricted=True, free_text=("TEXT",)),
        _Source(context_sources.ADVERT_COUNTS, advert_counts.parse, "counted_on", "area_day",
                is_restricted=True),
        _Source(nibrs.NIBRS_MERGED, nibrs_files.parse_merged, "occurred_on"),
        _Source(nibrs.NIBRS_INCIDENTS, nibrs_files.parse_incidents, "occurred_on", "incident_id"),
        _Source(nibrs.NIBRS_OFFENCES, nibrs_files.parse_offences, row_key="offence_id"),
        _Source(nibrs.NIBRS_OFFENCE_TYPES, nibrs_files.parse_offence_types, row_key="nibrs_code"),
        _Source(nibrs.NIBRS_LOCATIONS, nibrs_files.parse_locations, row_key="location_id"),
        _Source(nibrs.POLICE_AGENCIES, police_agencies.parse, row_key="agency_year"),
    )
}  # fmt: skip


# By property names of its own: a city whose study area declares its boundary.
_CITY_BOUNDARIES = {
    source.table.name: source
    for source in (
        _Source(raw.BOROUGHS, city_boundaries.parse_outline,
                reshape=partial(city_boundaries.joined, name="borough")),
        _Source(raw.PRECINCTS, city_boundaries.parse_areas,
                reshape=partial(city_boundaries.joined, name="precinct")),
    )
}  # fmt: skip


def read(
    table_name: str,
    folder: Path,
    *,
    time_zone: str,
    bounding_box: BoundingBox = NEW_YORK,
    area: StudyArea | None = None,
) -> Intake:
    """Read every file of one raw table in `folder` and below it.

    Parameters
    ----------
    table_name : str
        Name of a table of `schemas.raw` or `schemas.context_sources` that comes from files.
    folder : Path
        Folder of the publishers' files.
    time_zone : str
        IANA name of the zone in which the publishers write times.
    bounding_box : BoundingBox
        Box in degrees; a point outside it is an error of geocoding.
    area : StudyArea, optional
        Study area that names the columns of the city's own files.

    Returns
    -------
    Intake
        Without rows where the folder holds no file of the table; boundaries that a study area
        declares stand in for a file of them.

    Raises
    ------
    SourceError
        Where the folder or table does not exist, or a file is unusable as a whole.
    """
    paths = files_in(folder, area, table_name)
    declares = area is not None and area.boundary is not None and table_name in _CITY_BOUNDARIES
    source = (_CITY_BOUNDARIES if declares else _SOURCES)[table_name]
    if not paths:
        kept = source.table.empty()
        if declares and area is not None:
            kept = city_boundaries.stand_in(area, table_name)
        return Intake(kept, raw.QUARANTINE.empty(), raw.INTAKE.empty())
    parts = [
        _read_file(
            source, path, layout, folder, FileFacts(time_zone, bounding_box, _pulled_on(path), area)
        )
        for path, layout in paths
    ]
    rows = _refuse_repeated_keys(source, pl.concat(part.rows for part in parts))
    kept = rows.filter(pl.col("rule").is_null())
    refused = rows.filter(pl.col("rule").is_not_null())
    reshaped = kept if source.reshape is None else source.reshape(kept.drop(REFUSAL))
    return Intake(
        kept=source.table.conform(reshaped),
        quarantined=raw.QUARANTINE.conform(_quarantined(source, refused)),
        files=raw.INTAKE.conform(_account(source, parts, kept, refused)),
    )


@dataclass(frozen=True)
class _FilePart:
    source_file: str
    layout: str
    sha256: str
    rows: pl.DataFrame
    columns: list[str]


def _read_file(
    source: _Source, path: Path, layout: Layout, folder: Path, facts: FileFacts
) -> _FilePart:
    header = layouts.recognise(path, source.table.name, layout)
    if header is None:
        raise SourceError(f"{path} changed while it was read. Run again when it is complete.")
    digest = hashlib.sha256()
    if header.form == "GeoJSON":
        parts = iter([source.read_geojson(path, header, layout)])
        digest.update(path.read_bytes())
    elif source.in_parts:
        parts = read_row_parts(path, header, layout, digest)
    else:
        parts = iter([read_rows(path, header, layout, digest)])
    name = path.name if path == folder else path.relative_to(folder).as_posix()
    typed = pl.concat(
        _typed(source, rows, header, layout, facts).with_columns(
            pl.lit(name).alias("source_file"), pl.lit(facts.pulled_on).alias("pulled_on")
        )
        for rows in parts
    )
    return _FilePart(name, header.layout_name, digest.hexdigest(), typed, list(header.names))


def _typed(
    source: _Source, rows: pl.DataFrame, header: Header, layout: Layout, facts: FileFacts
) -> pl.DataFrame:
    """Columns of the table, and which rule each row breaks."""
    if layout.category:
        rows = places_of_interest.as_places(rows, layout)
    parsed = source.parse(rows, facts)
    unsafe = unsafe_cell_rules(parsed.rows, layout.columns, source.free_text)
    marked = mark_refused(parsed, header.published, unsafe)
    # The publisher's text is in upper case and ends here; only typed columns go on.
    return marked.select(column for column in marked.columns if column != column.upper())


def _pulled_on(path: Path) -> date:
    """Day of the file, UTC: a file that is read again gives the same rows."""
    return datetime.fromtimestamp(path.stat().st_mtime, UTC).date()


def _refuse_repeated_keys(source: _Source, rows: pl.DataFrame) -> pl.DataFrame:
    """Keep, of the good rows with one key, that of the newest file, then the last in it."""
    if source.row_key is None:
        return rows
    by_age = rows.with_row_index("place").sort("pulled_on", "source_file", "source_row")
    is_newest = pl.struct(source.row_key, "rule").is_last_distinct()
    is_repeated = pl.col("rule").is_null() & ~is_newest
    refusal = {
        "rule": pl.lit("repeated_key"),
        # The column that the key is read from comes first in its layout.
        "column": pl.lit(layouts.LAYOUTS[source.table.name].required[0]),
        "value": pl.col(source.row_key).cast(pl.String),
        "reason": pl.lit("Another row gives the same; that of the newest file is kept."),
    }
    marked = by_age.with_columns(
        pl.when(is_repeated).then(text).otherwise(name).alias(name)
        for name, text in refusal.items()
    )
    return marked.sort("place").drop("place")


def _quarantined(source: _Source, refused: pl.DataFrame) -> pl.DataFrame:
    value = pl.lit(None, pl.String) if source.is_restricted else pl.col("value")
    return refused.with_columns(pl.lit(source.table.name).alias("source"), value.alias("value"))


def _account(
    source: _Source, parts: list[_FilePart], kept: pl.DataFrame, refused: pl.DataFrame
) -> pl.DataFrame:
    """One row a file; that rows read are rows kept plus rows refused is asserted."""
    files = pl.DataFrame(
        [(p.source_file, p.layout, p.sha256, p.rows.height, p.columns) for p in parts],
        schema={"source_file": pl.String, "layout": pl.String, "sha256": pl.String,
                "rows_read_count": pl.Int64, "columns": pl.List(pl.String)},
        orient="row",
    )  # fmt: skip
    day = pl.lit(None, pl.Date) if source.day is None else pl.col(source.day)
    # Rows lie by file: to compare neighbours costs less than to look up each row's file.
    by_file = kept.group_by(pl.col("source_file").rle_id().alias("number"), maintain_order=True)
    kept_by_file = by_file.agg(
        pl.col("source_file").first(),
        pl.len().alias("rows_kept_count"),
        day.min().alias("first_on"),
        day.max().alias("last_on"),
    ).drop("number")
    refused_by_file = refused.group_by("source_file").agg(pl.len().alias("rows_quarantined_count"))
    account = (
        files.join(kept_by_file, on="source_file", how="left", maintain_order="left")
        .join(refused_by_file, on="source_file", how="left", maintain_order="left")
        .with_columns(
            pl.lit(source.table.name).alias("source"),
            pl.col("rows_kept_count", "rows_quarantined_count").fill_null(0),
        )
    )
    lost = account.filter(
        pl.col("rows_read_count") != pl.col("rows_kept_count") + pl.col("rows_quarantined_count")
    )
    if lost.height:
        raise AssertionError(f"rows read are not rows kept plus rows refused: {lost.to_dicts()}")
    return account
