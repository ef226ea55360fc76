"""Corrupted files: which there are for a good file, and which of its rows each one touches.

Belongs here: corruptions of cells, rows and whole files, and the list of all cases. Does not: bad
values of a cell (`cell_corruptions`), what must come of a case (`bad_input`).
"""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from htrisk_dagster.faults import cell_corruptions
from htrisk_dagster.faults.source_samples import N_ROWS, Row, Sample
from htrisk_dagster.sources.layouts import LAYOUTS, normalise

ALL_ROWS = frozenset(range(N_ROWS))
# Columns whose values have one kind are exchanged without anyone being able to tell.
_ALIKE = {
    "report_day": "day", "instant": "day", "permit_start": "day", "permit_end": "day",
    "share": "figure", "estimate": "figure", "count": "figure", "precinct": "code",
    "name": "label", "year": "code", "number": "code",
}  # fmt: skip
# A label may be a text, and an area may be named by its precinct's number.
_NEAR = ({"label", "text"}, {"area", "figure"})


@dataclass(frozen=True)
class Case:
    """One corrupted file.

    Parameters
    ----------
    sample : Sample
        Good file it was made of.
    corruption : str
        What was done, in words.
    column : str
        Publisher's column, or column pair; empty where a row or the file is touched.
    file_name : str
        Name under which it lies.
    content : bytes
        Bytes as they lie on disk.
    touched : frozenset of int
        Rows, from 0, that may differ from what was published; all others must come through.
    size_bytes : int
        Apparent size where the file is longer than its content, by a hole; else 0.
    """

    sample: Sample
    corruption: str
    column: str
    file_name: str
    content: bytes
    touched: frozenset[int]
    size_bytes: int = 0


def cases(sample: Sample, seed: int, n_columns: int = 3) -> Iterator[Case]:
    """Every corruption of a good file; rows, places and up to `n_columns` columns drawn by `seed`."""
    rng = np.random.default_rng([seed, *sample.name.encode()])
    yield from _cell_cases(sample, rng, n_columns)
    yield from _swap_cases(sample, rng, 2 * n_columns)
    if sample.form == "CSV":
        yield from _line_cases(sample, rng)
        yield from _table_cases(sample)
    yield from _file_cases(sample, rng)
    if sample.form in ("JSON", "GeoJSON"):
        yield from _json_cases(sample)


def _case(
    sample: Sample,
    corruption: str,
    content: bytes,
    touched: frozenset[int] = ALL_ROWS,
    column: str = "",
    *,
    is_packed: bool = False,
) -> Case:
    packed = content if is_packed else sample.packed(content)
    return Case(sample, corruption, column, sample.file_name, packed, touched)


def _cell_cases(sample: Sample, rng: np.random.Generator, n_columns: int) -> Iterator[Case]:
    columns: dict[str, list[tuple[str, Callable[[str], str]]]] = {}
    for column, kind in sample.kinds.items():
        for name, make in _bad_values(sample, kind).items():
            columns.setdefault(name, []).append((column, make))
    for name, places in columns.items():
        for i in rng.permutation(len(places))[:n_columns]:
            column, make = places[i]
            row = int(rng.integers(N_ROWS))
            changed = make(sample.rows[row][column])
            content = sample.content(_with(sample.rows, row, column, changed))
            yield _case(sample, name, content, frozenset({row}), column)


def _bad_values(sample: Sample, kind: str) -> dict[str, Callable[[str], str]]:
    bad = cell_corruptions.OF_KIND[kind] | cell_corruptions.ANYWHERE
    if sample.form == "CSV":
        bad |= cell_corruptions.IN_BYTES
    if kind == "text":
        bad = {name: v for name, v in bad.items() if name not in cell_corruptions.FREE_TEXT_MAY}
    return bad


def _with(rows: Sequence[Row], row: int, column: str, value: str) -> list[Row]:
    return [{**r, column: value} if i == row else r for i, r in enumerate(rows)]


def _swap_cases(sample: Sample, rng: np.random.Generator, n_pairs: int) -> Iterator[Case]:
    """Two columns of different kinds exchanged, in one row, and by their names in the header."""
    alike = {column: _ALIKE.get(kind, kind) for column, kind in sample.kinds.items()}
    pairs = [
        (a, b)
        for i, a in enumerate(alike)
        for b in list(alike)[i + 1 :]
        if alike[a] != alike[b] and {alike[a], alike[b]} not in _NEAR
    ]
    chosen = rng.permutation(len(pairs))[:n_pairs]
    for first, second in (pairs[i] for i in chosen):
        row = int(rng.integers(N_ROWS))
        values = sample.rows[row]
        swapped = {**values, first: values[second], second: values[first]}
        rows = [swapped if i == row else r for i, r in enumerate(sample.rows)]
        column = f"{first}, {second}"
        name = "two columns exchanged in a row"
        yield _case(sample, name, sample.content(rows), frozenset({row}), column)
        if sample.form == "CSV":
            other = {first: second, second: first}
            header = [other.get(n, n) for n in sample.header]
            content = sample.content(header=header)
            yield _case(sample, "two columns exchanged by their names", content, column=column)
    points = [c for c, kind in sample.kinds.items() if kind in ("latitude", "longitude")]
    if len(points) == 2:
        rows = _with(sample.rows, 2, points[0], "0")
        content = sample.content(_with(rows, 2, points[1], "0"))
        yield _case(sample, "a point at 0, 0", content, frozenset({2}), ", ".join(points))


