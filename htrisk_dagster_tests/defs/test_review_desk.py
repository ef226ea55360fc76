"""The review page over the city: two reviewers whom a proxy names, signed for by the page's key."""

from __future__ import annotations

import re
from datetime import date

import pytest
from flask.testing import FlaskClient
from htrisk_dagster.dashboard.application import create_app
from htrisk_dagster.dashboard.release_book import ReleaseBook
from htrisk_dagster.dashboard.review_page import ReviewPage
from htrisk_dagster.defs import released
from htrisk_dagster.defs.published import snapshots_folder
from htrisk_dagster.defs.review_desk import open_desk
from htrisk_dagster.errors import ReleaseError
from htrisk_dagster.publishing.audit_log import verify
from htrisk_dagster.publishing.dossier import REQUIRED
from htrisk_dagster_tests.defs.review_office import DAY, HEADER, TARGET, Office
from htrisk_dagster_tests.defs.small_city import City

URL = f"/review/{DAY}"
REASON = "Looked at every cell of the top band."


def client_of(office: Office) -> FlaskClient:
    desk = open_desk(office.workspace, office.area)
    assert desk is not None
    book = ReleaseBook(released.log_path(office.workspace.settings, "nyc"), office.people)
    folder = snapshots_folder(office.workspace, "nyc")
    return create_app(folder, book=book, review=ReviewPage(desk, HEADER)).server.test_client()


@pytest.fixture(scope="module")
def office(city: City, tmp_path_factory: pytest.TempPathFactory) -> Office:
    folder = tmp_path_factory.mktemp("review_office")
    return Office(city.copy_to(folder / "city"), folder)


def decide(client: FlaskClient, who: str, action: str) -> int:
    page = client.get(URL, headers={HEADER: who}).text
    form = dict(re.findall(r'name="(token|dossier)" value="([^"]+)"', page))
    answer = client.post(
        URL,
        data={**form, "action": action, "reason": REASON},
        headers={HEADER: who, "Origin": "http://localhost"},
    )
    return answer.status_code


def test_a_map_goes_out_and_comes_back_through_the_page(office: Office) -> None:
    client = client_of(office)
    address = f"/download/risk/{DAY}.csv"
    listed = client.get("/review", headers={HEADER: "anna"}).text
    assert "5 draft, 0 reviewed, 0 published, 0 withdrawn" in listed
    for name in REQUIRED:
        assert client.get(f"{URL}/{name}", headers={HEADER: "anna"}).status_code == 200, name

    assert client.get(address).status_code == 404, "a draft"
    assert [decide(client, who, "approve") for who in ("anna", "ben")] == [303, 303]
    assert decide(client, "ben", "publish") == 303
    folder = released.released_folder(office.workspace, office.area) / TARGET / DAY
    assert "reviewed by anna and ben" in (folder / "risk_map.html").read_text()
    shown = client.get(address)
    assert shown.status_code == 200, "the dashboard shows it from the next request on"
    assert b"DRAFT" not in shown.data
    assert client.get("/download/risk/2024-04-04.csv").status_code == 404

    assert decide(client, "anna", "withdraw") == 303
    assert client.get(address).status_code == 404
    assert not folder.exists()
    gate = released.gate_of(office.workspace, office.area)
    found = gate.log.read()
    assert verify(found, gate.reviewers) == []
    assert [(e.record.by, e.record.action, e.signed_by) for e in found.entries] == [
        ("anna", "approve", "review_page"), ("ben", "approve", "review_page"),
        ("ben", "publish", "review_page"), ("anna", "withdraw", "review_page"),
    ]  # fmt: skip
    assert found.entries[0].record.risk_on == date.fromisoformat(DAY)


def test_the_page_is_off_unless_a_proxy_is_named(office: Office) -> None:
    assert open_desk(office.with_settings(review_key_file=office.key), office.area) is None


def test_a_page_that_could_not_sign_is_refused_at_the_start(office: Office) -> None:
    without = office.with_settings(identity_header=HEADER)
    with pytest.raises(ReleaseError, match="has no key to sign with"):
        open_desk(without, office.area)
    annas = office.with_settings(identity_header=HEADER, review_key_file=office.folder / "anna")
    with pytest.raises(ReleaseError, match="is of no service in the file of reviewers"):
        open_desk(annas, office.area)
    office.key.chmod(0o644)
    with pytest.raises(ReleaseError, match="can be read by others"):
        open_desk(office.workspace, office.area)
    office.key.chmod(0o600)
