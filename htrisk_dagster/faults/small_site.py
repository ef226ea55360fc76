"""A small open-data site on loopback that can fall silent: what a live origin is tried against.

Belongs here: answers to the questions that `sources/socrata` asks, from the files of a city. Does not:
every misbehaviour that a site is capable of (the tests of `sources/socrata` have those).
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import polars as pl

from htrisk_dagster.sources.layouts import normalise

Row = dict[str, str]
Answer = Callable[[str, dict[str, str]], bytes | None]
_WINDOW = re.compile(
    r"(\w+) >= '([\d-]{10})T00:00:00\.000' AND \1 < '([\d-]{10})T00:00:00\.000'"
    r"(?: AND :id > '(\d+)')?"
)
_DAYS = ("cmplnt_fr_dt", "rpt_dt")


@dataclass
class SmallSite:
    """Rows by data set, and the state of the site that serves them.

    Parameters
    ----------
    rows : dict of str to list of dict
        Rows by identifier, in the order of their `:id`.
    released_until : date
        Rows dated later are not out yet.
    is_silent : bool
        Whether every connection is closed without an answer.
    url : str
        Set when the site runs.
    asked : int
        Requests so far.
    """

    rows: dict[str, list[Row]]
    released_until: date
    is_silent: bool = False
    url: str = ""
    asked: int = field(default=0)

    def body(self, path: str, query: dict[str, str]) -> bytes | None:
        """Body of the answer to a request; None while the site is silent."""
        self.asked += 1
        if self.is_silent:
            return None
        return json.dumps(self.answer(Path(path).stem, query)).encode()

    def answer(self, data_set: str, query: dict[str, str]) -> list[Row]:
        """Answer to one question: a count, or a page of rows after an `:id`."""
        window = _WINDOW.fullmatch(query["$where"])
        assert window is not None, f"a question that the client does not ask: {query}"
        column, start, stop, after = window.groups()
        stop = min(stop, f"{self.released_until}~")
        found = [
            row | {":id": f"{number:09d}"}
            for number, row in enumerate(self.rows.get(data_set, []))
            if start <= row[column][:10] < stop
        ]
        if query["$select"].startswith("count"):
            return [{"row_count": str(len(found))}]
        return [row for row in found if row[":id"] > (after or "")][: int(query["$limit"])]


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        body = self.server.answer(address.path, query)
        if body is None:
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    answer: Answer


@contextmanager
def on_loopback(answer: Answer) -> Iterator[str]:
    """Answer questions on a free port of loopback until the block ends; give the address.

    Parameters
    ----------
    answer : callable
        From path and query to the body of the answer; None closes the connection without one.
    """
    server = _Server(("127.0.0.1", 0), _Handler)
    server.answer = answer
    # Where a proxy leads out, it must not be asked for this machine.
    before = os.environ.get("NO_PROXY")
    os.environ["NO_PROXY"] = "127.0.0.1" if before is None else f"{before},127.0.0.1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.005})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        if before is None:
            del os.environ["NO_PROXY"]
        else:
            os.environ["NO_PROXY"] = before


@contextmanager
def serving(site: SmallSite) -> Iterator[SmallSite]:
    """Serve on a free port of loopback until the block ends."""
    with on_loopback(site.body) as site.url:
        yield site


def complaints_as_served(path: Path) -> list[Row]:
    """Rows of a complaints CSV in the API's own spelling: lower case, ISO days, no empty values."""
    frame = pl.read_csv(path, infer_schema=False)
    frame = frame.rename({name: normalise(name).lower() for name in frame.columns})
    iso = (
        pl.col(name).str.to_date("%m/%d/%Y", strict=False).cast(pl.String) + "T00:00:00.000"
        for name in _DAYS
    )
    return [
        {name: value for name, value in row.items() if value is not None}
        for row in frame.with_columns(*iso).iter_rows(named=True)
    ]