def _line_cases(sample: Sample, rng: np.random.Generator) -> Iterator[Case]:
    header, *lines = sample.content().decode().splitlines()
    row = int(rng.integers(1, N_ROWS - 1))
    line = lines[row]
    place = int(rng.integers(1, len(line) - 1))
    middle = line.index(",")
    damaged = {
        "a row cut in the middle": line[:middle],
        "a field too many": f"{line},surplus",
        "a field too few": line.rpartition(",")[0],
        "a quotation mark that is not closed": f'{line[: middle + 1]}"{line[middle + 1 :]}',
        "a line break within a row": f"{line[:middle]}\n{line[middle:]}",
        "a row of commas": "," * line.count(","),
        "the header again": header,
        "a row of another file": "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20",
        "a row of NUL bytes": "\0" * len(line),
        "a quotation mark within a row": f'{line[:place]}"{line[place:]}',
    }
    for name, changed in damaged.items():
        text = "\n".join([header, *lines[:row], changed, *lines[row + 1 :], ""])
        yield _case(sample, name, text.encode(), frozenset({row}))
    text = "\n".join([header, *lines[:row], line, *lines[row:], ""])
    if sample.table not in REPEATS_MEAN_MORE:
        yield _case(sample, "a row twice", text.encode(), frozenset({row}))
    whole = sample.content()
    last = whole.rstrip(b"\n").rfind(b"\n")
    for cut in rng.integers(last + 2, len(whole) - 1, size=3):
        name = "a file cut within its last row"
        yield _case(sample, name, whole[: int(cut)], frozenset({N_ROWS - 1}))


REPEATS_MEAN_MORE = frozenset(
    {"felonies", "permitted_events", "verified_cases", "review_decisions", "tax_lots",
     "places_of_interest", "news_sentiment"}
)  # fmt: skip
"""Tables without a number, in which two equal rows are two things."""


def _table_cases(sample: Sample) -> Iterator[Case]:
    """Corruptions of a CSV file as a whole."""
    whole = sample.content()
    text = whole.decode()
    header, _, rest = text.partition("\n")
    needed = next(n for n in sample.header if normalise(n) in LAYOUTS[sample.table].required)
    changed = {
        "UTF-16 with its mark": text.encode("utf-16"),
        "UTF-16, big end first, with its mark": b"\xfe\xff" + text.encode("utf-16-be"),
        "UTF-16 without a mark": text.encode("utf-16-le"),
        "UTF-32 with its mark": text.encode("utf-32"),
        "a byte order mark": b"\xef\xbb\xbf" + whole,
        "EBCDIC": text.encode("cp500"),
        "carriage returns for line ends": whole.replace(b"\n", b"\r"),
        "line ends of another system": whole.replace(b"\n", b"\r\n"),
        "semicolons for commas": whole.replace(b",", b";"),
        "tabs for commas": whole.replace(b",", b"\t"),
        "bars for commas": whole.replace(b",", b"|"),
        "no header": rest.encode(),
        "a title above the header": b"Published by the city\n" + whole,
        "a needed column with another name": sample.content(
            header=[f"{n}_new" if n == needed else n for n in sample.header]
        ),
        "all columns with other names": sample.content(header=[f"{n}_new" for n in sample.header]),
        "a line of two megabytes": whole + b"x" * (2 << 20) + b"\n",
        "a header without end": header.encode() + b"x" * (2 << 20),
        "JSON under the name of CSV": json.dumps([dict(r) for r in sample.rows]).encode(),
        "NUL bytes after the end": whole + b"\0" * 4096,
    }
    for name, content in changed.items():
        yield _case(sample, name, content)
    if not sample.file_name.endswith(".gz"):
        size = 10_000_000_000
        name = "one line of 10 GB"
        yield Case(sample, name, "", sample.file_name, header.encode(), ALL_ROWS, size)


@cache
def _bomb() -> bytes:
    return gzip.compress(b"0" * (256 << 20), compresslevel=9, mtime=0)


