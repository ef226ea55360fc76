"""Corruptions of whole files: another coding or form, other separators, bombs, a cut.

Belongs here: what is done to a file's bytes. Does not: corruptions of single rows (`row_corruptions`).
"""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np

from htrisk_dagster.faults.corrupted_file import ALL_ROWS, Case, make_case
from htrisk_dagster.faults.source_samples import Sample
from htrisk_dagster.sources.layouts import LAYOUTS, normalise


def table_cases(sample: Sample) -> Iterator[Case]:
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
        yield make_case(sample, name, content)
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


def file_cases(sample: Sample, rng: np.random.Generator) -> Iterator[Case]:
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
        yield make_case(sample, name, content)
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
            yield make_case(sample, name, content, is_packed=True)
    elif sample.form != "Parquet":
        name = "packed under the name of unpacked"
        yield make_case(sample, name, gzip.compress(whole, mtime=0), is_packed=True)
    else:
        yield make_case(sample, "a Parquet file cut short", whole[: len(whole) // 2])
        yield make_case(sample, "a Parquet file of lists", _parquet_of_lists(sample))


def _parquet_of_lists(sample: Sample) -> bytes:
    import polars as pl

    file = io.BytesIO()
    rows = pl.DataFrame(list(sample.rows)).select(pl.concat_list(pl.all()).alias("values"))
    rows.select(pl.col("values").alias(name) for name in sample.header).write_parquet(file)
    return file.getvalue()


def json_cases(sample: Sample) -> Iterator[Case]:
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
        yield make_case(sample, name, edit(text).encode(encoding), touched)


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
