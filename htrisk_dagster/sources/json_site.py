"""One question to a site that answers in JSON, asked until it is answered or given up.

Belongs here: the HTTP client, which faults pass and how long to wait, what a refusal says to the
user. Does not: what a kind of site has of its own (`socrata_site`, `arcgis_site`), queries, paging.

`Retry-After`: RFC 9110, 10.2.3.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Set
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from htrisk_dagster.errors import SourceError, UnreachableError

if TYPE_CHECKING:
    import httpx
    from stamina import RetryingCaller

USER_AGENT = "htrisk-dagster (place-based forecasts of reported incidents)"
FIRST_WAIT_S = 0.5
LARGEST_ANSWER = 512_000_000  # bytes, unpacked; a page of 50,000 complaints has some 60 MB

_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_OTHER_ADVICE = "Open the data set in a browser to see whether it is still published."


class PassingError(Exception):
    """A fault that may be gone at the next attempt."""

    def __init__(self, what: str, retry_after_s: float | None = None) -> None:
        super().__init__(what)
        self.retry_after_s = retry_after_s


def retrying_caller(attempts: int, max_wait_s: float) -> RetryingCaller:
    """Calls again with growing waits, of `max_wait_s` at most."""
    import stamina

    return stamina.RetryingCaller(
        attempts=attempts,
        timeout=None,  # attempts and the longest wait bound the total time
        wait_initial=FIRST_WAIT_S,
        wait_jitter=FIRST_WAIT_S,
        wait_max=max_wait_s,
    )


class JsonSite:
    """Asks one site for JSON; holds one HTTP connection pool until `close`.

    Only `base_url` is contacted: redirects are refused, for the token must not follow them.

    Parameters
    ----------
    base_url : str
        Site, such as `https://data.cityofnewyork.us`. Plain `http` on loopback only.
    token : str, optional
        Never written to a log or a message.
    token_header : str
        Header that carries the token.
    token_prefix : str
        What stands before it there.
    advice : mapping of int to str
        What to do about a status that refuses.
    passing_status : set of int
        Statuses that may be gone at the next attempt, besides any 5xx.
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
        token: str | None,
        *,
        token_header: str,
        token_prefix: str = "",
        advice: Mapping[int, str],
        passing_status: Set[int],
        timeout_s: float,
        attempts: int,
        max_wait_s: float,
    ) -> None:
        import httpx

        url = _address(base_url)
        headers = {"User-Agent": USER_AGENT, "Accept": "application/json"}
        if token:
            if not re.fullmatch(r"[\x21-\x7e]+", token):
                raise SourceError(
                    "The app token holds a blank or a character that no HTTP header can carry. "
                    "Copy it again from the site's developer settings."
                )
            headers[token_header] = f"{token_prefix}{token}"
        self.host = url.host
        self._token = token
        self._advice = advice
        self._passing_status = passing_status
        self._attempts = attempts
        self._max_wait_s = max_wait_s
        self._http = httpx.Client(
            base_url=url, headers=headers, timeout=timeout_s, follow_redirects=False
        )
        self._asking = retrying_caller(attempts, max_wait_s)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def ask(self, path: str, params: dict[str, str], about: str) -> Any:
        """Answer to `GET path?params`, decoded from JSON.

        Asked again with growing waits after a status that passes, any 5xx, a connection that fails or
        is cut, and a body that is no whole JSON; `Retry-After` in seconds or as a date sets the wait.

        Parameters
        ----------
        path, params : str, dict
            The question.
        about : str
            What is asked for, to begin messages with.

        Raises
        ------
        SourceError
            Where the site refuses or redirects, at once.
        UnreachableError
            Where it does not recover, after the last attempt.
        """
        try:
            return self._asking(self._wait, self._ask_once, path, params, about)
        except PassingError as fault:
            raise UnreachableError(
                f"{about} could not be read in {self._attempts} attempts; the last one: {fault}. "
                "Nothing half-read was kept: run the same command again later."
            ) from fault

    def hidden(self, text: str) -> str:
        """First 300 characters of what a server sent, without the app token."""
        return (text.replace(self._token, "***") if self._token else text)[:300]

    def _wait(self, fault: Exception) -> bool | float:
        """Whether to ask again, or after how many seconds (a back-off hook of stamina)."""
        if not isinstance(fault, PassingError):
            return False
        if fault.retry_after_s is None:
            return True
        return min(fault.retry_after_s, self._max_wait_s)

    def _ask_once(self, path: str, params: dict[str, str], about: str) -> Any:
        import httpx

        try:
            with self._http.stream("GET", path, params=params) as response:
                content = _whole(response, about)
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise PassingError(f"{type(error).__name__} ({error})") from error
        status = f"{response.status_code} {response.reason_phrase}"
        if response.status_code in self._passing_status or response.is_server_error:
            raise PassingError(status, _retry_after_s(response))
        if response.is_redirect:
            target = self.hidden(response.headers.get("Location", "an unnamed address"))
            raise SourceError(
                f"{about} answered {status}, a redirect to {target}, which is not followed. "
                "If the publisher has moved, give the new site as the address."
            )
        if response.status_code != httpx.codes.OK:
            advice = self._advice.get(response.status_code, _OTHER_ADVICE)
            raise SourceError(
                f"{about} answered {status}: {self.hidden(_message(content))}. {advice}"
            )
        try:
            answer = json.loads(content)
        except ValueError as error:
            # Without a length in the header a cut connection looks like a complete answer.
            raise PassingError("an answer that is no whole JSON") from error
        self.judge(answer, about)
        return answer

    def judge(self, answer: Any, about: str) -> None:
        """Raise where a good status carries a fault; a kind of site that does so says how."""


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


def _whole(response: httpx.Response, about: str) -> bytes:
    """What a site answers, unpacked; refused before it fills the memory, as a packed bomb would."""
    content = bytearray()
    for piece in response.iter_bytes():
        content += piece
        if len(content) > LARGEST_ANSWER:
            raise SourceError(
                f"{about} answered with more than {LARGEST_ANSWER / 1e6:.0f} MB, which no page of rows "
                "has. Nothing of it was kept. Open the address in a browser to see what it sends."
            )
    return bytes(content)


def _message(content: bytes) -> str:
    try:
        return str(json.loads(content)["message"]).rstrip(".")
    except (ValueError, KeyError, TypeError):
        return content.decode(errors="replace").strip() or "no message"


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
