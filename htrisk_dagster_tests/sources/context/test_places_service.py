"""All places of a city although an answer holds 20; retries, a limit, and answers that are kept."""

from __future__ import annotations

import json
import logging
import math
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from htrisk_dagster.errors import SourceError
from htrisk_dagster.sources.context.places_service import (
    FIELD_MASK,
    FILE_NAME,
    PlacesService,
    Square,
    fetch_places,
)
from htrisk_dagster.study_areas.area import BoundingBox
from htrisk_dagster_tests.sources.published_files import read

KEY = "key-that-must-stay-secret"
BOX = BoundingBox(west=-74.05, south=40.6, east=-73.85, north=40.8)


class Site:
    """A places service on loopback: 20 nearest of a category, and misbehaviour on command."""

    def __init__(self) -> None:
        rng = np.random.default_rng(6)
        # A dense corner, so that squares there must be cut several times, and some outside the box.
        lon = np.append(rng.uniform(-74.05, -73.85, 50), rng.normal(-73.98, 0.004, 60))
        lat = np.append(rng.uniform(40.6, 40.8, 50), rng.normal(40.75, 0.003, 60))
        self.places = [
            (f"motel{i}", "motel", x, y) for i, (x, y) in enumerate(zip(lon, lat, strict=True))
        ]
        self.places += [("far", "motel", -73.84, 40.7), ("only", "bus_station", -73.9, 40.7)]
        self.script: deque[Callable[[Handler], None] | None] = deque()
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.url = ""

    def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        circle = body["locationRestriction"]["circle"]
        assert 0 < circle["radius"] <= 50_000
        assert body["maxResultCount"] == 20
        x0, y0 = circle["center"]["longitude"], circle["center"]["latitude"]

        def metres(x: float, y: float) -> float:
            shrunk = math.cos(math.radians(y0))
            return math.hypot((x - x0) * 111_320 * shrunk, (y - y0) * 111_320)

        near = sorted(
            (metres(x, y), number, x, y)
            for number, category, x, y in self.places
            if category in body["includedTypes"] and metres(x, y) <= circle["radius"]
        )[:20]
        found = [
            {"id": number, "location": {"longitude": x, "latitude": y}} for _, number, x, y in near
        ]
        return {"places": found} if found else {}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits 40 ms for an acknowledgement
    server: Server

    def do_POST(self) -> None:
        site = self.server.site
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        site.bodies.append(body)
        site.headers.append({k.lower(): v for k, v in self.headers.items()})
        misbehave = site.script.popleft() if site.script else None
        if misbehave is None:
            self.reply(200, site.answer(body))
        else:
            misbehave(self)

    def reply(self, status: int, content: object, raw: bytes | None = None) -> None:
        sent = json.dumps(content).encode() if raw is None else raw
        self.send_response(status)
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    site: Site


def refuses(status: int, message: str = "Try later") -> Callable[[Handler], None]:
    return lambda handler: handler.reply(status, {"error": {"message": message}})


def closes(handler: Handler) -> None:
    handler.close_connection = True


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = Server(("127.0.0.1", 0), Handler)
    server.site = Site()
    server.site.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def service_of(site: Site) -> Iterator[Callable[..., PlacesService]]:
    opened: list[PlacesService] = []

    def make(**given: Any) -> PlacesService:
        usual = {"request_limit": 1_000, "base_url": site.url, "attempts": 3, "max_wait_s": 0.01}
        opened.append(PlacesService(KEY, **(usual | given)))
        return opened[-1]

    yield make
    for service in opened:
        service.close()


def fetch(service: PlacesService, into: Path, **given: Any) -> Path:
    return fetch_places(
        service, ("motel", "bus_station"), BOX, into=into, say=lambda _: None, **given
    )


def test_every_place_of_the_box_is_found_once(site: Site, service_of, tmp_path: Path):
    fetch(service_of(), tmp_path)
    kept = read("places_of_interest", tmp_path).kept
    wanted = sorted((category, x, y) for number, category, x, y in site.places if number != "far")
    assert sorted(kept.select("category", "lon", "lat").rows()) == wanted
    assert len(wanted) == 111
    # Fewer requests than squares of the smallest size, which would be thousands.
    assert 15 < len(site.bodies) < 100


