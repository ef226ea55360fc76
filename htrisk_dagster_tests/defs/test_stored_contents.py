"""What lies before a day, as one digest that later rows do not touch."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
from htrisk_dagster.defs.stored_contents import StoredContents
from htrisk_dagster.schemas import context, grid
from htrisk_dagster.schemas.context_sources import NEWS_SENTIMENT
from htrisk_dagster.warehouse.partitions import Partitions, fingerprint_of


def store_with(folder: Path, *months: str) -> Partitions:
    store = Partitions(folder, "nyc")
    for month in months:
        store.write(grid.INCIDENT_CELLS, grid.INCIDENT_CELLS.empty(), month, made_from="")
    return store


def test_the_months_before_a_cutoff_make_its_digest_and_no_later_one(tmp_path: Path) -> None:
    store = store_with(tmp_path, "2024-02-01", "2024-01-01")
    digests = store.contents(grid.INCIDENT_CELLS)
    stored = StoredContents(store)

    january = [("2024-01-01", digests["2024-01-01"])]
    assert stored.before(grid.INCIDENT_CELLS, date(2024, 2, 1)) == january
    assert stored.reports_before(date(2024, 1, 20)) == fingerprint_of(january)
    assert stored.reports_before(date(2024, 2, 1)) == fingerprint_of(january)
    assert stored.reports_before(date(2024, 2, 2)) != fingerprint_of(january)
    assert stored.reports_before(date(2024, 1, 1)) == fingerprint_of([])

    later = StoredContents(store_with(tmp_path, "2024-03-01"))
    assert later.reports_before(date(2024, 1, 20)) == fingerprint_of(january)


def test_context_counts_from_the_day_after_its_publication(tmp_path: Path) -> None:
    store = Partitions(tmp_path, "nyc")
    nothing = StoredContents(store).context_before(date(2024, 3, 1))
    assert nothing == fingerprint_of([], [], ())

    row = {
        name: 0 if kind.is_numeric() else None
        for name, kind in context.CELLS.polars_schema().items()
    }
    rows = [{**row, "known_on": on} for on in (date(2024, 1, 10), date(2024, 2, 10))]
    frame = pl.DataFrame(rows, schema=context.CELLS.polars_schema())
    store.write_unchecked(context.CELLS, frame, "all", made_from="")
    stored = StoredContents(store)
    assert stored.context_before(date(2024, 1, 10)) == nothing
    first = stored.context_before(date(2024, 1, 11))
    assert first != nothing
    assert stored.context_before(date(2024, 2, 10)) == first
    assert stored.context_before(date(2024, 2, 11)) not in (first, nothing)

    # A day's news is known from the next day, and no earlier day hangs on it.
    store.write(NEWS_SENTIMENT, NEWS_SENTIMENT.empty(), "2024-02-10", made_from="")
    newer = StoredContents(store)
    assert newer.context_before(date(2024, 2, 10)) == first
    assert newer.context_before(date(2024, 2, 11)) != stored.context_before(date(2024, 2, 11))
