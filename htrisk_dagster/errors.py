"""The errors a user can meet. Each message is a sentence: what, where, what to do.

Belongs here: exception types shared by every layer, and what to say of a disk that takes no more. Does
not: logging, retries (`defs/retries.py`), exit codes (`cli`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class HtriskError(Exception):
    """Base of every error whose message is written for the user."""


class SettingError(HtriskError):
    """A setting is unknown, missing or out of range; the message names it."""


class SourceError(HtriskError):
    """A file or an API answer cannot be used as a whole; the message names the file and column."""


class UnreachableError(SourceError):
    """A site did not answer, however often it was asked; it may at another time."""


class StorageError(HtriskError):
    """A file cannot be written: the disk is full, read-only or not ours; the message names the file."""


class TableError(HtriskError):
    """A table breaks its schema; the message names the table, the column and the first row."""


class MissingPartitionError(HtriskError):
    """A partition that a step needs has not been made; the message says which run makes it."""


class ReleaseError(HtriskError):
    """A release is refused or its log cannot be trusted; the message says why and what is needed."""


_FULL = "no space is left on its disk. Free some, then run the same command again"
_READ_ONLY = "its file system is read-only. Make it writable, then run the same command again"
# As the operating system, and SQLite, which speaks for itself, call it. Polars and DuckDB pass it on.
_STORAGE_FAULTS = {
    "No space left on device": _FULL,
    "database or disk is full": _FULL,
    # What SQLite says where its journal cannot grow.
    "disk I/O error": "its disk is full, or reports an error. Free some space, then run it again",
    "Disk quota exceeded": "the quota of its disk is used up. Ask for more, or free some space",
    "File too large": "it is larger than this user may write. Raise the limit (ulimit -f)",
    "Read-only file system": _READ_ONLY,
    "attempt to write a readonly database": _READ_ONLY,
    "unable to open database file": "its database cannot be opened. See that the folder can be written",
    "Permission denied": "this user has no right to. Give it, or choose another folder",
    "Input/output error": "its disk reports an error. Look at the system's log before going on",
}


def storage_fault(text: str) -> str | None:
    """What is wrong with a disk, and what to do, read off an error's text; None if nothing is."""
    return next((said for words, said in _STORAGE_FAULTS.items() if words in text), None)


def sentence_for_user(error: Exception) -> str | None:
    """What a person is told of an error: that written for them, or that on the disk; None of others.

    Dagster's and MLflow's own databases lie on the same disk as ours, and speak for themselves.
    """
    if isinstance(error, HtriskError):
        return str(error)
    fault = storage_fault(str(error))
    place = getattr(error, "filename", None) or "The workspace"
    return f"{place} cannot be used: {fault}." if fault else None


@contextmanager
def storage_faults_told(path: Path) -> Iterator[None]:
    """Raise a `StorageError` that names `path` where writing it fails for reasons of the disk."""
    try:
        yield
    except HtriskError:
        raise
    except Exception as error:
        fault = storage_fault(str(error))
        if fault is None:
            raise
        raise StorageError(
            f"{path} cannot be written: {fault}. What was there before is whole."
        ) from error
