"""What ArcGIS servers have of their own: faults inside a good answer, and how they take a token.

Belongs here: that. Does not: the single request and its retries (`json_site`), queries and paging
(`arcgis`), which layers there are (a study area's `[services]`).

A server answers 200 and says `{"error": {"code": …}}` in the body. Codes:
https://developers.arcgis.com/rest/services-reference/enterprise/general-error-codes/
"""

from __future__ import annotations

from typing import Any

from htrisk_dagster.errors import SourceError
from htrisk_dagster.sources.json_site import JsonSite, PassingError

_PASSING_STATUS = frozenset({408, 429})
_ADVICE = {
    400: "Check the layer's address and its field names: the publisher may have renamed one.",
    401: "Set HTRISK_ARCGIS_TOKEN; public layers need none.",
    403: "The layer is not public for this token. Set HTRISK_ARCGIS_TOKEN, or download it by hand.",
    404: "The publisher has moved or withdrawn the layer: look it up by title on the publisher's site.",
    498: "The token is not valid or has expired: set HTRISK_ARCGIS_TOKEN anew.",
    499: "The layer asks for a token: set HTRISK_ARCGIS_TOKEN.",
}
_OTHER_ADVICE = "Open the layer in a browser to see whether it is still published."


class ArcgisSite(JsonSite):
    """An ArcGIS server; parameters as for `JsonSite`, the token sent in a header and not in addresses."""

    def __init__(
        self,
        base_url: str,
        token: str | None,
        *,
        timeout_s: float,
        attempts: int,
        max_wait_s: float,
    ) -> None:
        super().__init__(
            base_url,
            token,
            token_header="X-Esri-Authorization",
            token_prefix="Bearer ",
            advice=_ADVICE,
            passing_status=_PASSING_STATUS,
            timeout_s=timeout_s,
            attempts=attempts,
            max_wait_s=max_wait_s,
        )

    def judge(self, answer: Any, about: str) -> None:
        """Raise where the body holds an error: one that may pass, or one that will not.

        Raises
        ------
        PassingError
            Where the server is busy, at work or broken for now.
        SourceError
            Where it refuses.
        """
        error = answer.get("error") if isinstance(answer, dict) else None
        if error is None:
            return
        code = error.get("code") if isinstance(error, dict) else None
        words = self.hidden(_words(error))
        if not isinstance(code, int) or code in _PASSING_STATUS or code >= 500:
            raise PassingError(f"error {code} in the answer ({words})")
        raise SourceError(
            f"{about} answered error {code}: {words}. {_ADVICE.get(code, _OTHER_ADVICE)}"
        )


def _words(error: object) -> str:
    if not isinstance(error, dict):
        return str(error)
    parts = [error.get("message"), *(error.get("details") or [])]
    return "; ".join(str(part).strip().rstrip(".") for part in parts if part) or "no message"
