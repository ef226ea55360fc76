"""Corruptions of whole files: another coding or form, other separators, bombs, a cut.

Belongs here: what is done to a file's bytes. Does not: corruptions of single rows (`row_corruptions`), of
what JSON says (`json_corruptions`), of archives (`archive_corruptions`).
"""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from functools import cache

import numpy as np

from htrisk_dagster.faults.corrupted_input.corrupted_file import ALL_ROWS, Case, make_case
from htrisk_dagster.faults.corrupted_input.sample import Sample, zip_bytes
from htrisk_dagster.sources.layouts import LAYOUTS, normalise


def table_cases(sample: Sample) -> Iterator[Case]:
    """Corruptions of a CSV file as a whole."""
    whole = sample.content()
    text = whole.decode()
    header, _, rest = text.partition("\n")
    needed = sample.needed or next(
        n for n in sample.header if normalise(n) in LAYOUTS[sample.table].required
    )
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


def cut_cases(sample: Sample, rng: np.random.Generator, n: int) -> Iterator[Case]:
    """Files that end too early: a CSV within a row, all others anywhere."""
    whole = sample.content()
    for _ in range(n):
        if sample.form == "CSV":
            name = "a file cut within a row"
            lines = whole.splitlines(keepends=True)
            row = int(rng.integers(len(lines) - 1))
            # Before its last field: who cuts behind it leaves a whole row.
            cut = int(rng.integers(1, lines[row + 1].rindex(b",")))
            content = b"".join(lines[: row + 1]) + lines[row + 1][:cut]
            yield make_case(sample, name, content, frozenset(range(row, len(lines) - 1)))
        else:
            content = sample.packed(whole)
            cut = int(rng.integers(1, len(content) - 1))
            yield make_case(sample, "a file cut short", content[:cut], is_packed=True)


_PAGE = b"<!DOCTYPE html><html><body>Please log in.</body></html>"


def file_cases(sample: Sample, rng: np.random.Generator) -> Iterator[Case]:
    """Corruptions of any file as a whole."""
    whole = sample.content()
    packed = sample.packed(whole)
    changed = {
        "an empty file": b"",
        "a web page": _PAGE,
        "a ZIP archive": zip_bytes({"rows.csv": whole}),
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
    elif sample.form not in ("Parquet", "ZIP"):
        name = "packed under the name of unpacked"
        yield make_case(sample, name, gzip.compress(whole, mtime=0), is_packed=True)
    elif sample.form == "Parquet":
        yield make_case(sample, "a Parquet file cut short", whole[: len(whole) // 2])
        yield make_case(sample, "a Parquet file of lists", _parquet_of_lists(sample))


def _parquet_of_lists(sample: Sample) -> bytes:
    import polars as pl

    file = io.BytesIO()
    rows = pl.DataFrame(list(sample.rows)).select(pl.concat_list(pl.all()).alias("values"))
    rows.select(pl.col("values").alias(name) for name in sample.header).write_parquet(file)
    return file.getvalue()
