"""The review page: what waits for review, its documents, and the reviewer's signed decision.

Belongs here: requests, who may make them, and the pages that answer. Does not: what a decision needs
(`publishing/release_gate.py`), dossiers and keys (`review_desk.py` is the contract).

It is the one page that can change anything, and plain HTML: no script has to run to review a map. A
decision is a POST with a token of one reviewer and one use, from this very site; whoever the proxy has
not named as a reviewer is answered 403, and where no desk is given there is no page at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import polars as pl
from dash import Dash
from flask import Flask, Response, abort, redirect, render_template, request

from htrisk_dagster.dashboard.panels import shown_value
from htrisk_dagster.dashboard.review_desk import ReviewDesk
from htrisk_dagster.errors import ReleaseError
from htrisk_dagster.publishing.document_text import to_html
from htrisk_dagster.publishing.dossier import REQUIRED
from htrisk_dagster.publishing.form_tokens import FormTokens
from htrisk_dagster.publishing.release_states import (
    DRAFT,
    PUBLISHED,
    REVIEWED,
    DayRelease,
)
from htrisk_dagster.publishing.review_records import ACTIONS, APPROVE, PUBLISH, REJECT, WITHDRAW
from htrisk_dagster.publishing.reviewers import PUBLISHER, Reviewer, reviewer_of

PATH = "/review"
_MOST_BYTES = 64 * 1024
_BUTTONS = {
    APPROVE: "Approve",
    REJECT: "Reject",
    PUBLISH: "Publish",
    WITHDRAW: "Withdraw",
}
# A document is looked at, never trusted with the page's own site: its origin is nobody's.
_DOCUMENT_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; "
    "style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'"
)


class ReviewPage:
    """The review page of one dashboard.

    Parameters
    ----------
    desk : ReviewDesk
    identity_header : str
        Header in which the reverse proxy on this machine names the person.
    tokens : FormTokens, optional
    """

    def __init__(
        self, desk: ReviewDesk, identity_header: str, tokens: FormTokens | None = None
    ) -> None:
        self.desk, self._header = desk, identity_header
        self._tokens = tokens or FormTokens()

    def reviewer(self) -> Reviewer | None:
        """The reviewer behind the request in hand, None where there is none."""
        try:
            people = self.desk.reviewers()
        except ReleaseError:
            return None
        return reviewer_of(
            dict(request.headers.items()),
            request.remote_addr or "",
            identity_header=self._header,
            reviewers=people,
        )

    def add_to(self, app: Dash) -> None:
        """Let the app answer `/review` and what is below."""
        server: Flask = app.server
        server.template_folder = str(Path(__file__).parent / "templates")
        rules = {"days": "", "day": "/<day>", "document": "/<day>/<name>"}
        for name, tail in rules.items():
            view = getattr(self, f"_{name}")
            server.add_url_rule(PATH + tail, f"review_{name}", view, methods=["GET"])
        server.add_url_rule(f"{PATH}/<day>", "review_decide", self._decide, methods=["POST"])

    def _days(self) -> str | Response:
        """Every map of a month and where it stands."""
        me = self._require_reviewer()
        try:
            months = list(self.desk.months())
            wish = request.args.get("month", "")
            month = wish if wish in months else (months or [""])[-1]
            releases = list(self.desk.days(month)) if months else []
        except ReleaseError as error:
            return self._answer("review_refused.html", 409, me=me, problem=str(error))
        return self._answer(
            "review_days.html",
            me=me,
            months=months,
            month=month,
            releases=releases[::-1],
            counted=Counter(r.state.state for r in releases),
            stage_of=stage_words,
        )

    def _day(self, day: str) -> str | Response:
        """One map with its documents, its history and what may be decided."""
        return self._show(self._require_reviewer(), day)

    def _document(self, day: str, name: str) -> str | Response:
        """One document as it is signed for."""
        me = self._require_reviewer()
        if name not in REQUIRED or self._release(day) is None:
            abort(404, f"There is no {name} of {day}.")
        found = self.desk.document(day, name)
        if found is None:
            abort(404, f"There is no {name} of {day}.")
        if isinstance(found, str):
            page = Response(found, mimetype="text/html")
            page.headers["Content-Security-Policy"] = _DOCUMENT_POLICY
            return page
        is_text = {"section", "text", "position"} <= set(found.columns)
        return self._answer(
            "review_document.html",
            me=me,
            day=day,
            name=name,
            text=to_html(found) if is_text else None,
            columns=[c.replace("_", " ") for c in found.columns],
            rows=[] if is_text else _words(found),
        )

    def _decide(self, day: str) -> str | Response:
        """Sign what the form says, if the form is ours and its sender a reviewer."""
        me = self._require_reviewer()
        # Nothing is read of a form before it is known to come from this site.
        if not is_same_origin(dict(request.headers.items()), request.host):
            abort(
                403, "This form was not sent from this site. Open the review page and decide there."
            )
        if (request.content_length or 0) > _MOST_BYTES:
            abort(413, "The form is too large.")
        form = request.form
        if not self._tokens.spend(form.get("token", ""), me.name):
            abort(
                403,
                "This form is not valid any more: it was sent already, or is more than an hour old, or "
                "was made for somebody else. Open the page again and decide there.",
            )
        action, reason = form.get("action", ""), form.get("reason", "")
        try:
            if action not in ACTIONS:
                raise ReleaseError(
                    "Nothing was decided. Choose one of the buttons under the reason."
                )
            entry = self.desk.decide(
                action, day, me.name, seen=form.get("dossier", ""), reason=reason
            )
        except ReleaseError as error:
            return self._show(me, day, problem=str(error), reason=reason, status=409)
        # A page that is loaded again shows the result and sends nothing twice.
        done: Any = redirect(f"{PATH}/{day}?record={entry.number}#history", 303)
        return self._private(done)

    def _show(
        self, me: Reviewer, day: str, *, problem: str = "", reason: str = "", status: int = 200
    ) -> str | Response:
        try:
            release = self._release(day)
            history = self.desk.history(day) if release else ()
        except ReleaseError as error:
            return self._answer("review_refused.html", 409, me=me, problem=str(error))
        if release is None:
            abort(404, f"There is no map of {day}.")
        record = request.args.get("record", "")
        return self._answer(
            "review_day.html",
            status,
            me=me,
            day=day,
            dossier=release.dossier,
            state=release.state,
            stage=stage_words(release),
            lacks=release.dossier.lacks(),
            documents=[(name, release.dossier.documents.get(name)) for name in REQUIRED],
            history=history,
            head=history[-1].digest if history else "",
            signed=next((e for e in history if str(e.number) == record), None),
            actions=[(a, _BUTTONS[a]) for a in actions_for(me, release)],
            token=self._tokens.issue(me.name),
            problem=problem,
            reason=reason,
            service=self.desk.service,
        )

    def _release(self, day: str) -> DayRelease | None:
        return self.desk.day(day)

    def _require_reviewer(self) -> Reviewer:
        me = self.reviewer()
        if me is None:
            abort(
                403,
                "The review page is for reviewers whom the reverse proxy names. Maps can also be "
                "reviewed with `htrisk release`.",
            )
        return me

    def _answer(self, template: str, status: int = 200, **values: object) -> Response:
        page = render_template(template, title=self.desk.title, **values)
        return self._private(Response(page, status, mimetype="text/html"))

    def _private(self, response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        # With no-referrer a browser would send this site's own forms from the origin "null".
        response.headers["Referrer-Policy"] = "same-origin"
        return response


def is_same_origin(headers: Mapping[str, str], host: str) -> bool:
    """Whether a browser says that a request comes from a page of this very host.

    Parameters
    ----------
    headers : mapping of str to str
    host : str
        Host and port that were asked. The scheme is the proxy's matter: behind it all is http.
    """
    site = headers.get("Sec-Fetch-Site", "same-origin")
    return site == "same-origin" and urlsplit(headers.get("Origin", "")).netloc == host


def actions_for(reviewer: Reviewer, release: DayRelease) -> list[str]:
    """What a reviewer can do with a map at its stage; the gate has the last word."""
    if release.state.state == PUBLISHED:
        return [WITHDRAW] if PUBLISHER in reviewer.roles else []
    if release.state.state not in (DRAFT, REVIEWED) or release.dossier.lacks():
        return []
    is_ready = release.state.state == REVIEWED and PUBLISHER in reviewer.roles
    return [APPROVE, REJECT, *([PUBLISH] if is_ready else [])]


def stage_words(release: DayRelease) -> str:
    """Stage of a map; a publication whose time is over is told apart."""
    state = release.state
    over = state.state == PUBLISHED and not state.is_in_force
    return f"{state.state}, expired" if over else state.state


def _words(frame: pl.DataFrame) -> list[list[str]]:
    return [[shown_value(value) for value in row] for row in frame.iter_rows()]
