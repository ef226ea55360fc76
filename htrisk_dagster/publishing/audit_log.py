"""The log of reviews and releases: one signed JSON line a record, each bound to the one before.

Belongs here: the chain, appending so that a crash loses at most the line being written, and what can
be wrong with a log. Does not: what a record means (`release_states`), whose turn it is
(`release_gate`).

Line i holds the SHA-256 of line i - 1 and a signature over that digest, its own number and the
record: no line can be changed, removed from the middle, moved or written by somebody without a key
and stay unseen. That the *last* lines were cut off can be seen only by who remembers the digest of
the newest line, the head: every command prints it, and `verify` takes it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from htrisk_dagster.errors import ReleaseError
from htrisk_dagster.publishing.review_records import ReviewRecord, canonical
from htrisk_dagster.publishing.reviewers import Reviewers
from htrisk_dagster.publishing.signatures import is_signed, sign

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

GENESIS = "0" * 64
"""Stands for the line before the first."""


@dataclass(frozen=True)
class Entry:
    """One line of the log.

    Parameters
    ----------
    number : int
        From 1.
    previous, digest : str
        SHA-256 of the line before and of this one.
    record : ReviewRecord
    signed_by, signature : str
        Reviewer or service, and its Ed25519 signature.
    """

    number: int
    previous: str
    digest: str
    record: ReviewRecord
    signed_by: str
    signature: str

    @property
    def message(self) -> bytes:
        """What is signed."""
        return _message(self.number, self.previous, self.record, self.signed_by)


@dataclass(frozen=True)
class LogReading:
    """A log as it was found.

    Parameters
    ----------
    entries : tuple of Entry
        Lines up to the first that cannot be read.
    torn : bytes
        What follows the last end of line: a record whose writing was cut off, which never counted.
    problems : tuple of str
        What is wrong with lines and chain, a sentence each.
    """

    entries: tuple[Entry, ...]
    torn: bytes
    problems: tuple[str, ...]

    @property
    def head(self) -> str:
        """Digest of the newest line."""
        return self.entries[-1].digest if self.entries else GENESIS

    @property
    def records(self) -> list[ReviewRecord]:
        """Records in order."""
        return [entry.record for entry in self.entries]


@dataclass(frozen=True)
class AuditLog:
    """The log of one study area.

    Parameters
    ----------
    path : Path
        File of JSON lines; made by the first record.
    """

    path: Path

    def read(self) -> LogReading:
        """Read every line and check the chain; signatures are `verify`'s."""
        return _parse(self.path.read_bytes() if self.path.is_file() else b"")

    def append(
        self,
        decide: Callable[[LogReading], ReviewRecord],
        *,
        signed_by: str,
        key: Ed25519PrivateKey,
    ) -> Entry:
        """Add the record that `decide` makes of the log as it stands, signed and synced to disk.

        Nobody else can append in between. A torn last line is kept beside the log and taken off.

        Raises
        ------
        ReleaseError
            Where the log is not whole; whatever `decide` raises. Nothing is written then.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            found = _parse(content := file.read())
            if found.problems:
                raise ReleaseError(f"{self.path} cannot be added to. {' '.join(found.problems)}")
            record = decide(found)
            if found.torn:
                self._set_aside(found.torn)
                file.truncate(len(content) - len(found.torn))
            line = _line(len(found.entries) + 1, found.head, record, signed_by, key)
            file.write(line + b"\n")
            file.flush()
            os.fsync(file.fileno())
        _sync_folder(self.path.parent)
        return _entry(line)

    def _set_aside(self, torn: bytes) -> None:
        name = f"{self.path.name}.torn-{hashlib.sha256(torn).hexdigest()[:8]}"
        self.path.with_name(name).write_bytes(torn)


def verify(reading: LogReading, reviewers: Reviewers, *, head: str | None = None) -> list[str]:
    """What is wrong with a log, a sentence each; empty where it can be trusted.

    Parameters
    ----------
    reading : LogReading
    reviewers : Reviewers
        Whose signatures count.
    head : str, optional
        Digest that was once printed as the newest line's: it must still be in the chain.
    """
    found = list(reading.problems)
    latest = None
    for entry in reading.entries:
        place = f"Line {entry.number}"
        found += [f"{place}: {problem}" for problem in entry.record.problems()]
        public_key = reviewers.key_for(entry.record.by, entry.signed_by)
        if public_key is None:
            found.append(
                f"{place}: '{entry.record.by}', signed by '{entry.signed_by}', is not in the file of "
                "reviewers."
            )
        elif not is_signed(entry.message, entry.signature, public_key):
            found.append(f"{place}: the signature is not that of '{entry.signed_by}'.")
        if latest is not None and entry.record.at < latest:
            found.append(f"{place}: it is older than the line before it.")
        latest = entry.record.at
    if head and head not in (GENESIS, *(entry.digest for entry in reading.entries)):
        found.append(f"No line has the digest {head}: lines were cut off or replaced.")
    return found


def _message(number: int, previous: str, record: ReviewRecord, signed_by: str) -> bytes:
    return canonical(
        {
            "number": number,
            "previous": previous,
            "record": record.as_json(),
            "signed_by": signed_by,
        }
    )


def _line(
    number: int, previous: str, record: ReviewRecord, signed_by: str, key: Ed25519PrivateKey
) -> bytes:
    message = _message(number, previous, record, signed_by)
    return canonical({**json.loads(message), "signature": sign(message, key)})


def _entry(line: bytes) -> Entry:
    """Read one line.

    Raises
    ------
    ValueError
        Where it is no line that this program writes, byte for byte.
    """
    content = json.loads(line)
    wanted = {"number", "previous", "record", "signed_by", "signature"}
    if not isinstance(content, dict) or set(content) != wanted or canonical(content) != line:
        raise ValueError("it is not in the form that the program writes")
    record = ReviewRecord.from_json(content["record"])
    if record.as_json() != content["record"]:
        raise ValueError("its record is not in the form that the program writes")
    return Entry(
        number=content["number"],
        previous=content["previous"],
        digest=hashlib.sha256(line).hexdigest(),
        record=record,
        signed_by=content["signed_by"],
        signature=content["signature"],
    )


def _parse(content: bytes) -> LogReading:
    *lines, torn = content.split(b"\n")
    entries: list[Entry] = []
    previous = GENESIS
    for number, line in enumerate(lines, start=1):
        try:
            entry = _entry(line)
        except (ValueError, TypeError, AttributeError) as error:
            return LogReading(tuple(entries), torn, (f"Line {number} cannot be read: {error}.",))
        if entry.number != number or entry.previous != previous:
            return LogReading(
                tuple(entries),
                torn,
                (f"Line {number} does not follow the line before it: the chain is broken.",),
            )
        entries.append(entry)
        previous = entry.digest
    return LogReading(tuple(entries), torn, ())


def _sync_folder(folder: Path) -> None:
    """Make a new file's name survive a crash too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
