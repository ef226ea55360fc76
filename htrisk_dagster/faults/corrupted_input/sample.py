"""A good file of one layout, small, for faults to be planted in.

Belongs here: what a sample is, and the bytes of a file of its rows. Does not: the rows themselves (the
modules that `source_samples` gathers), how a file is read (`sample_reading`), faults (`corruptions`).
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from htrisk_dagster.sources.layouts import normalise
from htrisk_dagster.study_areas.area import StudyArea

N_ROWS = 6
FILE_DAY = date(2024, 6, 1)
Row = dict[str, str]
"""One row: the publisher's name of a column to its text; in a ZIP its file's name stands before it."""
SampleForm = Literal["CSV", "JSON", "GeoJSON", "Parquet", "ZIP", "ArcGIS"]
Way = Literal["table", "delivery", "service", "release"]
"""How a file is read: `sample_reading` has a function for each."""
_FORMS: dict[str, SampleForm] = {
    "csv": "CSV", "json": "JSON", "geojson": "GeoJSON", "parquet": "Parquet", "zip": "ZIP",
    "answer": "ArcGIS",
}  # fmt: skip
GEOMETRY = "geometry"


@dataclass(frozen=True)
class Sample:
    """A good file of one layout.

    Parameters
    ----------
    name : str
        Layout in words.
    table : str
        Raw table that it is a file of.
    file_name : str
        Its suffix tells the form, and `.gz` that it is packed.
    kinds : dict of str to str
        The publisher's name of each column that is read to the kind of its values.
    rows : tuple of dict
        Good rows, the columns of `kinds` among them.
    way : str
        How it is read.
    area : StudyArea, optional
        Whose zone, box and declarations it is read with; New York's if not given.
    needed : str
        The publisher's name of a column without which the file is none of the table.
    quotes_all : bool
        Whether every field of a CSV stands in quotation marks.
    repeats_mean_more : bool
        Whether two equal rows are two things, since the layout has no number.
    sends_numbers : bool
        Whether numbers in JSON are numbers; else they are texts, as Socrata has them.
    """

    name: str
    table: str
    file_name: str
    kinds: dict[str, str]
    rows: tuple[Row, ...]
    way: Way = "table"
    area: StudyArea | None = None
    needed: str = ""
    quotes_all: bool = False
    repeats_mean_more: bool = False
    sends_numbers: bool = False

    @property
    def form(self) -> SampleForm:
        """Form of the file, packed or not."""
        return _FORMS[self.file_name.split(".")[1]]

    @property
    def header(self) -> list[str]:
        """The publisher's names of all columns."""
        return list(self.rows[0])

    def content(self, rows: Sequence[Row] | None = None, header: list[str] | None = None) -> bytes:
        """Bytes of a file of `rows`, unpacked; its own rows if not given."""
        chosen = self.rows if rows is None else rows
        if self.form == "CSV":
            return csv_bytes(chosen, header or self.header, quotes_all=self.quotes_all)
        if self.form == "JSON":
            return _json(chosen, sends_numbers=self.sends_numbers)
        write = {"Parquet": _parquet, "GeoJSON": _geojson, "ZIP": _zip, "ArcGIS": _answer}
        return write[self.form](chosen)

    def packed(self, content: bytes) -> bytes:
        """`content` as the file's name says."""
        return gzip.compress(content, mtime=0) if self.file_name.endswith(".gz") else content


def samples_of(
    kinds: dict[str, str],
    given: Sequence[tuple[str, str, str, Callable[[int], Row]]],
    **more: Any,
) -> tuple[Sample, ...]:
    """Samples of (name, table, file name, row by number); `kinds` by normalised name of the column."""
    return tuple(
        Sample(
            name=name,
            table=table,
            file_name=file_name,
            kinds={c: kinds[normalise(c)] for c in row(0) if normalise(c) in kinds},
            rows=tuple(row(i) for i in range(N_ROWS)),
            quotes_all="quoted" in name,
            **more,
        )
        for name, table, file_name, row in given
    )


def csv_bytes(rows: Sequence[Row], header: list[str], *, quotes_all: bool = False) -> bytes:
    """Bytes of a CSV file of rows under a header."""
    text = io.StringIO(newline="")
    writer = csv.writer(
        text, quoting=csv.QUOTE_ALL if quotes_all else csv.QUOTE_MINIMAL, lineterminator="\n"
    )
    writer.writerows([header, *(list(row.values()) for row in rows)])
    return text.getvalue().encode("utf-8", errors="surrogateescape")


def members(rows: Sequence[Row]) -> dict[str, bytes]:
    """Files of a delivery by name: the columns of a row that begin with the name, as CSV."""
    names = dict.fromkeys(column.partition("/")[0] for column in rows[0])
    return {
        name: csv_bytes(
            [_of_member(row, name) for row in rows], list(_of_member(rows[0], name))
        )
        for name in names
    }  # fmt: skip


def zip_bytes(files: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Bytes of a ZIP archive; every time in it is that of 1980, so that the same files give the same."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, compression)
    return file.getvalue()


def _of_member(row: Row, name: str) -> Row:
    return {c.partition("/")[2]: value for c, value in row.items() if c.startswith(f"{name}/")}


def _zip(rows: Sequence[Row]) -> bytes:
    return zip_bytes(members(rows))


def _json(rows: Sequence[Row], *, sends_numbers: bool) -> bytes:
    # The API leaves a key out where the value is missing.
    there = [{name: value for name, value in row.items() if value != ""} for row in rows]
    if sends_numbers:
        return json.dumps([{k: _as_sent(v) for k, v in row.items()} for row in there]).encode()
    return json.dumps(there).encode()


def _parquet(rows: Sequence[Row]) -> bytes:
    import polars as pl

    file = io.BytesIO()
    pl.DataFrame(list(rows)).write_parquet(file)
    return file.getvalue()


def _geojson(rows: Sequence[Row]) -> bytes:
    features: list[dict[str, Any]] = []
    for row in rows:
        properties = {name: value for name, value in row.items() if name != GEOMETRY}
        geometry = json.loads(row[GEOMETRY])
        features.append({"type": "Feature", "properties": properties, "geometry": geometry})
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def _answer(rows: Sequence[Row]) -> bytes:
    """Answer of a layer to a query; numbers of rows count from 1, and `x` and `y` are the geometry's."""
    features = []
    for number, row in enumerate(rows, start=1):
        sent = {name: _as_sent(value) for name, value in row.items()}
        point = {axis: sent.pop(axis) for axis in ("x", "y") if axis in sent}
        place = {GEOMETRY: point} if point else {}
        features.append({"attributes": {"ESRI_OID": number, **sent}, **place})
    return json.dumps({"objectIdFieldName": "ESRI_OID", "features": features}).encode()


def _as_sent(value: str) -> str | int | float | None:
    """A number as JSON has it, so that no good answer holds numbers as text."""
    if value == "":
        return None
    try:
        number = float(value)
    except ValueError:
        return value
    is_plain = repr(number) == value or str(int(number) if number.is_integer() else "") == value
    return (int(number) if number.is_integer() else number) if is_plain else value
