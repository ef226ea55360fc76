"""Retries, waits and refusals, each against a server on loopback that really misbehaves."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime

import pytest
from htrisk_dagster.errors import SourceError
from htrisk_dagster.sources import json_site
from htrisk_dagster.sources.socrata import SocrataClient
from htrisk_dagster_tests.sources.misbehaving_socrata import (
    DATASET,
    TOKEN,
    Misbehaviour,
    Site,
    closes_before_headers,
    cuts_mid_body,
    dawdles,
    refuses,
    running_site,
    says,
    sends_a_packed_bomb,
    sends_broken_gzip,
    sends_half_json_as_whole,
)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def site() -> Iterator[Site]:
    with running_site() as running:
        for number in range(1, 11):
            running.insert(number, "2024-03-05")
        yield running


def numbers(
    site: Site, *, max_wait_s: float = 0.01, attempts: int = 4, token: str = TOKEN
) -> list[str]:
    """Read March 2024 in pages of four rows: a count, three pages and a count, five requests."""
    with SocrataClient(
        site.url, token, page_size=4, timeout_s=0.3, attempts=attempts, max_wait_s=max_wait_s
    ) as client:
        pages = client.pages(
            DATASET, date_column="rpt_dt", start=date(2024, 3, 1), stop=date(2024, 4, 1)
        )
        return [row["cmplnt_num"] for page in pages for row in page]


ALL = [str(number) for number in range(1, 11)]


def test_a_good_server_is_asked_as_little_as_needed_and_told_who_asks(site: Site) -> None:
    assert numbers(site) == ALL
    assert len(site.requests) == 5
    assert {request.headers["X-App-Token"] for request in site.requests} == {TOKEN}
    assert {request.headers["User-Agent"].split()[0] for request in site.requests} == {
        "htrisk-dagster"
    }


def test_without_a_token_no_token_header_is_sent(site: Site) -> None:
    assert numbers(site, token="") == ALL
    assert not any("X-App-Token" in request.headers for request in site.requests)


@pytest.mark.parametrize(
    "misbehaviour",
    [
        refuses(202), refuses(408), refuses(429), refuses(500), refuses(502), refuses(503), refuses(504),
        refuses(429, Retry_After="0"), refuses(503, Retry_After="soon"), refuses(503, Retry_After="-5"),
        refuses(503, Retry_After=format_datetime(datetime(2020, 1, 1, tzinfo=UTC), usegmt=True)),
        cuts_mid_body, closes_before_headers, sends_half_json_as_whole, sends_broken_gzip, dawdles(0.6),
    ],
)  # fmt: skip
def test_a_passing_fault_costs_one_request_and_no_row(
    site: Site, misbehaviour: Misbehaviour
) -> None:
    # At the first count, at the second page and at the last count.
    site.script.extend([misbehaviour, None, None, misbehaviour, None, None, misbehaviour])
    assert numbers(site) == ALL
    assert len(site.requests) == 5 + 3
    for failed in (0, 3, 6):
        assert site.requests[failed].query == site.requests[failed + 1].query


def test_a_burst_of_different_faults_is_survived_within_the_attempts(site: Site) -> None:
    site.script.extend([None, refuses(500), cuts_mid_body, refuses(503)])
    assert numbers(site, attempts=4) == ALL
    assert len(site.requests) == 8


def test_retry_after_in_seconds_is_waited_in_full(site: Site) -> None:
    # The client's own first wait is at most one second.
    site.script.append(refuses(429, Retry_After="1"))
    assert numbers(site, max_wait_s=5) == ALL
    assert 1.0 <= site.waits()[0] < 3.0


def test_retry_after_zero_is_not_waited_at_all(site: Site) -> None:
    # The client's own first wait is at least half a second.
    site.script.append(refuses(429, Retry_After="0"))
    assert numbers(site, max_wait_s=5) == ALL
    assert site.waits()[0] < 0.45


def test_retry_after_as_a_date_is_not_undercut(site: Site) -> None:
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=2)
    site.script.append(refuses(503, Retry_After=format_datetime(until, usegmt=True)))
    offset = time.time() - time.monotonic()
    assert numbers(site, max_wait_s=5) == ALL
    late_s = site.requests[1].arrived + offset - until.timestamp()
    assert 0.0 <= late_s < 2.0


def test_retry_after_is_capped(site: Site) -> None:
    site.script.append(refuses(429, Retry_After="86400"))
    assert numbers(site, max_wait_s=0.2) == ALL
    assert 0.2 <= site.waits()[0] < 2.0


def test_429_without_retry_after_is_waited_for_all_the_same(site: Site) -> None:
    site.script.append(refuses(429))
    assert numbers(site, max_wait_s=5) == ALL
    assert 0.5 <= site.waits()[0] < 3.0  # half a second and up to half a second of jitter


@pytest.mark.parametrize(
    ("misbehaviour", "named"),
    [(refuses(503), "503"), (cuts_mid_body, "RemoteProtocolError"), (dawdles(0.6), "ReadTimeout")],
)
def test_a_server_that_never_recovers_ends_in_one_sentence(
    site: Site, misbehaviour: Misbehaviour, named: str
) -> None:
    site.script.extend([misbehaviour] * 50)
    with pytest.raises(
        SourceError, match=rf"{DATASET} on 127.0.0.1 .*3 attempts.*{named}.*again later"
    ):
        numbers(site, attempts=3)
    assert len(site.requests) == 3


def test_a_server_that_is_not_there_ends_in_one_sentence() -> None:
    with running_site() as gone:
        pass
    with pytest.raises(SourceError, match=r"could not be read in 2 attempts.*ConnectError"):
        numbers(gone, attempts=2)


@pytest.mark.parametrize(
    ("status", "content", "words"),
    [
        (403, {"message": "Invalid app_token"}, "403 .*Invalid app_token. Check the app token"),
        (401, {"message": "Login required."}, "401 .*Login required. Check the app token"),
        (400, {"message": "No such column"}, "400 .*No such column. Check the column names"),
        (404, {"code": "dataset.missing"}, "404 .*dataset.missing.*withdrawn"),
        (418, "", "418 .*in a browser"),
    ],
)
def test_a_refusal_is_not_asked_again_and_says_what_to_do(
    site: Site, status: int, content: object, words: str
) -> None:
    site.script.append(says(status, content))
    with pytest.raises(SourceError, match=words):
        numbers(site)
    assert len(site.requests) == 1


def test_an_answer_without_end_is_refused_before_it_is_held(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_site, "LARGEST_ANSWER", 1_000_000)
    site.script.append(sends_a_packed_bomb)
    with pytest.raises(SourceError, match=r"answered with more than 1 MB.*Nothing of it was kept"):
        numbers(site)
    assert len(site.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_to_another_host_is_refused_and_not_followed(site: Site, status: int) -> None:
    with running_site() as other:
        target = f"{other.url}/resource/{DATASET}.json"
        site.script.append(refuses(status, Location=target))
        with pytest.raises(SourceError, match=f"{status} .*redirect to {target}"):
            numbers(site)
        assert len(site.requests) == 1
        assert other.requests == []


def test_the_token_is_in_no_log_and_no_message(
    site: Site, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    site.script.extend([refuses(503), cuts_mid_body, says(403, {"message": f"Bad token {TOKEN}"})])
    with pytest.raises(SourceError, match=r"Bad token \*\*\*") as refused:
        numbers(site)
    printed = capsys.readouterr()
    assert "503" in caplog.text + printed.out + printed.err  # the retries were logged
    for text in (
        caplog.text,
        printed.out,
        printed.err,
        str(refused.value),
        repr(refused.getrepr()),
    ):
        assert TOKEN not in text


@pytest.mark.parametrize(
    "address",
    ["http://data.ny.gov", "data.ny.gov", "ftp://127.0.0.1", "https://", "http://[", ""],
)
def test_an_address_that_is_not_https_is_refused(address: str) -> None:
    with pytest.raises(SourceError, match="is not the https address of a site"):
        SocrataClient(address)


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "tökén"])
def test_a_token_that_no_header_can_carry_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(SourceError, match="app token holds") as refused:
        SocrataClient("https://data.cityofnewyork.us", token)
    assert token not in str(refused.value)
