"""Which publisher's file is which: recognised by the names in its header, never by its own name.

Belongs here: the columns each raw table is read from, how a header is read cheaply, and the search
of a folder. Does not: reading rows (`file_rows`), what a value means (one module a source).

Headers differ in spelling only: the CSV export says `Start Date/Time`, the API `start_date_time`.
Both become `START_DATE_TIME` here, so one list of names serves every layout of a table.
"""

from __future__ import annotations

import csv
import re
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from io import BufferedIOBase
from pathlib import Path
from typing import Literal

import polars as pl

from htrisk_dagster.errors import SourceError
from htrisk_dagster.sources.file_content import (
    LONGEST_LINE_BYTES,
    decode,
    files_below,
    open_file,
    require_form,
    require_size,
    require_unpacked,
)

Form = Literal["CSV", "JSON", "GeoJSON", "Parquet"]
SUFFIXES: dict[str, Form] = {
    ".csv": "CSV", ".csv.gz": "CSV", ".json": "JSON", ".json.gz": "JSON",
    ".geojson": "GeoJSON", ".geojson.gz": "GeoJSON", ".parquet": "Parquet",
}  # fmt: skip
LOOKS_LIKE = 0.6  # share of a table's columns from which a file is taken for that table
_CHUNK = 1 << 16
_OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}
_KEY = re.compile(r'"((?:[^"\\]|\\.)*)"\s*:')
_PROPERTIES = re.compile(r'"properties"\s*:\s*\{([^{}]*)\}')

# Spellings that the publishers themselves use for one column.
_SAME_COLUMN = {
    "BORONAME": "BOROUGH",
    "BORO_NAME": "BOROUGH",
    "BUSES_TOTAL_ESTIMATED_RIDERSIP": "BUSES_TOTAL_ESTIMATED_RIDERSHIP",  # the API's own spelling
    "GTFS_LATITUDE": "LATITUDE",
    "GTFS_LONGITUDE": "LONGITUDE",
    "LAT": "LATITUDE",
    "LON": "LONGITUDE",
}


