"""One question to a Socrata site, asked until it is answered or given up.

Belongs here: the HTTP client, which faults pass and how long to wait, what a refusal says to the
user. Does not: queries and paging (`socrata`), which data sets there are (`nyc_open_data`).

Status codes: https://dev.socrata.com/docs/response-codes; `Retry-After`: RFC 9110, 10.2.3.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from htrisk_dagster.errors import SourceError

if TYPE_CHECKING:
    import httpx

USER_AGENT = "htrisk-dagster (place-based forecasts of reported incidents)"
FIRST_WAIT_S = 0.5

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
# 202: Socrata is still at work on the query. 408 and 429: ask again later.
_PASSING_STATUS = frozenset({202, 408, 429})
_ADVICE = {
    400: "Check the column names: the publisher may have renamed one.",
    401: "Check the app token; public data sets need no other login.",
    403: "Check the app token, or set one: requests without a token share a small allowance.",
    404: "The publisher has moved or withdrawn it: look it up by title on the publisher's site.",
}
_OTHER_ADVICE = "Open the data set in a browser to see whether it is still published."


class _PassingError(Exception):
    """A fault that may be gone at the next attempt."""

    def __init__(self, what: str, retry_after_s: float | None = None) -> None:
        super().__init__(what)
        self.retry_after_s = retry_after_s


class SocrataSite:
    """Asks one site for JSON; holds one HTTP connection pool until `close`.

    Only `base_url` is contacted: redirects are refused, for the token must not follow them.

    Parameters
    ----------
    base_url : str
        Site, such as `https://data.cityofnewyork.us`. Plain `http` on loopback only.
    app_token : str, optional
        Sent as `X-App-Token`; never written to a log or a message.
    timeout_s : float
        Seconds to wait for a connection and for each piece of an answer.
    attempts : int
        How often one question is asked in all.
    max_wait_s : float
        Longest wait between two attempts in seconds, also where `Retry-After` asks for more.

    Raises
    ------
    SourceError
        Where the address or the token cannot be used.
    """

    def __init__(
        self,
        base_url: str,
        app_token: str | None,
        *,
        timeout_s: float,
        attempts: int,
        max_wait_s: float,
    ) -> None:
        import httpx
        import stamina

        url = _address(base_url)
        headers = {"User-Agent": USER_AGENT, "Accept": "application/json"}
        if app_token:
            if not re.fullmatch(r"[\x21-\x7e]+", app_token):
                raise SourceError(
                    "The app token holds a blank or a character that no HTTP header can carry. "
                    "Copy it again from the site's developer settings."
                )
            headers["X-App-Token"] = app_token
        self.host = url.host
        self._token = app_token
        self._attempts = attempts
        self._max_wait_s = max_wait_s
        self._http = httpx.Client(
            base_url=url, headers=headers, timeout=timeout_s, follow_redirects=False
        )
        self._asking = stamina.RetryingCaller(
            attempts=attempts,
            timeout=None,  # attempts and the longest wait bound the total time
            wait_initial=FIRST_WAIT_S,
            wait_jitter=FIRST_WAIT_S,
            wait_max=max_wait_s,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def ask(self, path: str, params: dict[str, str], about: str) -> Any:
        """Answer to `GET path?params`, decoded from JSON.

        Asked again with growing waits after 202, 408, 429, any 5xx, a connection that fails or is
        cut, and a body that is no whole JSON; `Retry-After` in seconds or as a date sets the wait.

        Parameters
        ----------
        path, params : str, dict
            The question.
        about : str
            What is asked for, to begin messages with.

        Raises
        ------
        SourceError
            Where the site refuses or redirects, at once; where it does not recover, after the last
            attempt.
        """
        try:
            return self._asking(self._wait, self._ask_once, path, params, about)
        except _PassingError as fault:
            raise SourceError(
                f"{about} could not be read in {self._attempts} attempts; the last one: {fault}. "
                "Nothing half-read was kept: run the same command again later."
            ) from fault

    def hidden(self, text: str) -> str:
        """First 300 characters of what a server sent, without the app token."""
        return (text.replace(self._token, "***") if self._token else text)[:300]

    def _wait(self, fault: Exception) -> bool | float:
        """Whether to ask again, or after how many seconds (a back-off hook of stamina)."""
        if not isinstance(fault, _PassingError):
            return False
        if fault.retry_after_s is None:
            return True
        return min(fault.retry_after_s, self._max_wait_s)

    def _ask_once(self, path: str, params: dict[str, str], about: str) -> Any:
        import httpx

        try:
            response = self._http.get(path, params=params)
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise _PassingError(f"{type(error).__name__} ({error})") from error
        status = f"{response.status_code} {response.reason_phrase}"
        if response.status_code in _PASSING_STATUS or response.is_server_error:
            raise _PassingError(status, _retry_after_s(response))
        if response.is_redirect:
            target = self.hidden(response.headers.get("Location", "an unnamed address"))
            raise SourceError(
                f"{about} answered {status}, a redirect to {target}, which is not followed. "
                "If the publisher has moved, give the new site as the address."
            )
        if response.status_code != httpx.codes.OK:
            advice = _ADVICE.get(response.status_code, _OTHER_ADVICE)
            raise SourceError(
                f"{about} answered {status}: {self.hidden(_message(response))}. {advice}"
            )
        try:
            return response.json()
        except ValueError as error:
            # Without a length in the header a cut connection looks like a complete answer.
            raise _PassingError("an answer that is no whole JSON") from error


def _address(base_url: str) -> httpx.URL:
    import httpx

    try:
        url = httpx.URL(base_url)
    except httpx.InvalidURL:
        url = httpx.URL()
    if url.host and (url.scheme == "https" or (url.scheme == "http" and url.host in _LOOPBACK)):
        return url
    raise SourceError(
        f"'{base_url}' is not the https address of a site. Give one such as "
        "https://data.cityofnewyork.us."
    )


def _message(response: httpx.Response) -> str:
    try:
        return str(response.json()["message"]).rstrip(".")
    except (ValueError, KeyError, TypeError):
        return response.text.strip() or "no message"


def _retry_after_s(response: httpx.Response) -> float | None:
    """Seconds that `Retry-After` asks for, as a number or an HTTP date; None where it does not."""
    value = str(response.headers.get("Retry-After", "")).strip()
    if re.fullmatch(r"[0-9]{1,9}", value):
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except ValueError:
        return None
    # An HTTP date is in GMT; the parser calls one naive that says so as -0000.
    until = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - datetime.now(UTC)).total_seconds())
