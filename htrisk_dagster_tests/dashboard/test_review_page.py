"""Who may decide on the review page, what a forged or repeated form comes to, and what is signed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from htrisk_dagster.dashboard.application import create_app
from htrisk_dagster.dashboard.review_page import ReviewPage, is_same_origin
from htrisk_dagster.publishing.audit_log import verify
from htrisk_dagster.publishing.dossier import MODEL_CARD
from htrisk_dagster.publishing.form_tokens import FormTokens
from htrisk_dagster_tests.dashboard.small_desk import SmallDesk
from htrisk_dagster_tests.publishing.release_people import DAY, PEOPLE, REASON
from werkzeug.test import TestResponse

HEADER, URL = "X-Forwarded-User", f"/review/{DAY}"
SITE = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
SECRET = "s" * 32


class Browser:
    """Forms as a reviewer's browser sends them through the proxy."""

    def __init__(self, client: FlaskClient, desk: SmallDesk) -> None:
        self.client, self.desk = client, desk

    def get(self, path: str = URL, who: str | None = "anna") -> TestResponse:
        return self.client.get(path, headers={HEADER: who} if who else {})

    def form(self, who: str = "anna") -> dict[str, str]:
        """Fields of the form that `who` is shown."""
        fields = re.findall(r'name="(token|dossier)" value="([^"]+)"', self.get(who=who).text)
        return {**dict(fields), "reason": REASON}

    def post(
        self, action: str = "approve", who: str | None = "anna", site: dict[str, str] | None = None,
        **changed: str,
    ) -> TestResponse:  # fmt: skip
        form = {**self.form(who or "anna"), "action": action, **changed}
        headers = {**(SITE if site is None else site), **({HEADER: who} if who else {})}
        return self.client.post(URL, data=form, headers=headers)

    def log(self) -> bytes:
        path = self.desk.gate.log.path
        return path.read_bytes() if path.exists() else b""


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> tuple[FlaskClient, ReviewPage]:
    folder = tmp_path_factory.mktemp("review")
    review = ReviewPage(SmallDesk(folder), HEADER, FormTokens(SECRET))
    return create_app(folder / "nyc", review=review).server.test_client(), review


@pytest.fixture
def browser(page: tuple[FlaskClient, ReviewPage], tmp_path: Path) -> Iterator[Browser]:
    client, review = page
    desk = SmallDesk(tmp_path)
    review.desk = desk
    yield Browser(client, desk)
    assert verify(desk.gate.log.read(), PEOPLE) == []


def test_without_a_desk_there_is_no_page(tmp_path: Path) -> None:
    client = create_app(tmp_path).server.test_client()
    headers = {HEADER: "anna", **SITE}
    # Every address that is not known is answered by the frame, which says so in the browser.
    assert "Maps to review" not in client.get("/review", headers=headers).text
    assert client.post(URL, headers=headers, data={"action": "approve"}).status_code == 405


@pytest.mark.parametrize("path", ["/review", URL, f"{URL}/model card"])
@pytest.mark.parametrize("who", [None, "eve", "dan", "anna,ben", ""])
def test_whom_no_proxy_names_as_a_reviewer_sees_nothing(
    browser: Browser, path: str, who: str | None
) -> None:
    """dan is a publisher and no reviewer; eve is nobody."""
    answer = browser.get(path, who)
    assert answer.status_code == 403
    assert "shooting" not in answer.text


def test_a_name_from_another_machine_is_not_believed(browser: Browser) -> None:
    for peer, status in (("10.0.0.7", 403), ("127.0.0.1", 200)):
        answer = browser.client.get(
            URL, headers={HEADER: "anna"}, environ_overrides={"REMOTE_ADDR": peer}
        )
        assert answer.status_code == status


@pytest.mark.parametrize("who", [None, "dan", "eve"])
def test_whom_no_proxy_names_as_a_reviewer_decides_nothing(browser: Browser, who: str) -> None:
    assert browser.post(who=who).status_code == 403
    assert browser.log() == b""