@dataclass(frozen=True)
class Layout:
    """Columns that a raw table is read from, in the spelling of `normalise`.

    Parameters
    ----------
    table : str
        Name of the raw table.
    required : tuple of str
        Columns that every row fills; a file of any form must have them.
    nullable : tuple of str
        Columns that may be empty. A CSV must have them; JSON leaves a key out where it is null.
    not_with : tuple of str
        Beginnings of columns that say that the file is of a finer grain than this table.
    optional : tuple of str
        Columns that a file may lack altogether; they are then missing in every row.
    forms : tuple of str
        Forms of file that can hold the table. In GeoJSON the place is in the geometry, so only
        required columns are looked for.
    is_closed : bool
        Whether a file with any further column is refused as a whole.
    is_generic : bool
        Whether the names are so common that a file with only some of them is something else.
    category : str
        Category of every row, in a file of places that does not say it; latitude and longitude are
        then the first two of `required`.
    """

    table: str
    required: tuple[str, ...]
    nullable: tuple[str, ...] = ()
    not_with: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    forms: tuple[Form, ...] = ("CSV", "JSON")
    is_closed: bool = False
    is_generic: bool = False
    category: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is read; all others are never loaded."""
        return self.required + self.nullable + self.optional

    def expected(self, form: Form) -> tuple[str, ...]:
        """Columns by which a file of a form is recognised."""
        return self.required if form == "GeoJSON" else self.required + self.nullable


_POINT = ("LATITUDE", "LONGITUDE")
LAYOUTS = {
    layout.table: layout
    for layout in (
        Layout(
            "complaints",
            ("CMPLNT_NUM", "CMPLNT_FR_DT", "RPT_DT"),
            ("CMPLNT_FR_TM", "KY_CD", "PD_CD", "OFNS_DESC", "LAW_CAT_CD", "BORO_NM", "ADDR_PCT_CD",
             "LATITUDE", "LONGITUDE"),
        ),
        Layout(
            "felonies",
            ("OCCURRENCE_DATE", "OFFENSE"),
            ("SECTOR", "PRECINCT", "LATITUDE", "LONGITUDE"),
        ),
        Layout(
            "shootings",
            ("INCIDENT_KEY", "OCCUR_DATE"),
            ("OCCUR_TIME", "BORO", "PRECINCT", "LATITUDE", "LONGITUDE"),
        ),
        Layout(
            "permitted_events",
            ("EVENT_ID", "START_DATE_TIME", "END_DATE_TIME", "EVENT_TYPE"),
            ("EVENT_AGENCY", "EVENT_BOROUGH", "POLICE_PRECINCT"),
        ),
        Layout("airport_passengers", ("ACTIVITY_PERIOD", "REVENUE_PASSENGER_VOLUME")),
        Layout(
            "transit_ridership",
            ("DATE",),
            ("SUBWAYS_TOTAL_ESTIMATED_RIDERSHIP", "BUSES_TOTAL_ESTIMATED_RIDERSHIP",
             "LIRR_TOTAL_ESTIMATED_RIDERSHIP", "METRO_NORTH_TOTAL_ESTIMATED_RIDERSHIP",
             "ACCESS_A_RIDE_TOTAL_SCHEDULED_TRIPS", "BRIDGES_AND_TUNNELS_TOTAL_TRAFFIC",
             "STATEN_ISLAND_RAILWAY_TOTAL_ESTIMATED_RIDERSHIP"),
        ),
        Layout("boroughs", ("BOROUGH",), not_with=("NTA", "CDTA", "PRECINCT", "CT20", "TRACT"),
               forms=("GeoJSON",)),
        Layout("precincts", ("PRECINCT",), forms=("GeoJSON",)),
        Layout(
            "verified_cases",
            ("INCIDENT_REPORTING_DATE",),
            ("TYPE", "SECTOR", "LOCATION_TYPE", "LATITUDE", "LONGITUDE"),
        ),
        Layout(
            "review_decisions",
            ("MAP_DAY", "CELL_ID", "REVIEWER_ROLE", "DECISION", "DECIDED_ON"),
        ),
        Layout("neighbourhoods", ("NTA2020", "BOROUGH"), forms=("GeoJSON",)),
        Layout("tax_lots", ("BBL_POPULATION_ESTIMATE",), ("NTA", "POLICEPRCT"), optional=_POINT,
               forms=("Parquet", "CSV")),
        Layout(
            "census_areas",
            ("B01001_001E",),
            ("B01001_001M", "B06012_002PE", "B06012_002PM", "DP03_0009PE", "DP03_0009PM",
             "DP02_0094PE", "DP02_0094PM", "DP02_0115PE", "DP02_0115PM", "C16001_002PE",
             "C16001_002PM", *(f"DP03_00{n}{e}" for n in range(52, 62) for e in "EM")),
            optional=("NTA_CODE", "POLICEPRCT"),
        ),
        Layout("hotels", ("PARID", "TAXYEAR", "BLDG_CLASS"), ("BBL",), optional=_POINT),
        Layout("subway_stations", ("GTFS_STOP_ID", "COMPLEX_ID"), optional=_POINT),
        Layout("places_of_interest", ("CATEGORY",), _POINT, forms=("CSV", "GeoJSON"),
               is_generic=True),
        Layout("news_sentiment", ("DATE", "TEXT"), optional=("AREA", *_POINT)),
        Layout("advert_counts", ("DAY", "AREA", "ADVERT_COUNT"), forms=("CSV",), is_closed=True),
        Layout("nibrs_merged", ("AGENCY_LOCATION", "INCIDENT_DATE", "OFFENSE_NAME"),
               ("INCIDENT_HOUR", "OFFENSE_CATEGORY_NAME", "LOCATION_AREA"), forms=("CSV",)),
        Layout("nibrs_incidents", ("INCIDENT_ID", "AGENCY_ID", "INCIDENT_DATE"), ("INCIDENT_HOUR",),
               optional=("REPORT_DATE_FLAG",), forms=("CSV",)),
        # Short lists of common names: only a file with all of them is one.
        Layout("nibrs_offences", ("OFFENSE_ID", "INCIDENT_ID"), ("LOCATION_ID",),
               optional=("OFFENSE_CODE", "OFFENSE_TYPE_ID"), forms=("CSV",), is_generic=True),
        Layout("nibrs_offence_types", ("OFFENSE_CODE", "OFFENSE_NAME", "OFFENSE_CATEGORY_NAME"),
               optional=("OFFENSE_TYPE_ID",), forms=("CSV",), is_generic=True),
        Layout("nibrs_locations", ("LOCATION_ID", "LOCATION_NAME"), forms=("CSV",), is_generic=True),
        Layout("police_agencies", ("AGENCY_ID", "DATA_YEAR", "PUB_AGENCY_NAME"),
               ("AGENCY_TYPE_NAME", "STATE_ABBR", "COUNTY_NAME", "POPULATION", "MALE_OFFICER",
                "FEMALE_OFFICER", "MALE_CIVILIAN", "FEMALE_CIVILIAN"), forms=("CSV",)),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Header:
    """What the beginning of a file says of it.

    Parameters
    ----------
    form : str
        CSV, JSON or GeoJSON.
    names : tuple of str
        The publisher's own names, in file order. Of a JSON file, those in its first 64 KiB, or up to the
        end of its first row where that lies behind.
    """

    form: Form
    names: tuple[str, ...]

    @property
    def published(self) -> dict[str, str]:
        """Normalised name to the publisher's own, the first where two are the same."""
        return {normalise(name): name for name in reversed(self.names)}

    @property
    def layout_name(self) -> str:
        """Layout in words, for the intake table."""
        return f"CSV, {len(self.names)} columns" if self.form == "CSV" else self.form