def test_only_number_and_point_are_asked_for_with_the_key_in_the_header(
    site: Site, service_of, tmp_path: Path
):
    fetch(service_of(), tmp_path)
    assert {h["x-goog-fieldmask"] for h in site.headers} == {FIELD_MASK}
    assert {h["x-goog-api-key"] for h in site.headers} == {KEY}
    assert FIELD_MASK == "places.id,places.location"


def test_answers_are_kept_and_not_asked_for_again(site: Site, service_of, tmp_path: Path):
    fetch(service_of(), tmp_path)
    path = tmp_path / FILE_NAME
    before, n_requests = path.read_bytes(), len(site.bodies)
    noon = datetime(2025, 5, 5, 12, tzinfo=UTC).timestamp()
    os.utime(path, (noon, noon))
    fetch(service_of(request_limit=0), tmp_path)
    assert len(site.bodies) == n_requests
    assert path.read_bytes() == before
    # The same places are known since the same day.
    assert datetime.fromtimestamp(path.stat().st_mtime, UTC).date() == date(2025, 5, 5)


def test_answers_are_asked_for_again_after_thirty_days(site: Site, service_of, tmp_path: Path):
    fetch(service_of(), tmp_path)
    n_requests = len(site.bodies)
    fetch(service_of(), tmp_path, now=datetime.now(UTC) + timedelta(days=29))
    assert len(site.bodies) == n_requests
    fetch(service_of(), tmp_path, now=datetime.now(UTC) + timedelta(days=31))
    assert len(site.bodies) == 2 * n_requests


def test_a_run_that_used_up_its_requests_is_gone_on_with(site: Site, service_of, tmp_path: Path):
    runs = 0
    while True:
        runs += 1
        try:
            fetch(service_of(request_limit=15), tmp_path)
            break
        except SourceError as error:
            assert "limit of requests of this run is reached" in str(error)
            assert not (tmp_path / FILE_NAME).exists(), "no half of a city"
    assert runs == math.ceil(len(site.bodies) / 15)
    assert read("places_of_interest", tmp_path).kept.height == 111


def test_faults_that_pass_are_asked_again(site: Site, service_of, tmp_path: Path):
    site.script.extend(
        [refuses(503), refuses(429), None, closes, lambda h: h.reply(200, {}, b'{"places": [')]
    )
    fetch(service_of(), tmp_path)
    assert read("places_of_interest", tmp_path).kept.height == 111


def test_a_service_that_does_not_recover_is_told(site: Site, service_of, tmp_path: Path):
    site.script.extend([refuses(500)] * 3)
    with pytest.raises(SourceError, match=r"in 3 attempts; the last one: 500"):
        fetch(service_of(), tmp_path)
    assert len(site.bodies) == 3


@pytest.mark.parametrize("status", [301, 400, 403])
def test_a_refusal_is_told_at_once_without_the_key(
    site: Site, service_of, tmp_path: Path, caplog: pytest.LogCaptureFixture, status: int
):
    caplog.set_level(logging.DEBUG)
    site.script.append(refuses(status, f"API key {KEY} not valid"))
    with pytest.raises(SourceError) as error:
        fetch(service_of(), tmp_path)
    assert f"answered {status}" in str(error.value)
    assert len(site.bodies) == 1
    assert KEY not in str(error.value)
    assert KEY not in caplog.text
    assert "***" in str(error.value)


def test_another_shape_is_told(site: Site, service_of, tmp_path: Path):
    site.script.append(lambda h: h.reply(200, {"places": [{"id": "x"}]}))
    with pytest.raises(SourceError, match="another shape"):
        fetch(service_of(), tmp_path)


def test_a_key_that_no_header_can_carry_is_refused():
    with pytest.raises(SourceError, match="The key of the places service"):
        PlacesService("two words", request_limit=1)


def test_quarters_cover_their_square():
    square = Square("0", BOX)
    quarters = square.quarters()
    area = sum((q.box.east - q.box.west) * (q.box.north - q.box.south) for q in quarters)
    assert area == pytest.approx(0.2 * 0.2)
    assert [q.name for q in quarters] == ["00", "01", "02", "03"]
    # The corner of the box is on the circle: 0.2 degrees by 0.2 cos(40.7) degrees.
    assert square.radius_m == pytest.approx(11_132 * math.hypot(1, math.cos(math.radians(40.7))))
    assert quarters[0].radius_m == pytest.approx(square.radius_m / 2, rel=1e-3)