def _zipped(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("rows.csv", content)
    return file.getvalue()


_PAGE = b"<!DOCTYPE html><html><body>Please log in.</body></html>"


def _file_cases(sample: Sample, rng: np.random.Generator) -> Iterator[Case]:
    """Corruptions of any file as a whole."""
    whole = sample.content()
    packed = sample.packed(whole)
    changed = {
        "an empty file": b"",
        "a web page": _PAGE,
        "a ZIP archive": _zipped(whole),
        "random bytes": rng.bytes(len(whole)),
    }
    for name, content in changed.items():
        yield _case(sample, name, content)
    if sample.file_name.endswith(".gz"):
        header = whole[: whole.index(b"\n") + 1] if sample.form == "CSV" else b""
        torn = bytearray(packed)
        torn[len(torn) // 2] ^= 0x5A
        wrong = bytearray(packed)
        wrong[-6] ^= 0x5A  # the checksum
        broken = {
            "unpacked under the name of packed": whole,
            "a packed file cut short": packed[: len(packed) // 2],
            "a packed file with a torn byte": bytes(torn),
            "a packed file with a wrong checksum": bytes(wrong),
            "a zip bomb": gzip.compress(header, mtime=0) + _bomb(),
        }
        for name, content in broken.items():
            yield _case(sample, name, content, is_packed=True)
    elif sample.form != "Parquet":
        name = "packed under the name of unpacked"
        yield _case(sample, name, gzip.compress(whole, mtime=0), is_packed=True)
    else:
        yield _case(sample, "a Parquet file cut short", whole[: len(whole) // 2])
        yield _case(sample, "a Parquet file of lists", _parquet_of_lists(sample))


def _parquet_of_lists(sample: Sample) -> bytes:
    import polars as pl

    file = io.BytesIO()
    rows = pl.DataFrame(list(sample.rows)).select(pl.concat_list(pl.all()).alias("values"))
    rows.select(pl.col("values").alias(name) for name in sample.header).write_parquet(file)
    return file.getvalue()


def _json_cases(sample: Sample) -> Iterator[Case]:
    """Corruptions of a JSON or GeoJSON file."""
    text = sample.content().decode()
    is_table = sample.form == "JSON"
    first = sample.header[0]
    value = json.dumps(sample.rows[1][first])
    edits: dict[str, tuple[Callable[[str], str], frozenset[int]]] = {
        "JSON cut short": (lambda t: t[: len(t) * 2 // 3], ALL_ROWS),
        "JSON nested 100,000 deep": (lambda t: t[:-1] + "," + "[" * 100_000, ALL_ROWS),
        "a number that is none": (lambda t: t.replace(value, "NaN", 1), frozenset({1})),
        "a number of 5,000 digits": (lambda t: t.replace(value, "9" * 5000, 1), frozenset({1})),
        "an object for a value": (lambda t: t.replace(value, '{"a": 1}', 1), frozenset({1})),
        "JSON in UTF-16": (lambda t: t, ALL_ROWS),
        "an object for the list": (lambda t: '{"error": true, "message": ' + t + "}", ALL_ROWS),
    }
    if is_table:
        edits["two lists of rows"] = (lambda t: t + t, ALL_ROWS)
        edits["rows that are no objects"] = (lambda t: '[7,null,"x",' + t[1:], frozenset())
    else:
        edits["features that are null"] = (
            lambda t: t.replace(": [{", ': null, "x": [{', 1),
            ALL_ROWS,
        )
        edits["a feature without properties"] = (
            lambda t: _edited(t, 2, "properties", None), frozenset({2}))  # fmt: skip
        edits["a feature without geometry"] = (
            lambda t: _edited(t, 2, "geometry", None), frozenset({2}))  # fmt: skip
        edits["latitude before longitude"] = (_turned, frozenset({2}))
        edits["coordinates in feet"] = (_in_feet, frozenset({2}))
        edits["coordinates in words"] = (
            lambda t: _edited(t, 2, "geometry", {"type": "Point", "coordinates": ["x", "y"]}),
            frozenset({2}))  # fmt: skip
    for name, (edit, touched) in edits.items():
        encoding = "utf-16" if name == "JSON in UTF-16" else "utf-8"
        yield _case(sample, name, edit(text).encode(encoding), touched)


def _edited(text: str, feature: int, part: str, value: object) -> str:
    answer = json.loads(text)
    answer["features"][feature][part] = value
    return json.dumps(answer)


def _turned(text: str) -> str:
    return _with_points(text, lambda x, y: [y, x])


def _in_feet(text: str) -> str:
    return _with_points(text, lambda x, y: [(x + 75) * 3e5, (y - 40) * 3.6e5])


def _with_points(text: str, change: Callable[[float, float], list[float]]) -> str:
    answer = json.loads(text)
    geometry = answer["features"][2]["geometry"]
    points = geometry["coordinates"]
    if geometry["type"] == "Point":
        geometry["coordinates"] = change(*points)
    else:
        geometry["coordinates"] = [[change(x, y) for x, y in ring] for ring in points]
    return json.dumps(answer)
