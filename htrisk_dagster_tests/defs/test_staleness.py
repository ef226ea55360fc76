"""Which sources a day's map calls silent, and what a plan does about a site that cannot be reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from htrisk_dagster.defs.plan import Plan
from htrisk_dagster.defs.staleness import silence_before
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.errors import UnreachableError
from htrisk_dagster.schemas import grid, raw
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.settings import load_settings
from htrisk_dagster.study_areas.area import load_area
from htrisk_dagster.warehouse.partitions import Partitions, by_month

NYC = load_area("nyc")
LAST = date(2024, 4, 3)


@pytest.fixture
def tables(tmp_path: Path) -> Partitions:
    """Ten reports a day up to 3 April; a closed source ended in January."""
    store = Partitions(tmp_path, "nyc")
    sources = {"complaints": LAST, "felonies": date(2024, 1, 15)}
    rows = pl.concat(
        pl.DataFrame(
            {"reported_on": [end - timedelta(days=i // 10) for i in range(600)]}
        ).with_columns(source=pl.lit(name))
        for name, end in sources.items()
    )
    for month, part in by_month(rows, "reported_on").items():
        store.write_unchecked(grid.INCIDENT_CELLS, part, month)
    return store


def test_a_source_is_silent_from_the_first_cutoff_that_misses_a_day(tables: Partitions) -> None:
    # The map of the 5th has its cutoff on the 4th: all that is before it is there.
    assert silence_before(tables, NYC, date(2024, 4, 5)) == ""
    assert silence_before(tables, NYC, date(2024, 4, 6)) == (
        "complaints: the newest report is of 2024-04-03, 1 days behind, with 10.0 a day before. "
        "The source may have stopped: fetch it."
    )
    assert "7 days behind" in silence_before(tables, NYC, date(2024, 4, 12))


def test_a_map_of_the_past_is_not_called_stale_by_what_came_later(tables: Partitions) -> None:
    assert silence_before(tables, NYC, date(2024, 3, 20)) == ""


def test_without_any_report_nothing_is_said(tmp_path: Path) -> None:
    assert silence_before(Partitions(tmp_path, "nyc"), NYC, LAST) == ""


@dataclass
class Silent:
    """Fingerprints of a site that cannot be reached."""

    def raw(self, table: Table, months: Sequence[str]) -> str:
        raise UnreachableError(f"{table.name} could not be read.")


def test_a_plan_goes_on_with_what_was_read_and_says_so(tmp_path: Path) -> None:
    workspace = Workspace(load_settings(origin="api", home=tmp_path))
    said: list[str] = []
    plan = Plan(workspace, NYC, LAST, LAST, lambda asset: frozenset(), said.append)
    months = ["2024-04-01"]

    with pytest.raises(UnreachableError):
        plan._has_news(Silent(), raw.COMPLAINTS, months, months)  # type: ignore[arg-type]
    assert said == []

    workspace.tables("nyc").write(raw.COMPLAINTS, raw.COMPLAINTS.empty(), months[0])
    assert not plan._has_news(Silent(), raw.COMPLAINTS, months, months)  # type: ignore[arg-type]
    assert said == [
        "complaints could not be read. Until then the maps are made from the complaints read before."
    ]
