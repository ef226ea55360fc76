"""The bytes and the text of a file from outside, read within limits.

Belongs here: which files a folder holds, unpacking, the limits of size, packing and line length,
telling a form by its first bytes, decoding. Does not: which file is which (`layouts`), rows (`file_rows`).

A file is refused before it is read where its size says so, and while it is unpacked where it grows
past what text does: DEFLATE packs nothing more than 1,032 times, text some 5 to 20 times.
"""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterator
from io import BufferedIOBase
from pathlib import Path

from htrisk_dagster.errors import SourceError

LARGEST_BYTES = 4 << 30  # the largest published file, NYPD's complaints since 2006, has some 3 GB
LONGEST_LINE_BYTES = 1 << 20
MOST_PACKED = 200  # times
_ROOM_BYTES = 32 << 20  # below this a file may be packed as tightly as it likes
_CHUNK = 1 << 20

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is its beginning
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
_OTHER_FORMS = (
    (b"PK\x03\x04", "a ZIP archive or a spreadsheet"),
    (b"\xd0\xcf\x11\xe0", "a spreadsheet"),
    (b"\x1f\x8b", "something packed by gzip"),
    (b"BZh", "something packed by bzip2"),
    (b"\xfd7zXZ", "something packed by xz"),
    (b"\x28\xb5\x2f\xfd", "something packed by zstd"),
    (b"%PDF", "a PDF"),
    (b"PAR1", "Parquet"),
)
_PAGES = (b"<!doctype", b"<html", b"<?xml")


def files_below(folder: Path) -> Iterator[Path]:
    """Files in `folder` and below it, in order of path; no file or folder that begins with a dot.

    Raises
    ------
    SourceError
        Where one is a link to a file elsewhere: who can write to the folder could have it read.
    """
    inside = folder.resolve()
    for path in sorted(folder.rglob("*")):
        is_hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not is_hidden and path.is_file():
            if path.is_symlink() and not path.resolve().is_relative_to(inside):
                raise SourceError(
                    f"{path} is a link to a file outside of {folder}. Put the file itself into the "
                    "folder, or take the link out."
                )
            yield path


def open_file(path: Path) -> BufferedIOBase:
    """Open a plain or gzipped file for reading its content."""
    return gzip.open(path, "rb") if path.name.lower().endswith(".gz") else path.open("rb")


def read_content(path: Path, *, has_lines: bool = False) -> bytes:
    """Unpacked content of a file.

    Parameters
    ----------
    has_lines : bool
        Whether no line of it may be longer than `LONGEST_LINE_BYTES`.

    Raises
    ------
    SourceError
        Where it cannot be read to its end, or breaks a limit of this module.
    """
    require_size(path)
    try:
        with open_file(path) as handle:
            return _bounded(path, handle, has_lines)
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(
            f"{path} cannot be read to its end ({error}). It was cut short: fetch it again."
        ) from error


def require_size(path: Path) -> None:
    """Refuse a file that is too large to be one of a publisher's."""
    size = path.stat().st_size
    if size > LARGEST_BYTES:
        raise SourceError(
            f"{path} has {size / 1e9:.1f} GB, more than the {LARGEST_BYTES / 1e9:.1f} GB that are "
            "read. Fetch it by shorter periods."
        )


def _bounded(path: Path, handle: BufferedIOBase, has_lines: bool) -> bytes:
    packed = path.stat().st_size
    parts: list[bytes] = []
    total = line = 0
    while part := handle.read(_CHUNK):
        total += len(part)
        if total > LARGEST_BYTES or total > max(_ROOM_BYTES, MOST_PACKED * packed):
            raise SourceError(
                f"{path} unpacks to more than {total / 1e6:.0f} MB from {packed / 1e6:.3f} MB, which "
                "no table of text does. It was made to fill memory: take it out of the folder."
            )
        if has_lines:
            longest, line = _longest_line(part, line)
            if longest > LONGEST_LINE_BYTES:
                raise SourceError(
                    f"{path} has a line of more than {LONGEST_LINE_BYTES:,} bytes, which no row has. "
                    "Fetch it again, or take it out of the folder."
                )
        parts.append(part)
    return b"".join(parts)


def _longest_line(part: bytes, begun: int) -> tuple[int, int]:
    """Longest line in `part`, of which `begun` bytes came before, and what it leaves begun."""
    pieces = part.replace(b"\r", b"\n").split(b"\n")
    lengths = [len(piece) for piece in pieces]
    lengths[0] += begun
    return max(lengths), lengths[-1]


def require_form(path: Path, form: str, beginning: bytes) -> None:
    """Refuse a file whose first bytes are of another form than its name says.

    Raises
    ------
    SourceError
        Naming what it holds.
    """
    holds = next((what for mark, what in _OTHER_FORMS if beginning.startswith(mark)), None)
    if beginning.lstrip().lower().startswith(_PAGES):
        holds = "a web page, as a site gives for an error or a login"
    first = beginning.removeprefix(codecs.BOM_UTF8).lstrip()[:2]
    if form == "CSV" and first in (b"[{", b'{"'):
        holds = "JSON"
    has_mark = any(beginning.startswith(mark) for mark, _ in _BYTE_ORDER_MARKS[:4])
    if b"\0" in beginning.split(b"\n")[0] and not has_mark:
        holds = "NUL bytes where its first line should be"
    if holds is not None and form != "Parquet":
        raise SourceError(
            f"{path} is called {form}, but holds {holds}. Save it as {form} in UTF-8, or take it out "
            "of the folder."
        )


def decode(content: bytes) -> str:
    """Text of a file: UTF-8, or what its byte order mark says; line ends are line feeds.

    Bytes that are no text become U+FFFD: one of them must not cost the file, and a row that is read
    with one is refused (`unsafe_cells`).
    """
    encoding = next((e for mark, e in _BYTE_ORDER_MARKS if content.startswith(mark)), "utf-8")
    text = content.decode(encoding, errors="replace")
    return text if "\n" in text else text.replace("\r", "\n")
