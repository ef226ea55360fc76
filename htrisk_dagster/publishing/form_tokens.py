"""Tokens against forged requests: each of one person, one server, one hour and one use.

Belongs here: making and spending them. Does not: who the person is (`reviewers`), the page that asks
for them (`dashboard/review_page.py`).

A page elsewhere can make a reviewer's browser send a form here, with the reviewer's identity; it cannot
know a token. A token that was used is worth nothing, so that no request can be sent twice.
https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
"""

from __future__ import annotations

import secrets
import threading
import time
from typing import Any

from htrisk_dagster.errors import ReleaseError

VALID_S = 3600
_SALT = "htrisk-review-page"
_SHORTEST_SECRET = 32


class FormTokens:
    """The tokens of one server process.

    Parameters
    ----------
    secret : str, optional
        At least 32 characters; a new one if left out, so that no token outlives its process.
    valid_s : int
        Seconds for which a token holds.

    Raises
    ------
    ReleaseError
        Where the secret is short.
    """

    def __init__(self, secret: str | None = None, *, valid_s: int = VALID_S) -> None:
        from itsdangerous import URLSafeTimedSerializer

        secret = secrets.token_urlsafe(_SHORTEST_SECRET) if secret is None else secret
        if len(secret) < _SHORTEST_SECRET:
            raise ReleaseError(
                f"The server's secret must have at least {_SHORTEST_SECRET} characters."
            )
        self._serializer: Any = URLSafeTimedSerializer(secret, salt=_SALT)
        self._valid_s = valid_s
        self._lock = threading.Lock()
        self._spent: dict[str, float] = {}

    def issue(self, name: str) -> str:
        """A token for a form that `name` is shown."""
        return str(self._serializer.dumps([name, secrets.token_urlsafe(12)]))

    def spend(self, token: str, name: str) -> bool:
        """Whether a token is of `name`, holds and was never used; it is used by asking."""
        from itsdangerous import BadData

        try:
            of, nonce = self._serializer.loads(token, max_age=self._valid_s)
        except (BadData, ValueError, TypeError):
            return False
        if of != name:
            return False
        with self._lock:
            now = time.monotonic()
            # One that is too old is refused by its date; it need not be remembered.
            self._spent = {n: at for n, at in self._spent.items() if now - at <= self._valid_s + 1}
            if nonce in self._spent:
                return False
            self._spent[nonce] = now
        return True
