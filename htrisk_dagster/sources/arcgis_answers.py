"""What a layer of an ArcGIS feature service says: its description, features, points, and windows.

Belongs here: from an answer to values, and from days to a condition. Does not: asking (`arcgis`), faults
inside a good answer (`arcgis_site`).

API: https://developers.arcgis.com/rest/services-reference/enterprise/query-feature-service-layer/
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from htrisk_dagster.errors import SourceError
from htrisk_dagster.sources.page_files import Row

LON, LAT = "longitude", "latitude"


class LayerChangedError(SourceError):
    """The publisher changed a layer while it was being read; another pass may go well."""


@dataclass(frozen=True)
class LayerFacts:
    """What a layer says of itself.

    Parameters
    ----------
    object_id : str
        Field that numbers rows.
    fields : tuple of str
        Names of all fields.
    is_points : bool
        Whether a row's geometry is a point.
    most_rows : int
        Most rows that one answer holds.
    """

    object_id: str
    fields: tuple[str, ...]
    is_points: bool
    most_rows: int


def facts_of(said: Any, about: str, most_rows: int, hidden: Callable[[str], str]) -> LayerFacts:
    """Read a layer's description.

    Parameters
    ----------
    said : Any
        The answer.
    about : str
        The layer, to begin messages with.
    most_rows : int
        Rows of one answer where the description does not say.
    hidden : callable
        Takes what a server sent and gives what may be shown of it.

    Raises
    ------
    SourceError
        Where it is none of a layer, or no field numbers the rows.
    """
    found = said.get("fields") if isinstance(said, dict) else None
    if not isinstance(found, list):
        raise SourceError(
            f"{about} did not describe its fields but said {hidden(repr(said))}. Check that the address "
            "is one of a layer."
        )
    numbers = [f["name"] for f in found if f.get("type") == "esriFieldTypeOID"]
    number = said.get("objectIdField") or next(iter(numbers), None)
    if number is None:
        raise SourceError(
            f"{about} has no field that numbers its rows, so pages cannot be told apart. Download it "
            "by hand from the site."
        )
    return LayerFacts(
        object_id=number,
        fields=tuple(f["name"] for f in found),
        is_points=said.get("geometryType") == "esriGeometryPoint",
        most_rows=int(said.get("maxRecordCount") or most_rows),
    )


def features_of(answer: Any, about: str, hidden: Callable[[str], str]) -> list[dict[str, Any]]:
    """Features of an answer to a query; parameters as for `facts_of`.

    Raises
    ------
    LayerChangedError
        Where it holds none and says that more follow.
    SourceError
        Where it is of another shape.
    """
    features = answer.get("features") if isinstance(answer, dict) else None
    if not isinstance(features, list) or not all(map(_is_feature, features)):
        raise SourceError(
            f"{about} did not answer with a list of features but {hidden(repr(answer))}. Check "
            "that the address is one of a layer."
        )
    if not features and answer.get("exceededTransferLimit"):
        raise LayerChangedError(
            f"{about} answered with no row and said that more follow. Run the same command again later."
        )
    return features


def _is_feature(said: Any) -> bool:
    return (
        isinstance(said, dict)
        and isinstance(said.get("attributes"), dict)
        and isinstance(said.get("geometry"), dict | None)
    )


def point_of(feature: dict[str, Any]) -> Row:
    """Longitude and latitude of a feature; nothing where it has no point."""
    geometry = feature.get("geometry") or {}
    # An empty point is written as "NaN".
    x, y = (geometry.get(axis) for axis in "xy")
    there = all(isinstance(value, int | float) for value in (x, y))
    return {LON: x, LAT: y} if there else {}


def window(field: str, start: date, stop: date, time_zone: str) -> str:
    """Condition of the local days from `start` to before `stop`, in UTC as the server compares."""
    zone = ZoneInfo(time_zone)
    first, end = (
        datetime.combine(day, time(), zone).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
        for day in (start, stop)
    )
    return f"{field} >= TIMESTAMP '{first}' AND {field} < TIMESTAMP '{end}'"
