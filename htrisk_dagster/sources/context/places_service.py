"""Places of interest from Google's Places API (New), Nearby Search: off unless a key is set.

Belongs here: the requests, their retries and limit, the squares they are asked for, and the kept answers.
Does not: what becomes of the file (`places_of_interest`).

API: https://developers.google.com/maps/documentation/places/web-service/nearby-search. A search answers
with at most 20 places and has no next page. So a square that answers with 20 may hold more: it is asked
for again in quarters, each with its own circle, until a quarter answers with fewer, or is so small
that 20 is taken for all. A field mask asks for the number and the point of a place and nothing else: no
name, no telephone, no review.

Every answer is kept in a file of its own, so that a run that is stopped, or has used up its requests, goes
on where it was. Google lets places be kept by their number for good but their points for 30 days; after
that a square is asked for again.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from htrisk_dagster.errors import SourceError, UnreachableError
from htrisk_dagster.sources.json_site import FIRST_WAIT_S, USER_AGENT
from htrisk_dagster.study_areas.area import BoundingBox

if TYPE_CHECKING:
    import httpx

BASE_URL = "https://places.googleapis.com"
FILE_NAME = "places_of_interest.csv"
MOST_PLACES = 20  # of one answer
FIELD_MASK = "places.id,places.location"
KEPT_DAYS = 30
SMALLEST_SQUARE_M = 200.0
_LARGEST_RADIUS_M = 50_000.0
_METRES_A_DEGREE = 111_320.0
_PASSING_STATUS = frozenset({408, 429})
_PATH = "/v1/places:searchNearby"
_Place = tuple[str, float, float]


class _PassingError(Exception):
    """A fault that may be gone at the next attempt."""


@dataclass(frozen=True)
class Square:
    """A box in degrees and its name: one digit a halving, so that quarters follow their parent."""

    name: str
    box: BoundingBox

    @property
    def centre(self) -> tuple[float, float]:
        """Longitude and latitude."""
        return (self.box.west + self.box.east) / 2, (self.box.south + self.box.north) / 2

    @property
    def radius_m(self) -> float:
        """Of the circle around the box."""
        height = (self.box.north - self.box.south) * _METRES_A_DEGREE
        shrunk = math.cos(math.radians(self.centre[1]))
        width = (self.box.east - self.box.west) * _METRES_A_DEGREE * shrunk
        return math.hypot(width, height) / 2

    def quarters(self) -> list[Square]:
        """The four boxes that cover it."""
        lon, lat = self.centre
        box = self.box
        return [
            Square(f"{self.name}{i}", BoundingBox(west=w, south=s, east=e, north=n))
            for i, (w, s, e, n) in enumerate(
                (
                    (box.west, box.south, lon, lat),
                    (lon, box.south, box.east, lat),
                    (box.west, lat, lon, box.north),
                    (lon, lat, box.east, box.north),
                )
            )
        ]


class PlacesService:
    """Asks for places around a point; a context of one HTTP connection pool until `close`.

    Parameters
    ----------
    key : str
        Sent as `X-Goog-Api-Key`; never written to a log or a message.
    request_limit : int
        Requests that this object sends at most, retries included.
    base_url : str
        The service; another only for tests.
    timeout_s, attempts, max_wait_s
        As for `socrata_site.SocrataSite`.

    Raises
    ------
    SourceError
        Where the key cannot be sent.
    """

    def __init__(
        self,
        key: str,
        *,
        request_limit: int,
        base_url: str = BASE_URL,
        timeout_s: float = 30.0,
        attempts: int = 5,
        max_wait_s: float = 60.0,
    ) -> None:
        import httpx
        import stamina

        if not re.fullmatch(r"[\x21-\x7e]+", key):
            raise SourceError(
                "The key of the places service holds a blank or a character that no HTTP header can "
                "carry. Copy it again from the service's console."
            )
        self._key = key
        self._left = request_limit
        self._attempts = attempts
        headers = {
            "User-Agent": USER_AGENT,
            "X-Goog-Api-Key": key,
            "X-Goog-FieldMask": FIELD_MASK,
        }
        self._http = httpx.Client(
            base_url=base_url, headers=headers, timeout=timeout_s, follow_redirects=False
        )
        self._asking = stamina.RetryingCaller(
            attempts=attempts,
            timeout=None,
            wait_initial=min(FIRST_WAIT_S, max_wait_s),
            wait_jitter=min(FIRST_WAIT_S, max_wait_s),
            wait_max=max_wait_s,
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    @property
    def requests_left(self) -> int:
        """Requests that may still be sent."""
        return self._left

    def nearby(self, category: str, square: Square) -> list[_Place]:
        """Up to 20 places of a category in the circle around a square: number, longitude, latitude.

        Raises
        ------
        SourceError
            Where the service refuses, does not recover, answers in another shape, or the limit of
            requests is reached.
        """
        lon, lat = square.centre
        body = {
            "includedTypes": [category],
            "maxResultCount": MOST_PLACES,
            "rankPreference": "DISTANCE",
            "locationRestriction": {
                "circle": {
                    "center": {"latitude": lat, "longitude": lon},
                    "radius": min(square.radius_m, _LARGEST_RADIUS_M),
                }
            },
        }
        about = f"Places of '{category}' around {lat:.4f}, {lon:.4f}"
        try:
            answer = self._asking(_PassingError, self._ask_once, body, about)
        except _PassingError as fault:
            raise UnreachableError(
                f"{about} could not be asked for in {self._attempts} attempts; the last one: {fault}. "
                "What was answered before is kept: run the same command again later."
            ) from fault
        return _places(answer, about)

    def _ask_once(self, body: dict[str, Any], about: str) -> Any:
        import httpx

        if self._left <= 0:
            raise SourceError(
                f"{about}: the limit of requests of this run is reached. What was answered is kept: run "
                "the same command again when the quota allows, or raise HTRISK_PLACES_REQUEST_LIMIT."
            )
        self._left -= 1
        try:
            response = self._http.post(_PATH, json=body)
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise _PassingError(f"{type(error).__name__} ({self._hidden(str(error))})") from error
        status = f"{response.status_code} {response.reason_phrase}"
        if response.status_code in _PASSING_STATUS or response.is_server_error:
            raise _PassingError(status)
        if response.status_code != httpx.codes.OK:
            raise SourceError(
                f"{about} answered {status}: {self._hidden(_message(response))}. Check the key, that the "
                "Places API (New) is enabled for it, and that the category is one of its place types."
            )
        try:
            return response.json()
        except ValueError as error:
            raise _PassingError("an answer that is no whole JSON") from error

    def _hidden(self, text: str) -> str:
        return text.replace(self._key, "***")[:300]


def fetch_places(
    service: PlacesService,
    categories: tuple[str, ...],
    box: BoundingBox,
    *,
    into: Path,
    say: Callable[[str], None],
    now: datetime | None = None,
) -> Path:
    """Bring `places_of_interest.csv` up to date; return its folder, `into`.

    Parameters
    ----------
    service : PlacesService
        Asked only for squares whose answer is not kept.
    categories : tuple of str
        Place types of the service.
    box : BoundingBox
        Where places are looked for.
    into : Path
        Folder of the file, and of the answers below `answers/`.
    say : callable
        Takes one line of progress.
    now : datetime, optional
        Now, UTC; answers older than 30 days are asked for again.

    Raises
    ------
    SourceError
        As for `PlacesService.nearby`. What was answered is kept; the file is as it was before.
    """
    oldest = (now or datetime.now(UTC)) - timedelta(days=KEPT_DAYS)
    rows: list[tuple[str, float, float]] = []
    for category in categories:
        found: dict[str, tuple[float, float]] = {}
        for places in _answers(service, category, Square("0", box), into / "answers", oldest):
            found |= {number: (lon, lat) for number, lon, lat in places if _inside(box, lon, lat)}
        say(f"Places of {category}: {len(found)}; {service.requests_left} requests left.")
        rows += [(category, lon, lat) for _, (lon, lat) in sorted(found.items())]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([("category", "lon", "lat"), *rows])
    path = into / FILE_NAME
    # The same places leave the file, and with it the day since which they are known, as it was.
    if not path.is_file() or path.read_text(encoding="utf-8") != text.getvalue():
        _write(path, text.getvalue())
    return into


def _answers(
    service: PlacesService, category: str, square: Square, folder: Path, oldest: datetime
) -> Iterator[list[_Place]]:
    """Answers to a square and, where it was full, to its quarters."""
    places = _kept(folder / f"{category}-{square.name}.json", oldest)
    if places is None:
        places = service.nearby(category, square)
        _write(folder / f"{category}-{square.name}.json", json.dumps(places))
    yield places
    is_large = square.radius_m > _LARGEST_RADIUS_M
    if (len(places) >= MOST_PLACES and square.radius_m > SMALLEST_SQUARE_M) or is_large:
        for quarter in square.quarters():
            yield from _answers(service, category, quarter, folder, oldest)


def _kept(path: Path, oldest: datetime) -> list[_Place] | None:
    """Places of a kept answer; None where there is none, it is too old, or was cut short."""
    if not path.is_file() or datetime.fromtimestamp(path.stat().st_mtime, UTC) < oldest:
        return None
    try:
        answer = json.loads(path.read_text(encoding="utf-8"))
        return [(str(number), float(lon), float(lat)) for number, lon, lat in answer]
    except ValueError:
        return None


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.tmp")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def _places(answer: Any, about: str) -> list[_Place]:
    """Number and point of each place; an answer without places is an empty object."""
    try:
        return [
            (str(p["id"]), float(p["location"]["longitude"]), float(p["location"]["latitude"]))
            for p in dict(answer).get("places", [])
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise SourceError(
            f"{about} answered in another shape than the Places API (New): {error!r} is missing or wrong. "
            "Check that the address is that of the service."
        ) from error


def _inside(box: BoundingBox, lon: float, lat: float) -> bool:
    return box.west <= lon <= box.east and box.south <= lat <= box.north


def _message(response: httpx.Response) -> str:
    try:
        return str(response.json()["error"]["message"]).rstrip(".")
    except (ValueError, KeyError, TypeError):
        return response.text.strip() or "no message"