def test_the_list_and_a_day_say_where_the_map_stands(browser: Browser) -> None:
    words = browser.get("/review").text
    assert "1 draft, 0 reviewed, 0 published, 0 withdrawn" in words
    assert f'href="{URL}"' in words
    day = browser.get().text
    for document in browser.desk.dossier.documents.values():
        assert document.name in day
        assert document.sha256[:16] in day
    assert browser.desk.dossier.digest in day
    assert "All documents are there" in day
    browser.desk.lose(MODEL_CARD)
    assert "There is no model card." in browser.get().text
    assert "<form" not in browser.get().text, "nothing to decide"
    assert browser.get("/review/2031-01-01").status_code == 404


def test_documents_are_shown_as_what_they_are_and_run_nothing_here(browser: Browser) -> None:
    page = browser.get(f"{URL}/risk map")
    assert page.text.startswith("<!DOCTYPE html><title>A map")
    assert page.headers["Content-Security-Policy"].startswith("sandbox allow-scripts; default-src")
    assert "allow-same-origin" not in page.headers["Content-Security-Policy"]
    card = browser.get(f"{URL}/model card")
    assert "<li>places, &lt;b&gt;never&lt;/b&gt; persons</li>" in card.text
    assert "default-src 'self'" in card.headers["Content-Security-Policy"]
    table = browser.get(f"{URL}/fairness table").text
    assert "&lt;i&gt;Bronx&lt;/i&gt;" in table
    assert "<td>12.5</td>" in table
    for name in ("..", "secret", "verified cases"):
        assert browser.get(f"{URL}/{name}").status_code == 404


def test_two_reviewers_approve_and_one_publishes_and_withdraws(browser: Browser) -> None:
    answer = browser.post(who="anna")
    assert answer.status_code == 303
    told = browser.get(answer.headers["Location"].split("#")[0]).text
    assert "Record 1 is signed: anna, approve." in told
    assert browser.desk.gate.read().head in told
    assert "Publish" not in browser.get().text
    assert browser.post(who="ben").status_code == 303
    assert "1 reviewed" in browser.get("/review").text
    assert 'value="publish"' not in browser.get(who="ben").text, "ben is no publisher"
    assert browser.post("publish", who="ben").status_code == 409
    assert browser.post("publish", who="anna").status_code == 303
    assert "1 published" in browser.get("/review").text
    assert browser.post("withdraw", who="anna").status_code == 303
    entries = browser.desk.gate.read().entries
    assert [(e.record.action, e.record.by, e.signed_by) for e in entries] == [
        ("approve", "anna", "page"), ("approve", "ben", "page"),
        ("publish", "anna", "page"), ("withdraw", "anna", "page"),
    ]  # fmt: skip
    assert "This map was withdrawn and never comes back" in browser.get().text


def test_one_reviewer_twice_does_not_publish(browser: Browser) -> None:
    browser.post(who="anna")
    browser.post(who="anna")
    answer = browser.post("publish", who="anna")
    assert answer.status_code == 409
    assert "needs valid reviews of 2 different reviewers; it has that of anna" in answer.text


def test_a_rejection_stands_on_the_page(browser: Browser) -> None:
    browser.post("reject", who="ben", reason="The harbour is a <cell>.")
    words = browser.get().text
    assert "The harbour is a &lt;cell&gt;." in words
    assert "<cell>" not in words


def test_a_refused_decision_keeps_what_was_typed(browser: Browser) -> None:
    answer = browser.post(reason="short")
    assert answer.status_code == 409
    assert "A reason needs 10 characters" in answer.text
    assert ">short</textarea>" in answer.text
    assert browser.log() == b""


@pytest.mark.parametrize("action", ["", "delete", "APPROVE"])
def test_an_unknown_action_decides_nothing(browser: Browser, action: str) -> None:
    answer = browser.post(action)
    assert answer.status_code == 409
    assert "Nothing was decided." in answer.text
    assert browser.log() == b""


def test_what_was_made_anew_since_the_page_was_opened_is_not_signed(browser: Browser) -> None:
    form = browser.form()
    browser.desk.change()
    answer = browser.client.post(
        URL, data={**form, "action": "approve"}, headers={**SITE, HEADER: "anna"}
    )
    assert answer.status_code == 409
    assert "not those that you were shown" in answer.text
    assert browser.log() == b""


