"""The log of releases as the dashboard reads it: which days may be shown now.

Belongs here: reading log and reviewers again when a file has changed. Does not: the rules
(`publishing/public_days.py`), the snapshot (`snapshots.py`), writing to the log (`review_page.py` asks
`defs` for it).

A withdrawal holds from the next request on: nothing has to be made anew, and no process restarted.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path

from htrisk_dagster.errors import ReleaseError
from htrisk_dagster.publishing.audit_log import AuditLog, verify
from htrisk_dagster.publishing.public_days import DayStage, stages_of
from htrisk_dagster.publishing.review_records import ReviewRecord
from htrisk_dagster.publishing.reviewers import NOBODY, Reviewers, read_reviewers

_Stamp = tuple[int, int, int] | None


class ReleaseBook:
    """The log of one study area, and the reviewers whose signatures count.

    Parameters
    ----------
    log : Path or None
        The log's file; nothing is published without one.
    reviewers_file : Path or None
    """

    def __init__(self, log: Path | None = None, reviewers_file: Path | None = None) -> None:
        self._log, self._reviewers_file = log, reviewers_file
        self._lock = threading.Lock()
        self._read_at: object = None
        self._records: list[ReviewRecord] = []
        self._reviewers: Reviewers = NOBODY
        self._problem = ""

    def stages(
        self, dossiers: Mapping[date, str], *, area: str, target: str, at: datetime
    ) -> dict[date, DayStage]:
        """Stage of each day at a moment; of a log that cannot be trusted all are drafts."""
        with self._lock:
            self._read_again()
            records, reviewers = self._records, self._reviewers
        return stages_of(records, dossiers, area=area, target=target, reviewers=reviewers, at=at)

    def version(self) -> object:
        """What differs once the log or the file of reviewers has changed."""
        return _stamp(self._log), _stamp(self._reviewers_file)

    @property
    def problem(self) -> str:
        """Why the log cannot be trusted, so that nothing counts as published; else empty."""
        return self._problem

    def _read_again(self) -> None:
        stamps = self.version()
        if stamps == self._read_at:
            return
        self._records, self._reviewers, self._problem = [], NOBODY, ""
        try:
            self._reviewers = read_reviewers(self._reviewers_file)
            if self._log is not None:
                found = AuditLog(self._log).read()
                problems = verify(found, self._reviewers)
                self._problem = " ".join(problems)
                self._records = [] if problems else found.records
        except ReleaseError as error:
            self._problem = str(error)
        self._read_at = stamps


def _stamp(path: Path | None) -> _Stamp:
    """What changes when a file does; None where there is none."""
    try:
        found = path.stat() if path else None
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino) if found else None
