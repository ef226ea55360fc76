from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from htrisk_dagster.dashboard.application import create_app
from htrisk_dagster.dashboard.kept_answers import CALLBACKS, KeptAnswers
from htrisk_dagster.dashboard.pages import risk_map
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
    client = create_app(folder).server.test_client()
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
    client = create_app(folder).server.test_client()
    assert ask(client, str(DAYS[0])).status_code == 200
    assert ask(client, str(DAYS[0]), host="elsewhere.example").status_code == 421


def test_an_error_is_not_kept(folder: Path):
    client = create_app(folder).server.test_client()
    assert [ask(client, "no day").status_code for _ in range(2)] == [500, 500]


def test_the_answer_least_recently_asked_for_goes_first():
    kept = KeptAnswers(most_bytes=10)
    for name in "abc":
        kept.keep((name, b""), name.encode() * 4)
        kept.get(("a", b""))
    assert kept.get(("b", b"")) is None
    assert (kept.get(("a", b"")), kept.get(("c", b""))) == (b"aaaa", b"cccc")
    kept.keep(("c", b""), b"cc")
    kept.keep(("d", b""), b"dddd")
    assert kept.get(("a", b"")) == b"aaaa", "an answer that is kept anew frees its room"
    kept.keep(("e", b""), b"e" * 11)
    assert kept.get(("e", b"")) is None
