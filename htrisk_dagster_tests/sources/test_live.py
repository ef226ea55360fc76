"""What is asked of the site and what is not, counted on a server of our own."""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from htrisk_dagster.errors import SourceError
from htrisk_dagster.sources import live
from htrisk_dagster.sources.nyc_open_data import DatedDataSet, OpenDataSet
from htrisk_dagster_tests.sources.misbehaving_socrata import (
    DATASET,
    TOKEN,
    Site,
    refuses,
    running_site,
)

JUNE = date(2024, 6, 15)
Fetch = Callable[..., Path]


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Four rows in March 2024, none in April, two in May; complaints and boroughs come from it."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    complaints = DatedDataSet("Complaints", "https://nowhere.invalid", DATASET, "rpt_dt")
    boroughs = OpenDataSet("Boroughs", "https://nowhere.invalid", DATASET)
    monkeypatch.setitem(live.DATED, "complaints", (complaints,))
    monkeypatch.setitem(live.BOUNDARIES, "boroughs", boroughs)
    with running_site() as running:
        for number, day in enumerate(("03-01", "03-02", "03-30", "03-31", "05-01", "05-14")):
            running.insert(number, f"2024-{day}")
        running.insert(98, "2024-02-29")
        running.insert(99, "2024-06-01")
        yield running


@pytest.fixture
def fetch(site: Site, tmp_path: Path) -> Fetch:
    """Fetches March to May 2024 as of 15 June, unless told otherwise."""

    def call(table: str = "complaints", **given: Any) -> Path:
        usual: dict[str, Any] = {
            "start": date(2024, 3, 1), "end": date(2024, 5, 31), "into": tmp_path / "pulls",
            "app_token": None, "say": lambda _: None, "today": JUNE, "base_url": site.url,
        }  # fmt: skip
        site.requests.clear()
        return live.fetch(table, **{**usual, **given})

    return call


def rows_in(folder: Path) -> list[int]:
    pages = [json.loads(gzip.decompress(p.read_bytes())) for p in sorted(folder.rglob("*.json.gz"))]
    return [int(row["cmplnt_num"]) for page in pages for row in page]


def months_asked(site: Site) -> dict[str, int]:
    """Requests by first day of the window they asked for."""
    return dict(Counter(r.query["$where"].split("'")[1][:10] for r in site.requests))


def asked_on(folder: Path, day: date) -> None:
    """Make the files of a folder as old as if they had been fetched on `day`."""
    at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC).timestamp()
    for path in folder.rglob("*.json.gz"):
        os.utime(path, (at, at))


def test_each_month_is_counted_read_and_counted(site, fetch, tmp_path):
    folder = fetch()
    assert folder == tmp_path / "pulls" / "complaints"
    assert rows_in(folder) == [0, 1, 2, 3, 4, 5]
    # A month without a row is two counts.
    assert months_asked(site) == {"2024-03-01": 3, "2024-04-01": 2, "2024-05-01": 3}


def test_what_was_asked_today_is_not_asked_again(site, fetch):
    folder = fetch()
    asked_on(folder, JUNE)
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    fetch()
    assert site.requests == []
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


def test_only_months_that_had_not_settled_are_asked_again(site, fetch):
    folder = fetch()
    # March and 100 days are over on 10 July, April on 9 August, May on 9 September.
    asked_on(folder, date(2024, 7, 10))
    site.insert(50, "2024-03-15")
    site.insert(51, "2024-05-20")
    fetch(today=date(2024, 9, 20))
    assert months_asked(site) == {"2024-04-01": 2, "2024-05-01": 3}
    assert rows_in(folder) == [0, 1, 2, 3, 4, 5, 51]
    asked_on(folder, date(2024, 9, 20))
    fetch(today=date(2024, 12, 1))
    assert site.requests == []


@pytest.mark.parametrize(
    ("asked", "today", "again"),
    [
        (date(2024, 4, 1), date(2024, 4, 1), False),
        (date(2024, 4, 1), date(2024, 4, 2), True),
        (date(2024, 7, 9), date(2025, 1, 1), True),
        (date(2024, 7, 10), date(2025, 1, 1), False),
        # Asked for on a day that is still to come: a clock was wrong.
        (date(2024, 4, 12), date(2024, 4, 10), True),
        (date(2031, 1, 1), date(2025, 1, 1), True),
    ],
)
def test_a_month_settles_a_hundred_days_after_its_end(asked, today, again):
    assert live.is_unsettled(date(2024, 4, 1), asked, today) is again


