"""What Socrata's sites have of their own: the token's header, a status for work in progress, advice.

Belongs here: that. Does not: the single request and its retries (`json_site`), queries and paging
(`socrata`), which data sets there are (`nyc_open_data`).

Status codes: https://dev.socrata.com/docs/response-codes.
"""

from __future__ import annotations

from htrisk_dagster.sources.json_site import JsonSite

# 202: Socrata is still at work on the query. 408 and 429: ask again later.
_PASSING_STATUS = frozenset({202, 408, 429})
_ADVICE = {
    400: "Check the column names: the publisher may have renamed one.",
    401: "Check the app token; public data sets need no other login.",
    403: "Check the app token, or set one: requests without a token share a small allowance.",
    404: "The publisher has moved or withdrawn it: look it up by title on the publisher's site.",
}


class SocrataSite(JsonSite):
    """A Socrata site; parameters as for `JsonSite`, the token sent as `X-App-Token`."""

    def __init__(
        self,
        base_url: str,
        app_token: str | None,
        *,
        timeout_s: float,
        attempts: int,
        max_wait_s: float,
    ) -> None:
        super().__init__(
            base_url,
            app_token,
            token_header="X-App-Token",
            advice=_ADVICE,
            passing_status=_PASSING_STATUS,
            timeout_s=timeout_s,
            attempts=attempts,
            max_wait_s=max_wait_s,
        )