def normalise(name: str) -> str:
    """Spell a column's name the one way used here: upper case, one underscore between words."""
    spelt = re.sub(r"[\W_]+", "_", name.upper()).strip("_")
    return _SAME_COLUMN.get(spelt, spelt)


def read_header(path: Path) -> Header | None:
    """Read the names of a file's columns without reading its rows.

    Returns
    -------
    Header or None
        None where the file has none of the forms in `SUFFIXES`.

    Raises
    ------
    SourceError
        Where the file cannot be opened or unpacked, is too large, or holds something else than its
        name says.
    """
    form = next((f for suffix, f in SUFFIXES.items() if path.name.lower().endswith(suffix)), None)
    if form is None:
        return None
    require_size(path)
    try:
        if form == "Parquet":
            return Header(form, tuple(pl.read_parquet_schema(path)))
        with open_file(path) as handle:
            beginning = handle.read(_CHUNK)
            require_form(path, form, beginning)
            return Header(form, tuple(_names(path, form, beginning, handle)))
    except (OSError, EOFError, zlib.error, csv.Error, pl.exceptions.PolarsError) as error:
        raise SourceError(
            f"{path} cannot be read ({str(error).splitlines()[0]}). Fetch it again, or take it out of "
            "the folder."
        ) from error


def _names(path: Path, form: Form, beginning: bytes, handle: BufferedIOBase) -> Iterable[str]:
    text = decode(beginning)
    if form == "CSV":
        line, separator, _ = text.partition("\n")
        if len(beginning) == _CHUNK and not separator:
            raise SourceError(
                f"{path} has a first line of more than {_CHUNK:,} bytes, which no header has. "
                "Fetch it again, or take it out of the folder."
            )
        return next(csv.reader([line]), [])
    if form == "JSON":
        # A cell as long as a page must not hide the keys behind it.
        while "}" not in text and len(text) < LONGEST_LINE_BYTES and (more := handle.read(_CHUNK)):
            text += more.decode("utf-8", errors="replace")
        return dict.fromkeys(_KEY.findall(text))
    # The first feature's properties may come after a coastline of half a megabyte.
    n_read = len(beginning)
    while '"properties"' not in text or (found := _PROPERTIES.search(text)) is None:
        more = handle.read(_CHUNK)
        if not more:
            return []
        n_read += len(more)
        require_unpacked(path, n_read, path.stat().st_size)
        text = text[-_CHUNK:] + more.decode("utf-8", errors="replace")
    return _KEY.findall(found[1])


