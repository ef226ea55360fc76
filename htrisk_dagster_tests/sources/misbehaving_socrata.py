"""A small Socrata on loopback that answers from a table in memory, and misbehaves on command.

It knows the SoQL that the client may send and refuses all else, so a query in another form fails a
test. `:id` is opaque: its text sorts otherwise than the server orders rows.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from typing import Any
from urllib.parse import parse_qs, urlsplit

DATASET = "abcd-1234"
TOKEN = "token-that-must-stay-secret"

_WHERE = re.compile(
    r"rpt_dt >= '([\d-]{10})T00:00:00\.000' AND rpt_dt < '([\d-]{10})T00:00:00\.000'"
    r"(?: AND :id > '([^']+)')?"
)


@dataclass(frozen=True)
class Request:
    """What the server saw of one request, and when."""

    arrived: float  # time.monotonic
    path: str
    query: dict[str, str]
    headers: dict[str, str]


class Handler(BaseHTTPRequestHandler):
    """Answers one connection; the next entry of the server's script, if any, goes first."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits 40 ms for an acknowledgement
    server: Server

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        self.server.site.requests.append(
            Request(time.monotonic(), address.path, query, dict(self.headers))
        )
        script = self.server.site.script
        misbehave = script.popleft() if script else None
        if misbehave is None or not misbehave(self):
            self.answer(*self.server.site.result(address.path, query))

    def answer(self, status: int, content: object, **headers: str) -> None:
        self.answer_bytes(status, json.dumps(content).encode(), headers)

    def answer_bytes(
        self,
        status: int,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        announced: int | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body) if announced is None else announced))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    site: Site


Misbehaviour = Callable[[Handler], bool | None]
"""Gets the request; returns True if it has answered, else the honest answer follows."""


@dataclass
class Site:
    """The table, the script of misbehaviours and the record of requests of one server."""

    url: str
    rows: dict[int, dict[str, Any]] = field(default_factory=dict)  # by the server's row number
    script: deque[Misbehaviour | None] = field(default_factory=deque)
    requests: list[Request] = field(default_factory=list)
    is_honest: bool = True  # else: ignores `:id > …` and lists the first rows again

    def insert(self, number: int, day: str, **columns: Any) -> None:
        self.rows[number] = {"cmplnt_num": str(number), "rpt_dt": f"{day}T00:00:00.000", **columns}

    def delete(self, number: int) -> None:
        del self.rows[number]

    def waits(self) -> list[float]:
        """Seconds between each request and the next."""
        arrived = [request.arrived for request in self.requests]
        return [later - sooner for sooner, later in pairwise(arrived)]

    def result(self, path: str, query: dict[str, str]) -> tuple[int, object]:
        if path == f"/resource/{DATASET}.geojson":
            return 200, self._geojson(query)
        if path != f"/resource/{DATASET}.json":
            return 404, {"error": True, "message": "Not found"}
        where = _WHERE.fullmatch(query["$where"]) if "$where" in query else None
        if where is None and query != {"$select": "count(*) AS row_count"}:
            return 400, {"error": True, "message": "Could not parse SoQL query."}
        wanted = self._wanted(where)
        if query["$select"] == "count(*) AS row_count" and "$limit" not in query:
            return 200, [{"row_count": str(len(wanted))}]
        if query["$select"] != "*,:id" or query["$order"] != ":id":
            return 400, {"error": True, "message": "Could not parse SoQL query."}
        rows = [self.rows[n] | {":id": opaque_id(n)} for n in wanted[: int(query["$limit"])]]
        return 200, rows

    def _wanted(self, where: re.Match[str] | None) -> list[int]:
        if where is None:
            return sorted(self.rows)
        start, stop, after = where.groups()
        last = -1
        if after is not None and self.is_honest:
            last = next(n for n in range(100_000) if opaque_id(n) == after)
        return [
            n
            for n, row in sorted(self.rows.items())
            if start <= row["rpt_dt"][:10] < stop and n > last
        ]

    def _geojson(self, query: dict[str, str]) -> object:
        rows = [self.rows[n] for n in sorted(self.rows)][: int(query["$limit"])]
        point = {"type": "Point", "coordinates": [-73.98, 40.75]}
        return {
            "type": "FeatureCollection",
            "features": [{"type": "Feature", "geometry": point, "properties": r} for r in rows],
            "crs": {"type": "name"},
        }


def opaque_id(number: int) -> str:
    return f"row-{hashlib.sha256(str(number).encode()).hexdigest()[:12]}"


@contextmanager
def running_site() -> Iterator[Site]:
    """Serve on a free port of the loopback interface until the block ends."""
    server = Server(("127.0.0.1", 0), Handler)
    server.site = Site(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def refuses(status: int, **headers: str) -> Misbehaviour:
    def misbehave(handler: Handler) -> bool:
        handler.answer(status, {"error": True, "message": "Try later"}, **headers)
        return True

    return misbehave


def says(status: int, content: object, **headers: str) -> Misbehaviour:
    def misbehave(handler: Handler) -> bool:
        handler.answer(status, content, **headers)
        return True

    return misbehave


def cuts_mid_body(handler: Handler) -> bool:
    handler.answer_bytes(200, b'[{"cmplnt_num": "1"}', announced=5_000)
    handler.close_connection = True
    return True


def closes_before_headers(handler: Handler) -> bool:
    handler.close_connection = True
    return True


def sends_half_json_as_whole(handler: Handler) -> bool:
    handler.answer_bytes(200, b'[{"cmplnt_num": "1"}, {"cmpl')
    return True


def sends_broken_gzip(handler: Handler) -> bool:
    handler.answer_bytes(200, b"\x1f\x8b not gzip", {"Content-Encoding": "gzip"})
    return True


def sends_a_packed_bomb(handler: Handler) -> bool:
    packed = gzip.compress(b"[" + b" " * 8_000_000 + b"]")
    handler.answer_bytes(200, packed, {"Content-Encoding": "gzip"})
    return True


def dawdles(seconds: float) -> Misbehaviour:
    def misbehave(handler: Handler) -> bool:
        time.sleep(seconds)
        handler.close_connection = True
        return True

    return misbehave
