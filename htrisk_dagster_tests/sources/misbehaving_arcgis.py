"""A small ArcGIS feature service on loopback that answers from a table in memory, and misbehaves.

It knows the queries that the client may send and refuses all else, so a query in another form fails a
test. Its rows come in the order of the field that numbers them, as asked for.
"""

from __future__ import annotations

import re
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import ThreadingHTTPServer
from typing import Any

from htrisk_dagster_tests.sources.misbehaving_socrata import Handler, Misbehaviour, Request

SERVICE = "/arcgis/rest/services/RMS_Crime_Incidents/FeatureServer/0"
TOKEN = "token-that-must-stay-secret"
_AFTER = re.compile(r"\((?P<rest>.*)\) AND ESRI_OID > (?P<last>-?\d+)")
_WINDOW = re.compile(
    r"\(1=1\) AND incident_occurred_at >= TIMESTAMP '([\d: -]{19})' "
    r"AND incident_occurred_at < TIMESTAMP '([\d: -]{19})'"
)
FIELDS = (
    ("ESRI_OID", "esriFieldTypeOID"),
    ("incident_entry_id", "esriFieldTypeString"),
    ("offense_category", "esriFieldTypeString"),
    ("incident_occurred_at", "esriFieldTypeDate"),
    ("police_precinct", "esriFieldTypeString"),
    ("victim_age", "esriFieldTypeInteger"),
)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    site: Layer


@dataclass
class Layer:
    """The rows by number, the script of misbehaviours and the record of requests of one server."""

    url: str
    rows: dict[int, dict[str, Any]] = field(default_factory=dict)
    script: deque[Misbehaviour | None] = field(default_factory=deque)
    requests: list[Request] = field(default_factory=list)
    most_rows: int = 4
    tells_limit: bool = True  # else: never says that more rows follow
    is_honest: bool = True  # else: forgets which rows it has sent

    def insert(self, number: int, at: str, **columns: Any) -> None:
        """Add a row; `at` is an instant in UTC."""
        told = datetime.fromisoformat(at).replace(tzinfo=UTC)
        self.rows[number] = {
            "incident_entry_id": f"E{number}",
            "offense_category": "ROBBERY",
            "incident_occurred_at": int(told.timestamp() * 1000),
            "police_precinct": "02",
            "victim_age": 33,
            **columns,
        }

    def delete(self, number: int) -> None:
        del self.rows[number]

    def result(self, path: str, query: dict[str, str]) -> tuple[int, object]:
        if path == SERVICE and query == {"f": "json"}:
            fields = [{"name": n, "type": t} for n, t in FIELDS]
            kind = "esriGeometryPoint"
            return 200, {"fields": fields, "geometryType": kind, "maxRecordCount": self.most_rows}
        if path != f"{SERVICE}/query" or query.get("f") != "json":
            return 404, {"message": "Not found"}
        numbers = self._wanted(query["where"])
        if numbers is None:
            return 200, fault(400, "Invalid query")
        if query.get("returnCountOnly") == "true":
            return 200, {"count": len(numbers)}
        if query["orderByFields"] != "ESRI_OID" or query["outSR"] != "4326":
            return 200, fault(400, "Invalid query")
        page = numbers[: min(self.most_rows, int(query["resultRecordCount"]))]
        named = query["outFields"].split(",")
        features = [self._feature(n, named, query["returnGeometry"] == "true") for n in page]
        more = {"exceededTransferLimit": True} if len(page) < len(numbers) else {}
        return 200, {"features": features, **(more if self.tells_limit else {})}

    def _feature(self, number: int, named: list[str], with_point: bool) -> dict[str, Any]:
        row = {"ESRI_OID": number, **self.rows[number]}
        point = {"geometry": {"x": -83.05, "y": 42.33}} if with_point else {}
        return {"attributes": {name: row[name] for name in named}, **point}

    def _wanted(self, where: str) -> list[int] | None:
        last = -1
        if after := _AFTER.fullmatch(where):
            where = after["rest"]
            last = int(after["last"]) if self.is_honest else -1
        numbers = [n for n in sorted(self.rows) if n > last]
        if where == "1=1":
            return numbers
        window = _WINDOW.fullmatch(where)
        if window is None:
            return None
        first, end = (
            int(datetime.fromisoformat(t).replace(tzinfo=UTC).timestamp() * 1000)
            for t in window.groups()
        )
        return [n for n in numbers if first <= self.rows[n]["incident_occurred_at"] < end]


def fault(code: int, message: str, *details: str) -> dict[str, Any]:
    """What ArcGIS says with status 200 where it could not answer."""
    return {"error": {"code": code, "message": message, "details": list(details)}}


def says_fault(code: int, message: str = "Unable to complete operation.") -> Misbehaviour:
    def misbehave(handler: Handler) -> bool:
        handler.answer(200, fault(code, message))
        return True

    return misbehave


def then(change: Callable[[], None]) -> Misbehaviour:
    """Change the table just before the honest answer."""

    def misbehave(handler: Handler) -> None:
        change()

    return misbehave


@contextmanager
def running_layer() -> Iterator[Layer]:
    """Serve on a free port of the loopback interface until the block ends."""
    server = Server(("127.0.0.1", 0), Handler)
    server.site = Layer(f"http://127.0.0.1:{server.server_port}{SERVICE}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