def test_a_form_without_a_token_of_its_sender_is_refused(browser: Browser) -> None:
    bens = browser.form("ben")["token"]
    for token in ("", "x" * 60, bens, FormTokens("t" * 32).issue("anna")):
        answer = browser.post(token=token)
        assert answer.status_code == 403, token
    assert browser.log() == b""


def test_an_old_token_is_refused(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    form = browser.form()
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: 4_102_444_800)
    answer = browser.client.post(
        URL, data={**form, "action": "approve"}, headers={**SITE, HEADER: "anna"}
    )
    assert answer.status_code == 403
    assert browser.log() == b""


def test_a_form_that_is_sent_again_changes_nothing(browser: Browser) -> None:
    form = {**browser.form(), "action": "approve"}
    headers = {**SITE, HEADER: "anna"}
    assert browser.client.post(URL, data=form, headers=headers).status_code == 303
    once = browser.log()
    assert browser.client.post(URL, data=form, headers=headers).status_code == 403
    assert browser.client.post(
        URL, data={**form, "action": "reject"}, headers=headers
    ).status_code == 403  # fmt: skip
    assert browser.log() == once


@pytest.mark.parametrize(
    "site",
    [
        {},
        {"Origin": "null"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "http://localhost:8051"},
        {"Origin": "http://localhost", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://localhost", "Sec-Fetch-Site": "same-site"},
        {"Referer": "http://localhost/review"},
    ],
)
def test_a_form_from_elsewhere_is_refused(browser: Browser, site: dict[str, str]) -> None:
    assert browser.post(site=site).status_code == 403
    assert browser.log() == b""


def test_behind_a_proxy_the_host_decides_and_not_the_scheme() -> None:
    assert is_same_origin({"Origin": "https://risk.example.org"}, "risk.example.org")
    assert not is_same_origin({"Origin": "https://risk.example.org.evil"}, "risk.example.org")
    assert not is_same_origin({}, "risk.example.org")


def test_reading_changes_nothing(browser: Browser) -> None:
    form = browser.form()
    query = "&".join(f"{k}={v}" for k, v in {**form, "action": "approve"}.items())
    for method in ("get", "head", "options", "put", "patch", "delete"):
        send = getattr(browser.client, method)
        for path in ("/review", f"/review?{query}", f"{URL}?{query}", f"{URL}/risk map?{query}"):
            answer = send(path, headers={**SITE, HEADER: "anna"})
            assert answer.status_code < 300 or answer.status_code == 405, (method, path)
    assert browser.log() == b""


def test_a_form_may_not_be_large(browser: Browser) -> None:
    assert browser.post(reason="x" * 100_000).status_code == 413
    assert browser.log() == b""


def test_pages_are_not_kept_and_send_their_own_forms_with_their_origin(browser: Browser) -> None:
    headers = browser.get().headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "form-action 'self'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert browser.client.get("/").headers["Referrer-Policy"] == "no-referrer"


def test_a_log_that_cannot_be_trusted_stops_the_page(browser: Browser) -> None:
    browser.post()
    whole = browser.log()
    browser.desk.gate.log.path.write_bytes(whole.replace(b"approve", b"applaud"))
    answer = browser.get()
    assert answer.status_code == 409
    assert "cannot be trusted" in answer.text
    browser.desk.gate.log.path.write_bytes(whole)


@pytest.mark.parametrize(("who", "sees"), [("anna", True), ("dan", False), (None, False)])
def test_the_way_to_the_page_is_shown_to_reviewers_alone(
    browser: Browser, who: str | None, sees: bool
) -> None:
    outputs = [("page", "children"), ("page-title", "data"), ("navigation", "children")]
    ask = {
        "output": "..page.children...page-title.data...navigation.children..",
        "outputs": [{"id": i, "property": p} for i, p in outputs],
        "inputs": [{"id": "address", "property": "pathname", "value": "/"}],
        "state": [{"id": "address", "property": "search", "value": ""}],
        "changedPropIds": ["address.pathname"],
    }
    answer = browser.client.post(
        "/_dash-update-component", json=ask, headers={HEADER: who} if who else {}
    )
    assert ("Review and release" in answer.text) == sees
