"""Rows of a CSV, JSON or Parquet file as text, every row accounted for.

Belongs here: splitting a file into rows and fields, and telling rows that cannot be split from
those that can. Does not: which file is which (`layouts`), what a value means (`text_values`).

A reader of CSV either stops at a row with a field too many, or drops or fills fields silently.
Here such a row is set apart with its number and its neighbours are kept. The contents of a broken
row are never kept: without its columns nobody can say which part of it describes a person.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

import polars as pl

from htrisk_dagster.errors import SourceError
from htrisk_dagster.sources.distinct_texts import any_code, decoded, once_a_text, repeat
from htrisk_dagster.sources.file_content import Digest, decode, read_lines, read_parts
from htrisk_dagster.sources.layouts import Header, Layout
from htrisk_dagster.sources.plain_records import plain_fields

ROW = "source_row"
DEFECT = "DEFECT"  # what is wrong with a row as a whole; null where it could be split
MISSING_MARKERS = ("", "(null)", "na", "n/a", "nan", "null")  # compared in lower case
_LONGEST_MARKER = max(map(len, MISSING_MARKERS))

_FIELD = r'(?:"(?:[^"]|"")*"|[^",]*)'  # RFC 4180, section 2, rules 5 to 7
_WELL_FORMED = rf"^{_FIELD}(?:,{_FIELD})*$"
_QUOTED = r'"(?:[^"]|"")*"'
_PART_ROWS = 150_000
_LINES_BACK = 100  # among which one is a whole record, or the lines wait for those that follow


def read_rows(
    path: Path, header: Header, layout: Layout, digest: Digest | None = None
) -> pl.DataFrame:
    """Rows of a CSV, JSON or Parquet file with the columns of `layout`, as text.

    Parameters
    ----------
    path : Path
        Plain or gzipped file.
    header : Header
        As `layouts.read_header` gave it.
    layout : Layout
        Columns to load; no other column leaves the file. Optional ones that it lacks are missing.
    digest : hash, optional
        Is given the bytes of the file as they are read.

    Returns
    -------
    DataFrame
        `source_row` (1 for the first after the header, empty lines not counted), `DEFECT`, and the
        columns of `layout` without blanks at the ends; null where missing.

    Raises
    ------
    SourceError
        Where the file cannot be unpacked, breaks a limit of `file_content`, or is not JSON or
        Parquet though it says so.
    """
    return pl.concat(map(decoded, read_row_parts(path, header, layout, digest)))


def read_row_parts(
    path: Path, header: Header, layout: Layout, digest: Digest | None = None
) -> Iterator[pl.DataFrame]:
    """Rows of a file as `read_rows` has them, some hundred thousand at once.

    What is made of a part fits the caches and the memory of the part before. Columns whose texts
    repeat are coded (see `distinct_texts`), each part by codes of its own. There is at least one
    part; parameters and errors are those of `read_rows`.
    """
    here = replace(layout, optional=tuple(n for n in layout.optional if n in header.published))
    if header.form == "CSV":
        parts = _csv_parts(path, header, here, digest)
    else:
        content = b"".join(read_parts(path, digest=digest))
        read = {"JSON": _json_rows, "Parquet": _parquet_rows}[header.form]
        parts = iter([read(path, content, header, here)])
    absent = [pl.lit(None, pl.String).alias(n) for n in layout.columns if n not in here.columns]
    for part in parts:
        rows = part.with_columns(absent)
        yield rows.select(
            pl.col(ROW).cast(pl.Int64),
            pl.col(DEFECT).cast(pl.String),
            *(once_a_text(rows[name], _cleaned) for name in layout.columns),
        )


def _cleaned(texts: pl.Series) -> pl.Series:
    stripped = texts.str.strip_chars()
    may_be_marker = stripped.str.len_bytes() <= _LONGEST_MARKER
    if not may_be_marker.any():
        return stripped
    is_marker = pl.col(texts.name).str.to_lowercase().is_in(MISSING_MARKERS)
    return stripped.to_frame().select(pl.when(~is_marker).then(texts.name)).to_series()


def _csv_parts(
    path: Path, header: Header, layout: Layout, digest: Digest | None
) -> Iterator[pl.DataFrame]:
    """Read the file some megabytes at a time: its text as a whole is never in memory.

    Which columns are coded is told from the first of them.
    """
    batches: list[pl.DataFrame] = []
    repeated: list[str] | None = None
    codes: dict[str, pl.Categorical] = {}
    n_rows = 0
    for text, is_last in _whole_records(path, header, digest):
        rows = _batch_rows(path, text, header, layout, codes, is_last=is_last)
        if repeated is None:
            repeated = [name for name in layout.columns if repeat(rows[name])]
            codes = {name: any_code() for name in repeated}
        # Rows that were read record by record, and those of the first text, are not coded yet.
        batches.append(rows.cast(codes).with_columns(pl.col(ROW) + n_rows))  # type: ignore[arg-type]
        n_rows += rows.height
        if is_last or sum(batch.height for batch in batches) >= _PART_ROWS:
            yield pl.concat(batches)
            batches, codes = [], {name: any_code() for name in repeated}


def _whole_records(
    path: Path, header: Header, digest: Digest | None
) -> Iterator[tuple[bytes, bool]]:
    """Text after the header in pieces that begin with a record, and whether one is the last."""
    # What follows may belong to the last record, or may make it the last of the file.
    cut = partial(_last_record, n_fields=len(header.names))
    pieces = read_lines(path, digest=digest, cut=cut)
    text = next(pieces)
    end = text.find(b"\n") + 1
    text = text[end:] if end else b""
    for following in pieces:
        yield text, False
        text = following
    yield text, True


def _last_record(text: bytes, n_fields: int) -> int:
    """Place where the last whole line begins that is a whole record; 0 where none is near the end.

    No field goes on across such a line (see `_joined_lines`), so that rows before it can be told
    without what follows.
    """
    end = text.rfind(b"\n") + 1
    for _ in range(_LINES_BACK):
        begin = text.rfind(b"\n", 0, max(end - 1, 0)) + 1
        line = text[begin : end - 1].decode(errors="replace").removesuffix("\r")
        if begin == 0:
            break
        if (
            line.strip()
            and line.count('"') % 2 == 0
            and _is_whole(pl.Series([line]), n_fields).item()
        ):
            return begin
        end = begin
    return 0


def _batch_rows(
    path: Path,
    text: bytes,
    header: Header,
    layout: Layout,
    codes: Mapping[str, pl.Categorical],
    *,
    is_last: bool,
) -> pl.DataFrame:
    """Rows of whole records, numbered from 1: at once where all are plain, else record by record."""
    places = [header.names.index(header.published[name]) for name in layout.columns]
    is_cut = is_last and not text.endswith(b"\n") and _may_be_cut(header, layout, text)
    coded = {place: codes[n] for n, place in zip(layout.columns, places, strict=True) if n in codes}
    fields = None if is_cut else plain_fields(text, len(header.names), places, coded)
    if fields is None:
        return _records(path, text, places, header, layout, is_cut=is_cut)
    named = fields.rename(dict(zip(map(str, places), layout.columns, strict=True)))
    sound = named.with_columns(pl.lit(None, pl.String).alias(DEFECT)).with_row_index(ROW, offset=1)
    return sound.select(ROW, DEFECT, *layout.columns)


def _records(
    path: Path, text: bytes, places: list[int], header: Header, layout: Layout, *, is_cut: bool
) -> pl.DataFrame:
    lines = pl.read_lines(io.BytesIO(text)).to_series()
    lines = _joined_lines(lines.filter(lines.str.strip_chars() != ""), len(header.names))
    records = (
        pl.DataFrame({"record": lines})
        .with_row_index(ROW, offset=1)
        .with_columns(_defect(len(header.names)))
    )
    if is_cut:
        is_last = pl.col(ROW) == records.height
        cut = pl.coalesce(DEFECT, pl.lit("no line break at its end"))
        records = records.with_columns(pl.when(is_last).then(cut).otherwise(DEFECT).alias(DEFECT))
    good = records.filter(pl.col(DEFECT).is_null())
    fields = _split(good["record"], len(header.names), places).rename(
        dict(zip(map(str, places), layout.columns, strict=True))
    )
    if fields.height != good.height:
        raise SourceError(
            f"{path}: {good.height} rows were split into {fields.height}. "
            "Report this file: no row of it was used."
        )
    broken = records.filter(pl.col(DEFECT).is_not_null()).drop("record")
    split = pl.concat([good.drop("record"), fields], how="horizontal")
    rows = pl.concat([split, broken], how="diagonal").sort(ROW)
    return rows.select(ROW, DEFECT, *layout.columns)


def _defect(n_fields: int) -> pl.Expr:
    """Say what is wrong with a record as a whole, null where it has `n_fields` fields."""
    record = pl.col("record")
    found = record.str.replace_all(_QUOTED, "").str.count_matches(",", literal=True) + 1
    well_formed = ~record.str.contains('"', literal=True) | record.str.contains(_WELL_FORMED)
    return (
        pl.when(~well_formed)
        .then(pl.lit("a quotation mark that is not closed"))
        .when(found != n_fields)
        .then(pl.format("{} fields, the header has {}", found, pl.lit(n_fields)))
        .alias(DEFECT)
    )


def _may_be_cut(header: Header, layout: Layout, text: bytes) -> bool:
    """Whether a cut within the last line could have cost a digit of a field that is read.

    A file may lack its last line break (RFC 4180, section 2, rule 2). `-73.91` may then be all that
    is left of `-73.916661142`; a field that is not read, or that its mark closes, tells nothing.
    """
    last_is_read = header.names[-1] in {header.published[name] for name in layout.columns}
    ending = text.decode().rstrip()
    return last_is_read and ending != "" and not ending.endswith('"')


def _joined_lines(lines: pl.Series, n_fields: int) -> pl.Series:
    """Join lines that a line break inside quotation marks has cut.

    A line with an odd number of quotation marks opens or closes such a field. Two of them are
    joined, with what lies between, only where that gives one whole record and swallows no line
    that is a record by itself: a stray mark must not cost its neighbours.
    """
    odd = (lines.str.count_matches('"', literal=True) % 2 == 1).arg_true().to_list()
    if len(odd) < 2:
        return lines
    is_whole = _is_whole(lines, n_fields)
    joined: dict[int, str] = {}
    inside: set[int] = set()
    for first, last in pairwise(odd):
        if first in inside or is_whole.slice(first + 1, last - first - 1).any():
            continue
        record = "\n".join(lines.slice(first, last - first + 1))
        if _is_whole(pl.Series([record]), n_fields).item():
            joined[first] = record
            inside.update(range(first + 1, last + 1))
    numbers = pl.Series(range(len(lines)))
    replaced = numbers.replace_strict(joined, default=None, return_dtype=pl.String)
    return replaced.fill_null(lines).filter(~numbers.is_in(list(inside)))


def _is_whole(records: pl.Series, n_fields: int) -> pl.Series:
    return pl.DataFrame({"record": records}).select(_defect(n_fields).is_null()).to_series()


def _split(records: pl.Series, n_fields: int, places: list[int]) -> pl.DataFrame:
    """Fields number `places` of well-formed records, named by their number."""
    names = [str(i) for i in range(n_fields)]
    if records.is_empty():
        return pl.DataFrame(schema={str(i): pl.String for i in places})
    table = io.BytesIO(records.str.join("\n").item().encode())
    return pl.read_csv(table, has_header=False, schema=dict.fromkeys(names, pl.String)).select(
        str(i) for i in places
    )


def _parquet_rows(path: Path, content: bytes, header: Header, layout: Layout) -> pl.DataFrame:
    """Columns of a Parquet file as text, which gives numbers back to the last digit."""
    names = {header.published[name]: name for name in layout.columns}
    try:
        rows = pl.read_parquet(io.BytesIO(content), columns=list(names)).rename(names)
        texts = rows.cast(pl.String).with_columns(pl.lit(None, pl.String).alias(DEFECT))
    except pl.exceptions.PolarsError as error:
        reason = str(error).splitlines()[0]
        raise SourceError(f"{path} is not whole Parquet ({reason}). Fetch it again.") from error
    return texts.with_row_index(ROW, offset=1)


def _json_rows(path: Path, content: bytes, header: Header, layout: Layout) -> pl.DataFrame:
    """Rows of a list of objects, the shape in which Socrata answers."""
    # A key that the first rows lack is null there.
    keys = {header.published.get(name) or _spelling(name, content): name for name in layout.columns}
    schema = dict.fromkeys(keys, pl.String)
    try:
        rows = pl.read_json(io.BytesIO(content), schema=schema)
        rows = rows.with_columns(pl.lit(None, pl.String).alias(DEFECT))
    except pl.exceptions.PolarsError:
        rows = _json_rows_one_by_one(path, content, list(keys))
    return rows.with_row_index(ROW, offset=1).rename(keys)


def _spelling(name: str, content: bytes) -> str:
    """The first key that `layouts.normalise` spells as `name`; the API's spelling where there is none."""
    words = rb"[\W_]+".join(re.escape(word.encode()) for word in name.split("_"))
    found = re.search(rb'"(' + words + rb')"\s*:', content, re.IGNORECASE)
    return found[1].decode() if found else name.lower()


def _json_rows_one_by_one(path: Path, content: bytes, keys: list[str]) -> pl.DataFrame:
    """Read the list again when an element of it is no object, and set that element apart."""
    try:
        answer = json.loads(decode(content))
    except (ValueError, RecursionError) as error:
        raise SourceError(f"{path} is not whole JSON ({error}). Fetch it again.") from error
    if not isinstance(answer, list):
        raise SourceError(f"{path} is not a list of rows. Fetch it again.")
    objects = [row if isinstance(row, dict) else {} for row in answer]
    defects = [None if isinstance(row, dict) else "no object" for row in answer]
    columns = {key: [_as_text(row.get(key)) for row in objects] for key in keys}
    schema = {**dict.fromkeys(keys, pl.String), DEFECT: pl.String}
    return pl.DataFrame({**columns, DEFECT: defects}, schema=schema)


def _as_text(value: object) -> str | None:
    if isinstance(value, dict | list):
        return json.dumps(value)  # no value of ours: the column's rule says so
    return None if value is None else str(value)
