"""What a browser is told about every answer: nothing from elsewhere, nothing framed, nothing sniffed.

Belongs here: response headers and the hosts that are answered. Does not: who may read (a reverse
proxy in front decides).

https://cheatsheetseries.owasp.org/cheatsheets/HTTP_Headers_Cheat_Sheet.html
"""

from __future__ import annotations

from collections.abc import Collection

from dash import Dash
from flask import Response, abort, request

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def content_security_policy(app: Dash) -> str:
    """Policy that allows what this server sends, and only that.

    Scripts in the page are allowed by their hash. Styles may be inline: plotly and the components
    write them into the page.
    """
    hashes = " ".join(app.csp_hashes())
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' {hashes}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


def secure(app: Dash, hosts: Collection[str] = ()) -> None:
    """Add the headers to every answer, and refuse requests for other hosts.

    Parameters
    ----------
    app : Dash
        With its layout set: the policy needs the page's scripts.
    hosts : collection of str
        Names besides loopback under which a reverse proxy asks. A page elsewhere whose name is made
        to point here (DNS rebinding) is refused by this.
    """
    policy = content_security_policy(app)
    known = _LOOPBACK | set(hosts)

    @app.server.before_request
    def only_known_hosts() -> None:
        name = request.host.rsplit(":", 1)[0].strip("[]") if request.host else ""
        if name not in known:
            abort(421, "This server does not answer for that host; see `htrisk dashboard --help`.")

    @app.server.after_request
    def add_headers(response: Response) -> Response:
        # A page of its own form may have said something stricter or fitter.
        response.headers.setdefault("Content-Security-Policy", policy)
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["X-Frame-Options"] = "DENY"
        response.headers.setdefault("Referrer-Policy", "no-referrer")
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        response.headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()"
        return response
