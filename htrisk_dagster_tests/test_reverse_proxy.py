"""The login before the servers: nothing without it, and nobody says who they are but by it."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from htrisk_dagster.dashboard.review_page import is_same_origin
from htrisk_dagster.publishing.reviewers import Reviewer, Reviewers, reviewer_of
from htrisk_dagster_tests.reverse_proxy import (
    MISSING,
    NAME,
    PASSWORD,
    PORTS,
    USER,
    WEBSOCKET,
    Proxy,
    basic,
    running_proxy,
)
from htrisk_dagster_tests.test_servers import free_ports

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)
LOGIN = (USER, PASSWORD)
EVERY_SERVER = pytest.mark.parametrize("server", PORTS)


class Echo(BaseHTTPRequestHandler):
    """Says what it was told; upgrades to a websocket where it is asked to."""

    protocol_version = "HTTP/1.1"
    seen: list[dict[str, str]]

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.seen.append(dict(self.headers))
        if self.headers.get("Upgrade") == "websocket":
            self.send_response(101)
            key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
            accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
            for name, value in (
                ("Upgrade", "websocket"),
                ("Connection", "Upgrade"),
                ("Sec-WebSocket-Accept", accept),
            ):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"\x81\x02hi")
            self.close_connection = True
            return
        body = json.dumps(dict(self.headers)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def seen() -> list[dict[str, str]]:
    """Headers of every request that came through to a server."""
    return []


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory, seen: list[dict[str, str]]) -> Iterator[Proxy]:
    with ExitStack() as stack:
        behind = {}
        for name in PORTS:
            handler = type("Handler", (Echo,), {"seen": seen})
            server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            behind[name] = server.server_port
        ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        folder = tmp_path_factory.mktemp("proxy") / "nginx"
        yield stack.enter_context(running_proxy(folder, ports, behind))


@EVERY_SERVER
@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/", {}),
        ("/graphql", {"Upgrade": "websocket", "Connection": "Upgrade"}),
        ("/assets/../graphql", {}),
        ("/", {"X_Forwarded_User": USER}),
        ("/", {"Authorization": basic(USER, "wrong")}),
        ("/", {"Authorization": basic("nobody", PASSWORD)}),
        ("/logout", {"Authorization": basic(*LOGIN)}),
    ],
)
def test_without_the_login_nothing_comes_through(
    proxy: Proxy, seen: list[dict[str, str]], server: str, path: str, headers: dict[str, str]
) -> None:
    before = len(seen)
    answer = proxy.ask(server, path, **headers)

    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="htrisk"'
    assert len(seen) == before


@EVERY_SERVER
@pytest.mark.parametrize(
    "spoofed",
    [
        {},
        {"X-Forwarded-User": "boris"},
        {"x-forwarded-user": "boris"},
        {"X_Forwarded_User": "boris"},
        {"X-Forwarded-User": "boris, anna"},
    ],
)
def test_a_server_is_told_who_logged_in_and_nothing_that_the_client_says_of_itself(
    proxy: Proxy, server: str, spoofed: dict[str, str]
) -> None:
    connection = proxy.connection(server)
    connection.request("GET", "/", headers={"Authorization": basic(*LOGIN), **spoofed})
    answer = connection.getresponse()
    told = json.loads(answer.read())
    connection.close()

    named = {n: v for n, v in told.items() if n.lower().replace("_", "-") == "x-forwarded-user"}
    assert named == {"X-Forwarded-User": USER}
    assert "Authorization" not in told
    people = Reviewers({n: Reviewer(n, "") for n in (USER, "boris")}, {})
    found = reviewer_of(told, "127.0.0.1", identity_header="X-Forwarded-User", reviewers=people)
    assert found == people.people[USER]


@EVERY_SERVER
@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (f"https://{NAME}", 200),
        (f"https://{NAME}:8444", 200),
        (f"https://{NAME}.evil.org", 403),
        (f"http://{NAME}", 403),
        ("https://evil.org", 403),
        ("null", 403),
    ],
)
def test_another_sites_page_cannot_use_the_login(
    proxy: Proxy, seen: list[dict[str, str]], server: str, origin: str, status: int
) -> None:
    before = len(seen)
    answer = proxy.ask(server, "/graphql", login=LOGIN, method="POST", body="{}", Origin=origin)

    assert answer.status == status
    assert len(seen) - before == (status == 200)


def test_a_form_of_our_own_page_is_one_to_the_review_page(proxy: Proxy) -> None:
    """And one without an `Origin`, which no browser sends, is not."""
    headers = {"Origin": f"https://{NAME}:8443", "Sec-Fetch-Site": "same-origin"}
    for given, is_own in ((headers, True), ({}, False)):
        connection = proxy.connection("dashboard")
        login = {"Authorization": basic(*LOGIN)}
        connection.request("POST", "/review/2024-04-01", body="x=1", headers=login | given)
        told = json.loads(connection.getresponse().read())
        connection.close()
        assert is_same_origin(told, told["Host"]) == is_own


def test_dagsters_websocket_comes_through(proxy: Proxy) -> None:
    connection = proxy.connection("dagster")
    headers = {"Authorization": basic(*LOGIN), **WEBSOCKET}
    connection.request("GET", "/graphql", headers=headers)
    answer = connection.getresponse()

    assert answer.status == 101
    # The example of RFC 6455, 1.3.
    assert answer.headers["Sec-WebSocket-Accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    connection.close()


def test_plain_http_gets_nothing(proxy: Proxy, seen: list[dict[str, str]]) -> None:
    from http.client import HTTPConnection

    before = len(seen)
    connection = HTTPConnection("127.0.0.1", proxy.ports["dashboard"], timeout=30)
    connection.request("GET", "/", headers={"Authorization": basic(*LOGIN)})

    assert connection.getresponse().status == 400
    assert len(seen) == before