def recognise(path: Path, table: str, layout: Layout | None = None) -> Header | None:
    """Header of a file of `table`; None where the file is something else.

    Parameters
    ----------
    path : Path
    table : str
    layout : Layout, optional
        Columns that a study area names; those of `LAYOUTS` if not given.

    Raises
    ------
    SourceError
        Where the file has at least 60% of the table's columns but lacks one that is needed, has a
        column that a closed layout forbids, or cannot be opened.
    """
    header, layout = read_header(path), layout or LAYOUTS[table]
    if header is None or header.form not in layout.forms:
        return None
    names, expected = set(header.published), layout.expected(header.form)
    if any(name.startswith(layout.not_with) for name in names if layout.not_with):
        return None
    if not _looks_like(names, layout, header.form):
        _require_commas(path, header, layout)
        return None
    _require_nothing_else(path, header, layout)
    needed = layout.required if header.form == "JSON" else expected
    missing = [name for name in needed if name not in names]
    if missing:
        raise SourceError(
            f"{path} looks like a file of {table}, but lacks the columns {', '.join(missing)}. "
            f"It has: {', '.join(header.names)}. {_likely_names(table, header, layout)}"
            "Fetch it again, or take it out of the folder."
        )
    return header


def _likely_names(table: str, header: Header, layout: Layout) -> str:
    from htrisk_dagster.sources.published_columns import column_drift  # which knows this module

    pairs = column_drift(table, header.names, header.form, layout).renamed
    return "".join(f"'{new}' looks like {old}. " for old, new in pairs)


def _looks_like(names: Iterable[str], layout: Layout, form: Form) -> bool:
    """Whether enough of a table's columns are among `names`."""
    expected = layout.expected(form)
    enough = 1.0 if layout.is_generic else LOOKS_LIKE
    return len(set(names).intersection(expected)) >= enough * len(expected)


def _require_commas(path: Path, header: Header, layout: Layout) -> None:
    """Refuse a file of the table whose fields are separated by something else than commas."""
    if header.form != "CSV":
        return
    line = ",".join(header.names)
    for mark, plural in _OTHER_SEPARATORS.items():
        names = {normalise(name) for name in line.replace('"', "").split(mark)}
        if len(names) > 1 and _looks_like(names, layout, "CSV"):
            raise SourceError(
                f"{path} is a file of {layout.table}, but its fields are separated by {plural}. Save "
                "it with commas, or take it out of the folder."
            )


def _require_nothing_else(path: Path, header: Header, layout: Layout) -> None:
    """Refuse a file of a closed layout that holds more than the aggregate."""
    further = [name for name in header.names if normalise(name) not in layout.columns]
    if layout.is_closed and further:
        raise SourceError(
            f"{path} holds {', '.join(further)} beside {', '.join(layout.columns)}. {layout.table} are "
            "read as an aggregate only: a file with a text, a telephone number, an address of a page "
            "or anything else of single adverts or persons is refused. Aggregate it elsewhere, and "
            "take this file out of the folder."
        )


def find_files(folder: Path, table: str, layout: Layout | None = None) -> list[Path]:
    """Files of `table` in `folder` and below it, in order of path; `layout` as for `recognise`.

    `folder` may be a file: it is then the only one looked at.

    Raises
    ------
    SourceError
        Where there is no such folder or table, or a file is unusable (see `recognise`).
    """
    if layout is None and table not in LAYOUTS:
        raise SourceError(f"No file holds the table '{table}'. There are: {', '.join(LAYOUTS)}.")
    if folder.is_file():
        return [folder] if recognise(folder, table, layout) is not None else []
    if not folder.is_dir():
        raise SourceError(f"There is no folder {folder}. Set the folder of the publishers' files.")
    return [p for p in files_below(folder) if recognise(p, table, layout) is not None]
