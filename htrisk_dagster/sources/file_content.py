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
from collections.abc import Callable, Iterator
from io import BufferedIOBase
from pathlib import Path
from typing import Any, Protocol, cast

from htrisk_dagster.errors import SourceError

LARGEST_BYTES = 4 << 30  # the largest published file, NYPD's complaints since 2006, has some 3 GB
LONGEST_LINE_BYTES = 1 << 20
MOST_PACKED = 200  # times
_ROOM_BYTES = 32 << 20  # below this a file may be packed as tightly as it likes
_CHUNK = 1 << 20  # no more than LONGEST_LINE_BYTES
_BATCH = 16 << 20

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


class Digest(Protocol):
    """A hash of `hashlib`, as far as it is used here."""

    def update(self, data: bytes, /) -> None:
        """Take more bytes."""


class _Readable(Protocol):
    def read(self, size: int = -1, /) -> bytes: ...


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
    """Unpacked content of a file; parameters and errors are those of `read_parts`."""
    return b"".join(read_parts(path, has_lines=has_lines))


def read_parts(
    path: Path, *, has_lines: bool = False, digest: Digest | None = None
) -> Iterator[bytes]:
    """Unpacked content of a file, a megabyte at most at once.

    Parameters
    ----------
    has_lines : bool
        Whether no line of it may be longer than `LONGEST_LINE_BYTES`.
    digest : hash, optional
        Is given the bytes of the file itself as they are read; whole after the last part.

    Raises
    ------
    SourceError
        Where it cannot be read to its end, or breaks a limit of this module.
    """
    require_size(path)
    try:
        with path.open("rb") as file:
            raw: _Readable = file if digest is None else _Digested(file, digest)
            if path.name.lower().endswith(".gz"):
                raw = gzip.GzipFile(fileobj=cast(Any, raw), mode="rb")  # which only reads of it
            yield from _bounded(path, raw, has_lines)
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(
            f"{path} cannot be read to its end ({error}). It was cut short: fetch it again."
        ) from error


class _Digested:
    """A file that gives to a hash what is read of it."""

    def __init__(self, file: _Readable, digest: Digest) -> None:
        self._file, self._digest = file, digest

    def read(self, size: int = -1) -> bytes:
        part = self._file.read(size)
        self._digest.update(part)
        return part


def require_size(path: Path) -> None:
    """Refuse a file that is too large to be one of a publisher's."""
    size = path.stat().st_size
    if size > LARGEST_BYTES:
        raise SourceError(
            f"{path} has {size / 1e9:.1f} GB, more than the {LARGEST_BYTES / 1e9:.1f} GB that are "
            "read. Fetch it by shorter periods."
        )


def require_unpacked(path: Path, size: int, packed: int) -> None:
    """Refuse what unpacks to more bytes, `size` of `packed`, than a table of text does."""
    if size > LARGEST_BYTES or size > max(_ROOM_BYTES, MOST_PACKED * packed):
        raise SourceError(
            f"{path} unpacks to more than {size / 1e6:.0f} MB from {packed / 1e6:.3f} MB, which "
            "no table of text does. It was made to fill memory: take it out of the folder."
        )


def _bounded(path: Path, handle: _Readable, has_lines: bool) -> Iterator[bytes]:
    packed = path.stat().st_size
    total = line = 0
    while part := handle.read(_CHUNK):
        total += len(part)
        require_unpacked(path, total, packed)
        if has_lines:
            begun, line = _across(part, line)
            if begun > LONGEST_LINE_BYTES:
                raise SourceError(
                    f"{path} has a line of more than {LONGEST_LINE_BYTES:,} bytes, which no row has. "
                    "Fetch it again, or take it out of the folder."
                )
        yield part


def _across(part: bytes, begun: int) -> tuple[int, int]:
    """Length of the line that `part` goes on with, `begun` bytes of it before, and of its last one.

    A part is no longer than a line may be, so that only a line across parts can be too long.
    """
    ends = [end for end in (part.find(b"\n"), part.find(b"\r")) if end >= 0]
    if not ends:
        return begun + len(part), begun + len(part)
    last = max(part.rfind(b"\n"), part.rfind(b"\r"))
    return begun + min(ends), len(part) - 1 - last


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
    text = content.decode(_encoding(content), errors="replace")
    return text if "\n" in text else text.replace("\r", "\n")


def read_lines(
    path: Path,
    *,
    digest: Digest | None = None,
    cut: Callable[[bytes], int] = lambda text: text.rfind(b"\n") + 1,
) -> Iterator[bytes]:
    """Text of a file as `decode` has it, in UTF-8, some megabytes of whole lines at once.

    Parameters
    ----------
    cut : callable
        From lines, the first of which may have begun before, to the place in them where the text
        may be cut, which is the beginning of a line; 0 where nowhere. After the last line feed if
        not given.

    Other parameters and errors are those of `read_parts`; no line may be longer than its limit.
    """
    held: list[bytes] = []
    size, has_begun, is_whole = 0, False, False
    for part in read_parts(path, has_lines=True, digest=digest):
        held.append(part)
        size += len(part)
        if is_whole or size < _BATCH:
            continue
        # Letters of several bytes do not end where a line feed's byte is.
        is_whole = not has_begun and not _encoding(held[0]).startswith("utf-8")
        end = 0 if is_whole else cut(part)
        if not end:
            continue
        held[-1] = part[:end]
        content = b"".join(held)
        if not has_begun:
            content, has_begun = content.removeprefix(codecs.BOM_UTF8), True
        yield _as_utf8(content)
        held, size = [part[end:]], len(part) - end
    content = b"".join(held)
    yield _as_utf8(content) if has_begun else decode(content).encode()


def _encoding(content: bytes) -> str:
    return next((e for mark, e in _BYTE_ORDER_MARKS if content.startswith(mark)), "utf-8")


def _as_utf8(content: bytes) -> bytes:
    if content.isascii():
        return content
    return content.decode(errors="replace").encode()
