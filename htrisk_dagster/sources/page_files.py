"""Fetched pages on disk: one folder a calendar month, replaced as a whole.

Belongs here: where a month's pages lie, which columns are never written, how a month takes the
place of an older one. Does not: requests (`socrata`), what the columns mean (the readers).

Layout: `<into>/<data set>-<year>-<month>/<data set>-<start>-<stop>-<nnnnn>.json.gz`, each file a
JSON list of rows. A month in work lies beside `into`, so no glob below `into` reads half a month.

What the publisher amended or withdrew is applied, for the new month takes the place of the old, and is
not forgotten: the old pages go to `.superseded/<into>/<month>/<day they were asked for>/` beside `into`,
which no search of a folder enters.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from htrisk_dagster.errors import storage_faults_told

Row = dict[str, Any]

# The program is about places. Suspects, victims and perpetrators are described person by person;
# the name of a permitted event is at times the name of a person.
_PERSON_PREFIXES = ("susp_", "vic_", "perp_")
_PERSON_COLUMNS = frozenset({"event_name"})
SUPERSEDED = ".superseded"


def without_persons(row: Mapping[str, Any]) -> Row:
    """Copy of `row` without the publisher's system fields (`:…`) and columns about persons."""
    return {
        column: value
        for column, value in row.items()
        if not column.startswith(":")
        and not column.lower().startswith(_PERSON_PREFIXES)
        and column.lower() not in _PERSON_COLUMNS
    }


def calendar_months(start: date, stop: date) -> Iterator[tuple[date, date]]:
    """Windows from the first of a month to the next first that cover `start` to `stop`.

    Each begins on the first, so that no two asks leave files that overlap. The last ends at `stop`.
    """
    first = start.replace(day=1)
    while first < stop:
        following = (first + timedelta(days=31)).replace(day=1)
        yield first, min(following, stop)
        first = following


def write_json_gz(path: Path, content: object) -> None:
    """Write gzipped JSON beside `path`, synced, and rename it; the same content, the same bytes."""
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    beside = path.with_name(f".{path.name}.tmp")
    with storage_faults_told(path):
        try:
            with beside.open("wb") as handle:
                # Time and file name stay out of the gzip header.
                handle.write(gzip.compress(text.encode(), mtime=0))
                handle.flush()
                os.fsync(handle.fileno())
            beside.replace(path)
        finally:
            beside.unlink(missing_ok=True)


def _contents(month: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(month.glob("*.json.gz"))]


@dataclass(frozen=True)
class MonthOfPages:
    """The pages of one data set and month below a folder. One process at a time may write to it.

    Parameters
    ----------
    into : Path
        Folder that holds the months.
    dataset_id : str
        The publisher's four-by-four identifier.
    start, stop : date
        First day and the day after the last; both in one calendar month, or `stop` the next first.
    """

    into: Path
    dataset_id: str
    start: date
    stop: date

    @property
    def folder(self) -> Path:
        """Folder of the month, whatever its last day."""
        return self.into / f"{self.dataset_id}-{self.start:%Y-%m}"

    def finished(self) -> list[Path]:
        """Files of the month in page order if they reach `stop`; an empty list otherwise."""
        self._recover()
        window_begins = f"{self.dataset_id}-{self.start}-"
        stop = slice(len(window_begins), len(window_begins) + len("yyyy-mm-dd"))
        return [
            path
            for path in sorted(self.folder.glob(f"{window_begins}*.json.gz"))
            if date.fromisoformat(path.name[stop]) >= self.stop
        ]

    def reaching_what_is_there(self) -> MonthOfPages:
        """The same month, up to the last day that its files speak of if that is later than `stop`.

        After the clock was set back, the day to ask up to lies before days that have been fetched:
        asked anew, the month must not become shorter.
        """
        begins = len(f"{self.dataset_id}-{self.start}-")
        stops = [
            date.fromisoformat(path.name[begins : begins + len("yyyy-mm-dd")])
            for path in self.folder.glob(f"{self.dataset_id}-{self.start}-*.json.gz")
        ]
        return replace(self, stop=max([self.stop, *stops]))

    @contextmanager
    def replaced(self) -> Iterator[Callable[[list[Row]], None]]:
        """Give a function that adds a page; when the block ends well, the pages become the month.

        After an exception what was there stays. A month without a page gets one empty list: asked,
        and nothing there. A folder cannot take the place of another in one step, so the old month
        steps aside first; after a kill between the two steps `finished` puts it back.
        """
        self._recover()
        new = self._beside / "new"
        new.mkdir(parents=True)
        written: list[Path] = []

        def add(rows: list[Row]) -> None:
            path = new / f"{self.dataset_id}-{self.start}-{self.stop}-{len(written):05d}.json.gz"
            write_json_gz(path, rows)
            written.append(path)

        try:
            yield add
            if not written:
                add([])
            self.into.mkdir(parents=True, exist_ok=True)
            if self.folder.exists():
                self.folder.rename(self._beside / "old")
            new.rename(self.folder)
        finally:
            self._recover()

    @property
    def _beside(self) -> Path:
        return self.into.with_name(f".{self.into.name}-{self.folder.name}.partial")

    @property
    def superseded(self) -> Path:
        """Folder of the month's older pages, below it a folder for each day they were asked for."""
        return self.into.parent / SUPERSEDED / self.into.name / self.folder.name

    def _keep_superseded(self) -> None:
        """Keep the old month where a page of it differs from the new."""
        old = self._beside / "old"
        if not old.exists() or _contents(old) == _contents(self.folder):
            return
        first = min(old.iterdir()).stat().st_mtime
        asked_on = datetime.fromtimestamp(first, UTC).date()
        kept = self.superseded / asked_on.isoformat()
        # A month asked for twice a day keeps the first: that is what yesterday's runs saw.
        if not kept.exists():
            kept.parent.mkdir(parents=True, exist_ok=True)
            old.rename(kept)

    def _recover(self) -> None:
        old = self._beside / "old"
        if old.exists() and not self.folder.exists():
            old.rename(self.folder)
        self._keep_superseded()
        shutil.rmtree(self._beside, ignore_errors=True)
