"""Digests of what is stored of a study area now, each read once.

Belongs here: the rows of a table as digests by partition, and what of them lies before a day. Does not:
what a partition is made from (`fingerprints.py`), the files (`warehouse/partitions.py`).

Years of days are asked for one after another, and most know what the day before knew: what was known
is told by its number of partitions, and put into one digest once.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache

import polars as pl

from htrisk_dagster.schemas import context, context_sources, grid
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.warehouse.partitions import Partitions, fingerprint_of

DAILY_CONTEXT = (context_sources.NEWS_SENTIMENT, context_sources.ADVERT_COUNTS)


class StoredContents:
    """Digests of one study area's tables; make a new one after anything has been written.

    Parameters
    ----------
    store : Partitions
    """

    def __init__(self, store: Partitions) -> None:
        self._store = store
        self._read: dict[str, dict[str, str]] = {}
        self._reports: dict[int, str] = {}
        self._contexts: dict[tuple[int, int], str] = {}

    def of(self, table: Table) -> dict[str, str]:
        """Digest of each partition's rows, by key, in order."""
        if table.full_name not in self._read:
            self._read[table.full_name] = dict(sorted(self._store.contents(table).items()))
        return self._read[table.full_name]

    def before(self, table: Table, day: date) -> list[tuple[str, str]]:
        """Partitions of a table before a day, with the digests of their rows."""
        first = day.isoformat()
        return [(key, digest) for key, digest in self.of(table).items() if key < first]

    def reports_before(self, cutoff: date) -> str:
        """Of the incidents on the grid in the months before a cutoff, the cutoff's own among them."""
        known = self.before(grid.INCIDENT_CELLS, cutoff)
        if len(known) not in self._reports:
            self._reports[len(known)] = fingerprint_of(known)
        return self._reports[len(known)]

    def context_before(self, day: date) -> str:
        """Of the context that a forecast for `day` can know."""
        contents = tuple(self.of(context.CELLS).items())
        by_publication = _by_publication(self._store, contents)
        published = [digest for known_on, digest in by_publication if known_on < day]
        daily = [item for table in DAILY_CONTEXT for item in self.before(table, day)]
        known = (len(published), len(daily))
        if known not in self._contexts:
            lots = self.of(context.CELL_NEIGHBOURHOODS)
            self._contexts[known] = fingerprint_of(published, daily, lots if daily else ())
        return self._contexts[known]


@lru_cache(maxsize=4)
def _by_publication(
    store: Partitions, contents: tuple[tuple[str, str], ...]
) -> list[tuple[date, str]]:
    """Day of publication and digest of the context of cells; `contents` are those of its partitions."""
    if not contents:
        return []
    rows = store.read(context.CELLS).sort("known_on", *context.CELLS.key)
    return [(day, _digest(part)) for (day,), part in rows.group_by("known_on", maintain_order=True)]


def _digest(rows: pl.DataFrame) -> str:
    return fingerprint_of(rows.write_csv())
