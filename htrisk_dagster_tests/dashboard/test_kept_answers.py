from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from flask import request
from flask.testing import FlaskClient
from htrisk_dagster.dashboard.application import create_app
from htrisk_dagster.dashboard.kept_answers import CALLBACKS, KeptAnswers
from htrisk_dagster.dashboard.pages import risk_map
from htrisk_dagster.dashboard.snapshots import SnapshotShelf
from htrisk_dagster.publishing.public_days import DayStage
from htrisk_dagster.publishing.release_states import PUBLISHED
from htrisk_dagster_tests.dashboard.small_snapshot import DAYS, HEADER, write


def ask(client: FlaskClient, day: str, host: str = "127.0.0.1"):
    question = {
        "output": "..top-cells.children...day-files.children..",
        "outputs": [
            {"id": "top-cells", "property": "children"},
            {"id": "day-files", "property": "children"},
        ],
        "inputs": [{"id": "day", "property": "data", "value": day}],
        "changedPropIds": ["day.data"],
    }
    return client.post(
        CALLBACKS, data=json.dumps(question), content_type="application/json",
        base_url=f"http://{host}",
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path)
    return tmp_path


def test_a_question_is_answered_once_and_anew_from_a_newer_snapshot(folder: Path, monkeypatch):
    made = []
    whole = risk_map.top_cells
    monkeypatch.setattr(
        risk_map, "top_cells", lambda *given: made.append(given[1]) or whole(*given)
    )
    client = create_app(folder, with_drafts=True).server.test_client()
    first, again = ask(client, str(DAYS[0])), ask(client, str(DAYS[0]))
    assert first.status_code == again.status_code == 200
    assert first.json == again.json
    assert first.headers == again.headers, "the policy of security stands on both"
    assert ask(client, str(DAYS[1])).json != first.json
    assert made == [DAYS[0], DAYS[1]]
    write(folder, replace(HEADER, made_from="fedcba9876543210"))
    assert ask(client, str(DAYS[0])).json == first.json
    assert made == [DAYS[0], DAYS[1], DAYS[0]]


def test_a_host_that_is_refused_gets_no_kept_answer(folder: Path):
    client = create_app(folder, with_drafts=True).server.test_client()
    assert ask(client, str(DAYS[0])).status_code == 200
    assert ask(client, str(DAYS[0]), host="elsewhere.example").status_code == 421


def test_a_day_that_is_withdrawn_leaves_no_answer_behind(folder: Path):
    """The digest in the key of every answer tells other days, other stages and other notices."""
    seen = SnapshotShelf(folder, with_drafts=True).newest()
    fewer = replace(seen, stages=dict(list(seen.stages.items())[1:]))
    out = replace(seen, stages={day: DayStage(PUBLISHED) for day in seen.stages})
    told = replace(seen, notices=("The map of 1 December was withdrawn.",))
    assert len({s.visible for s in (seen, fewer, out, told)}) == 4
    assert replace(seen).visible == seen.visible


def test_a_reviewers_page_is_not_for_others(folder: Path):
    """Who is named by the header sees a link to the review page; nobody else gets that answer."""

    class Desk:
        def add_to(self, app: object) -> None: ...

        def reviewer(self) -> str | None:
            return request.headers.get("X-Reviewer")

    client = create_app(folder, with_drafts=True, review=Desk()).server.test_client()  # type: ignore[arg-type]
    outputs = [("page", "children"), ("page-title", "data"), ("navigation", "children")]
    question = {
        "output": "..page.children...page-title.data...navigation.children..",
        "outputs": [{"id": name, "property": what} for name, what in outputs],
        "inputs": [{"id": "address", "property": "pathname", "value": "/about"}],
        "state": [{"id": "address", "property": "search", "value": ""}],
        "changedPropIds": ["address.pathname"],
    }
    reviewer = client.post(CALLBACKS, json=question, headers={"X-Reviewer": "ada"})
    reader = client.post(CALLBACKS, json=question)
    again = client.post(CALLBACKS, json=question, headers={"X-Reviewer": "ada"})
    assert "Review and release" in again.text
    assert "Review and release" in reviewer.text
    assert "Review and release" not in reader.text


def test_an_error_is_not_kept(folder: Path):
    client = create_app(folder, with_drafts=True).server.test_client()
    assert [ask(client, "no day").status_code for _ in range(2)] == [500, 500]


def test_the_answer_least_recently_asked_for_goes_first():
    kept = KeptAnswers(most_bytes=10)
    for name in "abc":
        kept.keep((name, "", b""), name.encode() * 4)
        kept.get(("a", "", b""))
    assert kept.get(("b", "", b"")) is None
    assert (kept.get(("a", "", b"")), kept.get(("c", "", b""))) == (b"aaaa", b"cccc")
    kept.keep(("c", "", b""), b"cc")
    kept.keep(("d", "", b""), b"dddd")
    assert kept.get(("a", "", b"")) == b"aaaa", "an answer that is kept anew frees its room"
    kept.keep(("e", "", b""), b"e" * 11)
    assert kept.get(("e", "", b"")) is None
