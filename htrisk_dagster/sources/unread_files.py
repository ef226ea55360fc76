"""Files in a folder of sources that no table takes, each with a sentence about what is odd of it.

Belongs here: finding them, and saying to which table each comes nearest. Does not: files that are
unusable although a table takes them (`layouts.recognise`).

A folder may hold other things, so that such a file is no error; but a publisher's file whose columns
were all renamed, or that has lost its header, looks just like one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from htrisk_dagster.sources.file_content import files_below
from htrisk_dagster.sources.layouts import (
    LAYOUTS,
    SUFFIXES,
    Header,
    read_header,
    recognise,
)

_OTHER_DATA = (".xlsx", ".xls", ".tsv", ".zip", ".xml", ".ndjson", ".jsonl", ".gz", ".shp")
_SHOWN = 6


@dataclass(frozen=True)
class UnreadFile:
    """A file that no table takes, the table it comes nearest to, and a sentence about it."""

    path: Path
    sentence: str
    nearest: str | None = None


def unread_files(folder: Path) -> list[UnreadFile]:
    """Files in `folder` and below it that look like data and that no table takes, in order of path.

    Raises
    ------
    SourceError
        Where a file is unusable (see `layouts.recognise`).
    """
    found = []
    for path in files_below(folder):
        name = path.name.lower()
        if name.endswith(tuple(SUFFIXES)):
            if all(recognise(path, table) is None for table in LAYOUTS):
                found.append(_unread(path, read_header(path)))
        elif name.endswith(_OTHER_DATA):
            kinds = ", ".join(SUFFIXES)
            found.append(UnreadFile(path, f"{path} is not read: only {kinds} are."))
    return found


def _unread(path: Path, header: Header | None) -> UnreadFile:
    if header is None or not header.names:
        return UnreadFile(path, f"{path} is read for no table: it names no column.")
    names = set(header.published)
    shared = {t: len(names.intersection(layout.columns)) for t, layout in LAYOUTS.items()}
    nearest = max(shared, key=lambda table: shared[table])
    shown = ", ".join(repr(name[:40])[1:-1] for name in header.names[:_SHOWN])
    few = " and more" if len(header.names) > _SHOWN else ""
    sentence = (
        f"{path} is read for no table: its columns are {shown}{few}; nearest is {nearest}, with "
        f"{shared[nearest]} of its {len(LAYOUTS[nearest].columns)}."
    )
    return UnreadFile(path, sentence, nearest if shared[nearest] else None)