def test_whole_months_are_asked_and_no_day_after_today(site, fetch):
    folder = fetch(start=date(2024, 3, 20), end=date(2024, 12, 31), today=date(2024, 5, 10))
    assert rows_in(folder) == [0, 1, 2, 3, 4]  # 14 May is yet to come
    assert list(months_asked(site)) == ["2024-03-01", "2024-04-01", "2024-05-01"]
    assert "rpt_dt < '2024-05-11T" in site.requests[-1].query["$where"]
    asked_on(folder, date(2024, 5, 10))
    # The month goes on: what was fetched of it is short of the day now asked for.
    fetch(start=date(2024, 5, 1), end=date(2024, 5, 31), today=date(2024, 5, 14))
    assert rows_in(folder) == [0, 1, 2, 3, 4, 5]
    assert months_asked(site) == {"2024-05-01": 3}


def test_amended_and_withdrawn_rows_are_applied_and_what_was_said_before_is_kept(site, fetch):
    folder = fetch()
    asked_on(folder, date(2024, 6, 10))
    before = rows_in(folder)
    site.delete(0)
    site.insert(7, "2024-03-15")

    fetch()

    superseded = folder.parent / ".superseded" / folder.name
    assert set(rows_in(folder)) == set(before) - {0} | {7}
    assert {p.name for p in superseded.glob("*/*")} == {"2024-06-10"}
    assert [p.name for p in superseded.iterdir()] == [f"{DATASET}-2024-03"], (
        "April and May are as before"
    )
    assert 0 in rows_in(superseded)


def test_a_range_that_lies_ahead_asks_nothing(site, fetch):
    assert rows_in(fetch(start=date(2024, 7, 1), end=date(2024, 8, 1))) == []
    assert site.requests == []


def test_boundaries_are_fetched_once(site, fetch):
    folder = fetch("boroughs")
    assert [p.name for p in folder.iterdir()] == [f"{DATASET}.geojson.gz"]
    assert [r.path for r in site.requests] == [
        f"/resource/{DATASET}.json", f"/resource/{DATASET}.geojson",
    ]  # fmt: skip
    content = json.loads(gzip.decompress((folder / f"{DATASET}.geojson.gz").read_bytes()))
    assert len(content["features"]) == 8
    asked_on(folder, date(2020, 1, 1))
    fetch("boroughs", today=date(2030, 1, 1))
    assert site.requests == []


@pytest.mark.parametrize("table", ["felonies", "airport_passengers", "verified_cases"])
def test_a_table_that_no_site_publishes_gets_an_empty_folder(site, fetch, tmp_path, table):
    assert table not in live.TABLES
    assert fetch(table) == tmp_path / "pulls" / table
    assert list((tmp_path / "pulls" / table).iterdir()) == []
    assert site.requests == []


def test_finished_months_stay_where_the_site_refuses_a_later_one(site, fetch, tmp_path):
    site.script.extend([None] * 5 + [refuses(404)])  # March and April go well
    with pytest.raises(SourceError, match="moved or withdrawn"):
        fetch()
    folder = tmp_path / "pulls" / "complaints"
    assert rows_in(folder) == [0, 1, 2, 3]
    asked_on(folder, JUNE)
    fetch()
    assert months_asked(site) == {"2024-05-01": 3}
    assert rows_in(folder) == [0, 1, 2, 3, 4, 5]


def test_an_empty_range_is_refused(site, fetch):
    with pytest.raises(SourceError, match="from 2024-03-02 to 2024-03-01: the end lies before"):
        fetch(start=date(2024, 3, 2), end=date(2024, 3, 1))
    assert site.requests == []


def test_progress_is_told_and_the_token_is_not(fetch, site):
    lines: list[str] = []
    fetch(say=lines.append, app_token=TOKEN)
    assert lines == ["Complaints 2024-03: 4 rows", "Complaints 2024-05: 2 rows"]
    assert {r.headers["X-App-Token"] for r in site.requests} == {TOKEN}
    assert not any(TOKEN in line for line in lines)
