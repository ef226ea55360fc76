"""No row lost, none repeated, while the data set changes; files that are whole or not there."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from htrisk_dagster.errors import SourceError
from htrisk_dagster.sources.socrata import DataSetChangedError, SocrataClient
from htrisk_dagster_tests.sources.misbehaving_socrata import (
    DATASET,
    Handler,
    Misbehaviour,
    Site,
    opaque_id,
    refuses,
    running_site,
    says,
)

MARCH: dict[str, Any] = {
    "date_column": "rpt_dt",
    "start": date(2024, 3, 1),
    "stop": date(2024, 4, 1),
}
QUARTER: dict[str, Any] = {
    "date_column": "rpt_dt",
    "start": date(2024, 3, 1),
    "stop": date(2024, 6, 1),
}


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def site() -> Iterator[Site]:
    """Even rows 2 to 20 in March and 22 to 32 in May 2024, none in April; one before, one after."""
    with running_site() as running:
        for number in range(2, 22, 2):
            running.insert(number, f"2024-03-{number:02d}")
        for number in range(22, 34, 2):
            running.insert(number, f"2024-05-{number - 10:02d}")
        running.insert(1, "2024-02-29")
        running.insert(99, "2024-06-01")
        yield running


@pytest.fixture
def client(site: Site) -> Iterator[SocrataClient]:
    with SocrataClient(site.url, page_size=4, attempts=3, max_wait_s=0.01) as opened:
        yield opened


def numbers_of(pages: list[list[dict[str, Any]]]) -> list[int]:
    return [int(row["cmplnt_num"]) for page in pages for row in page]


def read(paths: list[Path]) -> list[list[dict[str, Any]]]:
    return [json.loads(gzip.decompress(path.read_bytes())) for path in paths]


def whole_tree(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def then(change: Any, *arguments: Any) -> Misbehaviour:
    """Change the table just before the honest answer."""

    def misbehave(handler: Handler) -> None:
        getattr(handler.server.site, change)(*arguments)

    return misbehave


# Pages


def test_pages_hold_each_row_of_the_window_once_in_the_servers_order(
    site: Site, client: SocrataClient
) -> None:
    texts = [opaque_id(number) for number in range(2, 22, 2)]
    assert texts != sorted(texts)  # so an order by the text of `:id` would fail here
    pages = list(client.pages(DATASET, **MARCH))
    assert [len(page) for page in pages] == [4, 4, 2]
    assert numbers_of(pages) == list(range(2, 22, 2))


def test_short_pages_do_not_end_the_reading(site: Site, client: SocrataClient) -> None:
    first = [site.rows[number] | {":id": opaque_id(number)} for number in (2, 4)]
    site.script.extend([None, says(200, first)])
    assert numbers_of(list(client.pages(DATASET, **MARCH))) == list(range(2, 22, 2))


def test_an_empty_window_is_two_counts_and_no_page(site: Site, client: SocrataClient) -> None:
    april: dict[str, Any] = {
        "date_column": "rpt_dt",
        "start": date(2024, 4, 1),
        "stop": date(2024, 5, 1),
    }
    assert list(client.pages(DATASET, **april)) == []
    assert len(site.requests) == 2


def test_system_and_person_columns_and_event_names_never_leave_the_client(
    site: Site, client: SocrataClient
) -> None:
    persons = {
        "susp_race": "X",
        "vic_sex": "X",
        "perp_age_group": "X",
        "VIC_RACE": "X",
        "event_name": "X",
    }
    site.insert(2, "2024-03-02", **persons, **{":@computed_region_92fq_4b7q": "7"}, victory="kept")
    row = next(client.pages(DATASET, **MARCH))[0]
    assert row == {"cmplnt_num": "2", "rpt_dt": "2024-03-02T00:00:00.000", "victory": "kept"}


CHANGES = {
    "inserted behind the cursor": [then("insert", 3, "2024-03-03")],
    "inserted ahead of the cursor": [then("insert", 19, "2024-03-19")],
    "deleted behind the cursor": [then("delete", 2)],
    "deleted ahead of the cursor": [then("delete", 18)],
    "the cursor's own row deleted": [then("delete", 8)],
    "moved out of the window": [then("insert", 2, "2024-01-01")],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_between_pages_is_seen_and_read_again(
    site: Site, client: SocrataClient, tmp_path: Path, change: list[Misbehaviour]
) -> None:
    site.script.extend([None, None, *change])  # after the count and the first page of 2, 4, 6, 8
    paths = client.download(DATASET, **MARCH, into=tmp_path / "got")
    now_there = [n for n, row in sorted(site.rows.items()) if row["rpt_dt"].startswith("2024-03")]
    assert now_there != list(range(2, 22, 2))
    assert numbers_of(read(paths)) == now_there
    assert len(site.requests) >= 8  # two passes


def test_pages_alone_cannot_start_over_and_say_so(site: Site, client: SocrataClient) -> None:
    site.script.extend([None, None, then("insert", 3, "2024-03-03")])
    words = r"rpt_dt from 2024-03-01 .* changed .*: 10 rows before, 10 got, 11 after.*again later"
    with pytest.raises(DataSetChangedError, match=words):
        list(client.pages(DATASET, **MARCH))


def test_a_row_that_the_server_leaves_out_of_its_pages_is_missed(
    site: Site, client: SocrataClient
) -> None:
    without_4 = [site.rows[number] | {":id": opaque_id(number)} for number in (2, 6, 8)]
    site.script.extend([None, says(200, without_4)])
    with pytest.raises(DataSetChangedError, match="10 rows before, 9 got, 10 after"):
        list(client.pages(DATASET, **MARCH))


def test_a_data_set_that_never_rests_is_given_up_after_three_passes(
    site: Site, client: SocrataClient, tmp_path: Path
) -> None:
    site.script.extend([then("insert", n, "2024-03-31") for n in range(1_001, 1_100)])
    with pytest.raises(DataSetChangedError, match="The publisher is updating it"):
        client.download(DATASET, **MARCH, into=tmp_path / "got")
    assert sum("row_count" in request.query["$select"] for request in site.requests) == 3 * 2
    assert whole_tree(tmp_path) == {}


@pytest.mark.parametrize("where", ["within a page", "across pages"])
def test_a_repeated_row_is_an_error(site: Site, client: SocrataClient, where: str) -> None:
    if where == "within a page":
        row = site.rows[2] | {":id": opaque_id(2)}
        site.script.extend([None, says(200, [row, row])])
    else:
        site.is_honest = False
    with pytest.raises(SourceError, match=f"row '{opaque_id(2)}' twice.*Try again later"):
        list(client.pages(DATASET, **MARCH))


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ([None, says(200, {"rows": []})], "not answer with a JSON list of rows but {'rows'"),
        ([None, says(200, ["2", "4"])], r"not answer with a JSON list of rows but \['2'"),
        ([None, says(200, [{"cmplnt_num": "2"}])], "a row without ':id'"),
        ([says(200, [])], r"not answer count\(\*\) with a number but \[\]"),
        ([says(200, [{"row_count": "many"}])], r"not answer count\(\*\) with a number"),
    ],
)
def test_an_answer_in_another_shape_is_an_error_and_not_asked_again(
    site: Site, client: SocrataClient, script: list[Misbehaviour | None], words: str
) -> None:
    site.script.extend(script)
    with pytest.raises(SourceError, match=words):
        list(client.pages(DATASET, **MARCH))
    assert len(site.requests) == len(script)


@pytest.mark.parametrize(
    ("dataset_id", "changed", "words"),
    [
        ("../../etc", {}, "no Socrata data set"),
        (DATASET, {"date_column": "rpt_dt' OR 1=1"}, "no column of the API"),
        (DATASET, {"stop": date(2024, 3, 1)}, "2024-03-01 to 2024-03-01 is empty"),
    ],
)
def test_a_question_that_makes_no_sense_is_not_sent(
    site: Site, client: SocrataClient, tmp_path: Path, dataset_id: str, changed: Any, words: str
) -> None:
    with pytest.raises(SourceError, match=words):
        client.download(dataset_id, **(MARCH | changed), into=tmp_path / "got")
    assert site.requests == []


# Files


def test_a_download_is_one_folder_a_month_and_one_file_a_page(
    site: Site, client: SocrataClient, tmp_path: Path
) -> None:
    rows_seen: list[int] = []
    paths = client.download(DATASET, **QUARTER, into=tmp_path / "got", progress=rows_seen.append)
    assert [str(path.relative_to(tmp_path / "got")) for path in paths] == [
        "abcd-1234-2024-03/abcd-1234-2024-03-01-2024-04-01-00000.json.gz",
        "abcd-1234-2024-03/abcd-1234-2024-03-01-2024-04-01-00001.json.gz",
        "abcd-1234-2024-03/abcd-1234-2024-03-01-2024-04-01-00002.json.gz",
        "abcd-1234-2024-04/abcd-1234-2024-04-01-2024-05-01-00000.json.gz",
        "abcd-1234-2024-05/abcd-1234-2024-05-01-2024-06-01-00000.json.gz",
        "abcd-1234-2024-05/abcd-1234-2024-05-01-2024-06-01-00001.json.gz",
    ]
    pages = read(paths)
    assert pages[3] == []  # asked, and nothing there
    assert numbers_of(pages) == list(range(2, 34, 2))
    assert rows_seen == [4, 4, 2, 4, 2]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["got"]


def test_a_second_download_is_byte_identical_whatever_the_order_of_columns(
    site: Site, client: SocrataClient, tmp_path: Path
) -> None:
    client.download(DATASET, **QUARTER, into=tmp_path / "first")
    site.rows = {n: dict(reversed(row.items())) for n, row in site.rows.items()}
    site.script.extend([refuses(503), None, refuses(500)])
    client.download(DATASET, **QUARTER, into=tmp_path / "second")
    assert whole_tree(tmp_path / "first") == whole_tree(tmp_path / "second")
    assert len(whole_tree(tmp_path / "first")) == 6
    # Bytes 4 to 7 of a gzip file are the time of writing (RFC 1952); zero says unknown.
    assert {file[4:8] for file in whole_tree(tmp_path).values()} == {bytes(4)}


def test_finished_months_are_not_asked_again_unless_refreshed(
    site: Site, client: SocrataClient, tmp_path: Path
) -> None:
    first = client.download(DATASET, **QUARTER, into=tmp_path / "got")
    site.delete(2)
    asked = len(site.requests)
    assert client.download(DATASET, **QUARTER, into=tmp_path / "got") == first
    assert len(site.requests) == asked
    refreshed = client.download(DATASET, **QUARTER, into=tmp_path / "got", refresh=True)
    assert numbers_of(read(refreshed)) == list(range(4, 34, 2))


def test_a_month_in_progress_grows_and_never_shrinks(
    site: Site, client: SocrataClient, tmp_path: Path
) -> None:
    ask: dict[str, Any] = {"dataset_id": DATASET, "date_column": "rpt_dt", "into": tmp_path / "got"}
    part = client.download(**ask, start=date(2024, 3, 5), stop=date(2024, 3, 11))
    assert numbers_of(read(part)) == [2, 4, 6, 8, 10]  # the month from its first day
    more = client.download(**ask, start=date(2024, 3, 1), stop=date(2024, 3, 13))
    assert numbers_of(read(more)) == [2, 4, 6, 8, 10, 12]
    asked = len(site.requests)
    assert client.download(**ask, start=date(2024, 3, 1), stop=date(2024, 3, 11)) == more
    assert len(site.requests) == asked
    # What was known when the month was shorter is kept beside.
    kept = [name for name in whole_tree(tmp_path) if name.startswith(".superseded/")]
    assert len(whole_tree(tmp_path)) - len(kept) == len(more) == len(kept) == 2


class KilledError(Exception):
    """Stands for whatever ends a download half-way."""


def kill_at_row(number: int) -> Any:
    seen = 0

    def progress(rows: int) -> None:
        nonlocal seen
        seen += rows
        if seen >= number:
            raise KilledError

    return progress


def test_an_interrupted_download_leaves_finished_months_only_and_goes_on_from_there(
    site: Site, client: SocrataClient, tmp_path: Path
) -> None:
    with pytest.raises(KilledError):
        client.download(DATASET, **QUARTER, into=tmp_path / "got", progress=kill_at_row(11))
    assert [path.name for path in tmp_path.iterdir()] == ["got"]
    finished = sorted(path.name for path in (tmp_path / "got").iterdir())
    assert finished == ["abcd-1234-2024-03", "abcd-1234-2024-04"]
    asked = len(site.requests)
    paths = client.download(DATASET, **QUARTER, into=tmp_path / "got")
    assert numbers_of(read(paths)) == list(range(2, 34, 2))
    assert len(site.requests) - asked == 4  # May alone: two counts, two pages


def test_an_interrupted_refresh_leaves_the_old_month(
    site: Site, client: SocrataClient, tmp_path: Path
) -> None:
    client.download(DATASET, **MARCH, into=tmp_path / "got")
    before = whole_tree(tmp_path)
    site.delete(2)
    with pytest.raises(KilledError):
        client.download(
            DATASET, **MARCH, into=tmp_path / "got", refresh=True, progress=kill_at_row(5)
        )
    assert whole_tree(tmp_path) == before


def test_a_site_that_fails_half_way_leaves_nothing_half_written(
    site: Site, client: SocrataClient, tmp_path: Path
) -> None:
    site.script.extend([None, None, *[refuses(503)] * 3])
    with pytest.raises(SourceError, match="Nothing half-read was kept"):
        client.download(DATASET, **MARCH, into=tmp_path / "got")
    assert whole_tree(tmp_path) == {}


# Boundaries


def test_boundaries_are_kept_whole_without_system_fields(
    site: Site, client: SocrataClient, tmp_path: Path
) -> None:
    site.rows = {n: {"precinct": str(n), ":@computed_region_1": "7"} for n in (1, 5, 6)}
    path = client.download_geojson(DATASET, tmp_path / "geo")
    assert path == tmp_path / "geo" / "abcd-1234.geojson.gz"
    point = {"type": "Point", "coordinates": [-73.98, 40.75]}
    assert json.loads(gzip.decompress(path.read_bytes())) == {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "geometry": point, "properties": {"precinct": str(n)}}
            for n in (1, 5, 6)
        ],
    }


@pytest.mark.parametrize("answer", [[], {"features": []}, {"features": [1, 2]}, {"error": True}])
def test_boundaries_that_are_not_complete_are_refused_and_the_old_file_stays(
    site: Site, client: SocrataClient, tmp_path: Path, answer: object
) -> None:
    site.rows = {n: {"precinct": str(n)} for n in (1, 5)}
    old = client.download_geojson(DATASET, tmp_path).read_bytes()
    site.script.extend([None, says(200, answer)])
    with pytest.raises(SourceError, match="has 2 rows, but its GeoJSON has 0 features"):
        client.download_geojson(DATASET, tmp_path)
    assert whole_tree(tmp_path) == {"abcd-1234.geojson.gz": old}
