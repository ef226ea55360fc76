"""Answers that were given before, given again: a snapshot never changes.

Belongs here: which answers are kept, and for how long. Does not: making them (`pages/`).

What a callback answers is made from the snapshot, the days of it that may be seen, and the question
alone; twenty people who step through the same month ask the same questions. A newer snapshot has
answers of its own, and so has one of which a day was published or withdrawn; the oldest go when
there are too many.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

from dash import Dash
from flask import Response, g, request

from htrisk_dagster.dashboard.snapshots import SnapshotShelf
from htrisk_dagster.errors import MissingPartitionError

CALLBACKS = "/_dash-update-component"
_MOST_BYTES = 64 << 20
_LARGEST_QUESTION = 1 << 16

_Question = tuple[str, str, bytes]


class KeptAnswers:
    """Answers by question, the least recently asked forgotten first; safe for threads.

    Parameters
    ----------
    most_bytes : int
        Of all answers together.
    """

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._most, self._size = most_bytes, 0
        self._answers: OrderedDict[_Question, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, question: _Question) -> bytes | None:
        """The answer that was given, None where none is kept."""
        with self._lock:
            if question in self._answers:
                self._answers.move_to_end(question)
            return self._answers.get(question)

    def keep(self, question: _Question, answer: bytes) -> None:
        """Keep an answer, and forget old ones where there is no room."""
        with self._lock:
            self._size += len(answer) - len(self._answers.pop(question, b""))
            self._answers[question] = answer
            while self._size > self._most:
                self._size -= len(self._answers.popitem(last=False)[1])


def keep_answers(
    app: Dash, shelf: SnapshotShelf, kept: KeptAnswers, *, is_personal: Callable[[], bool]
) -> None:
    """Let callbacks that were asked before be answered from `kept`.

    Call it after whatever may refuse a request: hooks run in the order in which they were added.

    Parameters
    ----------
    is_personal : callable
        Whether the request is of a person whose pages are not those of everybody; neither kept nor
        answered from what was kept.
    """

    def question() -> _Question | None:
        is_small = 0 < (request.content_length or 0) <= _LARGEST_QUESTION
        if request.method != "POST" or request.path != CALLBACKS or not is_small or is_personal():
            return None
        try:
            newest = shelf.newest()
        except MissingPartitionError:
            return None
        return str(newest.path), newest.visible, request.get_data()

    @app.server.before_request
    def answer_again() -> Response | None:
        g.asked = question()
        g.kept = kept.get(g.asked) if g.asked else None
        return Response(g.kept, mimetype="application/json") if g.kept is not None else None

    @app.server.after_request
    def keep(response: Response) -> Response:
        is_new = g.get("asked") and g.get("kept") is None
        is_answer = response.status_code == 200 and response.mimetype == "application/json"
        # Asked again: an answer made while a newer snapshot came may be of either.
        if is_new and is_answer and question() == g.asked:
            kept.keep(g.asked, response.get_data())
        return response
