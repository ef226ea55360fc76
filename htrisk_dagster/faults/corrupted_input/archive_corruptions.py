"""Corruptions of a ZIP archive: of the archive, and of the files in it as wholes.

Belongs here: that. Does not: values in the rows of its files (`cell_corruptions`), which are changed as
in any file.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from functools import cache

import numpy as np

from htrisk_dagster.faults.corrupted_input.corrupted_file import ALL_ROWS, Case, make_case
from htrisk_dagster.faults.corrupted_input.sample import Sample, members, zip_bytes

_LOCAL, _CENTRAL = b"PK\x03\x04", b"PK\x01\x02"
_AT_FLAGS, _AT_METHOD = {_LOCAL: 6, _CENTRAL: 8}, {_LOCAL: 8, _CENTRAL: 10}
_ENCRYPTED, _UNKNOWN_METHOD = 0x1, 99


def archive_cases(sample: Sample, rng: np.random.Generator) -> Iterator[Case]:
    """Corruptions of an archive as a whole, and of each of its files."""
    whole = sample.content()
    files = members(sample.rows)
    torn = bytearray(whole)
    first = next(iter(files))
    # Within the packed bytes of the first file, behind its name.
    torn[30 + len(first) + int(rng.integers(5, 40))] ^= 0x5A
    size = len(zlib.compress(files[first], wbits=-15))
    wrong = bytearray(whole)
    wrong[14] ^= 0x5A  # the checksum of the first file, which the directory repeats
    wrong[whole.index(_CENTRAL) + 16] ^= 0x5A
    changed = {
        "an archive with a torn byte": bytes(torn),
        "an archive with a wrong checksum": bytes(wrong),
        "an archive without its directory": whole[: 30 + len(first) + size],
        "an archive with a password": _with_field(whole, _AT_FLAGS, _ENCRYPTED),
        "an archive packed in an unknown way": _with_field(whole, _AT_METHOD, _UNKNOWN_METHOD),
        "an archive in an archive": zip_bytes({"inner.zip": whole}),
        "an archive of nothing": zip_bytes({}),
        "an archive of 2,000 other files": zip_bytes({f"{i}.csv": b"a,b" for i in range(2_000)}),
        "an archive with a bomb": zip_bytes(
            {**files, "bomb.csv": _header(files[first]) + _zeros()}
        ),
        "an archive whose file is a bomb": zip_bytes({**files, first: files[first] + _zeros()}),
        "something before the archive": b"MZ" + bytes(64) + whole,
        "a file with a name above the folder": zip_bytes(
            {f"../../{name}": content for name, content in files.items()}
        ),
        "a file with a name from the root": zip_bytes(
            {f"/tmp/{name}": content for name, content in files.items()}
        ),
    }
    for name, content in changed.items():
        yield make_case(sample, name, content)
    for member, content in files.items():
        for name, other in _of_file(content).items():
            remade = zip_bytes({**files, member: other})
            yield make_case(sample, f"{name} in an archive", remade, ALL_ROWS, member)
        without = {name: rows for name, rows in files.items() if name != member}
        yield make_case(
            sample, "a file missing in an archive", zip_bytes(without), ALL_ROWS, member
        )


def _of_file(content: bytes) -> dict[str, bytes]:
    return {
        "an empty file": b"",
        "a file of a header alone": _header(content),
        "a file without its header": content.partition(b"\n")[2],
        "a file in UTF-16": content.decode().encode("utf-16"),
        "a file with semicolons": content.replace(b",", b";"),
        "a web page": b"<!DOCTYPE html><html><body>Please log in.</body></html>",
        "a file with a long line": content + b"x" * (2 << 20) + b"\n",
    }


def _header(content: bytes) -> bytes:
    return content[: content.index(b"\n") + 1]


@cache
def _zeros() -> bytes:
    return b"0" * (96 << 20)


def _with_field(whole: bytes, at: dict[bytes, int], value: int) -> bytes:
    """Write a field of two bytes into every header of the archive."""
    changed = bytearray(whole)
    for mark, offset in at.items():
        place = whole.find(mark)
        while place >= 0:
            changed[place + offset : place + offset + 2] = value.to_bytes(2, "little")
            place = whole.find(mark, place + 4)
    return bytes(changed)
