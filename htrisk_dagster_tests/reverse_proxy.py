"""The reverse proxy of `deploy/reverse_proxy`, run as it is but for ports, with a login of its own."""

from __future__ import annotations

import base64
import getpass
import json
import shutil
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPSConnection
from pathlib import Path
from typing import Any

CONFIG = Path(__file__).parents[1] / "deploy" / "reverse_proxy" / "nginx.conf"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
OPENSSL = shutil.which("openssl")
MISSING = (
    "" if NGINX and OPENSSL else "needs nginx and openssl: apt-get install nginx-light openssl"
)
NAME = "htrisk.example.org"
USER, PASSWORD = "anna", "a password of the test"
# Ports in the file: of the proxy, and of the server behind it.
PORTS = {"dashboard": (8443, 8050), "dagster": (8444, 3000), "mlflow": (8445, 5000)}

WEBSOCKET = {
    "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol": "graphql-ws",
}  # fmt: skip


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: str


@dataclass(frozen=True)
class Proxy:
    """A running nginx."""

    ports: Mapping[str, int]

    def connection(self, server: str) -> HTTPSConnection:
        context = ssl.create_default_context()
        # The certificate is the test's own; what is proved here is the login.
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return HTTPSConnection("127.0.0.1", self.ports[server], timeout=30, context=context)

    def ask(
        self,
        server: str,
        path: str = "/",
        *,
        login: tuple[str, str] | None = None,
        method: str = "GET",
        body: str | None = None,
        **headers: str,
    ) -> Answer:
        """Answer to one request; underscores in names of headers become hyphens."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if login:
            sent["Authorization"] = basic(*login)
        connection = self.connection(server)
        connection.request(method, path, body, sent)
        answer = connection.getresponse()
        found = Answer(answer.status, dict(answer.headers), answer.read().decode())
        connection.close()
        return found


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@contextmanager
def running_proxy(
    folder: Path, ports: Mapping[str, int], behind: Mapping[str, int]
) -> Iterator[Proxy]:
    """Run nginx on `ports` before the servers on the ports `behind`, by name."""
    assert NGINX and OPENSSL
    folder.mkdir()
    # pytest's folders are this user's alone, and the worker reads the file of users.
    text = CONFIG.read_text().replace("user www-data;", f"user {getpass.getuser()};")
    for name, (port, upstream) in PORTS.items():
        for old, new in ((f"listen {port} ", f"listen 127.0.0.1:{ports[name]} "),
                         (f"127.0.0.1:{upstream};", f"127.0.0.1:{behind[name]};")):  # fmt: skip
            assert text.count(old) == 1, old
            text = text.replace(old, new)
    (folder / "nginx.conf").write_text(text)
    made = [OPENSSL, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-days", "2", "-subj", f"/CN={NAME}", "-keyout", "key.pem", "-out", "cert.pem"]  # fmt: skip
    subprocess.run(made, cwd=folder, check=True, capture_output=True)
    hashed = subprocess.run(
        [OPENSSL, "passwd", "-6", PASSWORD], check=True, capture_output=True, text=True
    )
    (folder / "users").write_text(f"{USER}:{hashed.stdout}")
    command = [NGINX, "-p", str(folder), "-c", "nginx.conf", "-g", "daemon off;"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    proxy = Proxy(ports)
    try:
        _wait(proxy, process, folder / "log")
        yield proxy
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait(proxy: Proxy, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 20
    while True:
        assert process.poll() is None and time.monotonic() < until, log.read_text()
        try:
            proxy.ask("dashboard", "/logout")
        except OSError:
            time.sleep(0.05)
        else:
            return


def require_login_before_the_servers(proxy: Proxy) -> None:
    """Nothing of the three real servers without the login, all of them with it."""
    search = "/api/2.0/mlflow/experiments/search"
    asked = {"Content_Type": "application/json", "Origin": f"https://{NAME}:8444"}
    query = json.dumps({"query": "{ version }"})
    questions: list[tuple[str, str, dict[str, Any], str]] = [
        ("dashboard", "/", {}, "htrisk"),
        ("dashboard", "/_dash-layout", {}, "provider"),
        ("dagster", "/server_info", {}, "dagster_version"),
        ("dagster", "/graphql", {"method": "POST", "body": query, **asked}, '"version"'),
        ("mlflow", "/", {}, "MLflow"),
        ("mlflow", search, {"method": "POST", "body": '{"max_results": 1}', **asked}, "{"),
    ]
    for server, path, given, expected in questions:
        refused = proxy.ask(server, path, **given)
        assert (refused.status, expected in refused.body) == (401, False), (server, path)
        answer = proxy.ask(server, path, login=(USER, PASSWORD), **given)
        assert answer.status == 200, (server, path, answer)
        assert expected in answer.body, (server, path)
        gone = proxy.ask(server, "/logout", login=(USER, PASSWORD))
        assert gone.status == 401
    for login, status in (({"Authorization": basic(USER, PASSWORD)}, 101), ({}, 401)):
        connection = proxy.connection("dagster")
        connection.request("GET", "/graphql", headers={**WEBSOCKET, **login})
        assert connection.getresponse().status == status
        connection.close()
