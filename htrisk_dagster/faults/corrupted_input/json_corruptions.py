"""Corruptions of what JSON says: of rows, of features, and of the answers of a feature service.

Belongs here: that. Does not: corruptions of any file's bytes (`file_corruptions`), of single values
(`cell_corruptions`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from htrisk_dagster.faults.corrupted_input.corrupted_file import ALL_ROWS, Case, make_case
from htrisk_dagster.faults.corrupted_input.sample import Sample

_Edits = dict[str, tuple[Callable[[str], str], frozenset[int]]]
_THIRD = frozenset({2})


def json_cases(sample: Sample) -> Iterator[Case]:
    """Corruptions of a JSON or GeoJSON file, or of an answer."""
    text = sample.content().decode()
    value = json.dumps(sample.rows[1][sample.header[0]])
    edits: _Edits = {
        "JSON cut short": (lambda t: t[: len(t) * 2 // 3], ALL_ROWS),
        "JSON nested 100,000 deep": (lambda t: t[:-1] + "," + "[" * 100_000, ALL_ROWS),
        "a number that is none": (lambda t: t.replace(value, "NaN", 1), frozenset({1})),
        "a number of 5,000 digits": (lambda t: t.replace(value, "9" * 5000, 1), frozenset({1})),
        "an object for a value": (lambda t: t.replace(value, '{"a": 1}', 1), frozenset({1})),
        "JSON in UTF-16": (lambda t: t, ALL_ROWS),
        "an object for the list": (lambda t: '{"error": true, "message": ' + t + "}", ALL_ROWS),
    }
    if sample.form == "JSON":
        edits["two lists of rows"] = (lambda t: t + t, ALL_ROWS)
        edits["rows that are no objects"] = (lambda t: '[7,null,"x",' + t[1:], frozenset())
    else:
        edits["features that are null"] = (
            lambda t: t.replace(": [{", ': null, "x": [{', 1),
            ALL_ROWS,
        )
    if sample.form == "GeoJSON":
        edits |= _GEOJSON
    if sample.form == "ArcGIS":
        edits |= _ANSWERS
        if "x" in sample.header:
            edits |= _POINTS
    for name, (edit, touched) in edits.items():
        encoding = "utf-16" if name == "JSON in UTF-16" else "utf-8"
        yield make_case(sample, name, edit(text).encode(encoding), touched)


def _edited(part: str, value: object, feature: int = 2) -> Callable[[str], str]:
    """Change one part of one feature."""

    def edit(text: str) -> str:
        answer = json.loads(text)
        answer["features"][feature][part] = value
        return json.dumps(answer)

    return edit


def _with_features(change: Callable[[list[Any]], list[Any]]) -> Callable[[str], str]:
    def edit(text: str) -> str:
        answer = json.loads(text)
        return json.dumps(answer | {"features": change(answer["features"])})

    return edit


def _with_points(change: Callable[[float, float], list[float]]) -> Callable[[str], str]:
    def edit(text: str) -> str:
        answer = json.loads(text)
        geometry = answer["features"][2]["geometry"]
        points = geometry["coordinates"]
        if geometry["type"] == "Point":
            geometry["coordinates"] = change(*points)
        else:
            geometry["coordinates"] = [[change(x, y) for x, y in ring] for ring in points]
        return json.dumps(answer)

    return edit


def _numbered(value: object) -> Callable[[str], str]:
    """Give the third row another number of a row."""

    def edit(text: str) -> str:
        answer = json.loads(text)
        answer["features"][2]["attributes"]["ESRI_OID"] = value
        return json.dumps(answer)

    return edit


def _answered(answer: object) -> Callable[[str], str]:
    return lambda text: json.dumps(answer)


_GEOJSON: _Edits = {
    "a feature without properties": (_edited("properties", None), _THIRD),
    "a feature without geometry": (_edited("geometry", None), _THIRD),
    "latitude before longitude": (_with_points(lambda x, y: [y, x]), _THIRD),
    "coordinates in feet": (_with_points(lambda x, y: [(x + 75) * 3e5, (y - 40) * 3.6e5]), _THIRD),
    "coordinates in words": (
        _edited("geometry", {"type": "Point", "coordinates": ["x", "y"]}), _THIRD),
}  # fmt: skip
_ANSWERS: _Edits = {
    "a feature without attributes": (_edited("attributes", None), ALL_ROWS),
    "a feature fewer than counted": (_with_features(lambda f: f[:-1]), ALL_ROWS),
    "a feature more than counted": (
        _with_features(lambda f: [*f, {"attributes": {**f[0]["attributes"], "ESRI_OID": 7}}]),
        ALL_ROWS),
    "a feature twice": (_with_features(lambda f: [*f[:-1], f[0]]), ALL_ROWS),
    "a row without its number": (_numbered(None), ALL_ROWS),
    "a row with a text for its number": (_numbered("3"), ALL_ROWS),
    "a row with a number below zero": (_numbered(-3), ALL_ROWS),
    "a row with a number of 30 digits": (_numbered(10**30), ALL_ROWS),
    "features that are texts": (_with_features(lambda f: ["x"] * len(f)), ALL_ROWS),
    "a fault in a good answer": (
        _answered({"error": {"code": 500, "message": "Unable to complete operation."}}), ALL_ROWS),
    "a refusal in a good answer": (
        _answered({"error": {"code": 498, "message": "Invalid token."}}), ALL_ROWS),
    "a fault that is a text": (_answered({"error": "down"}), ALL_ROWS),
    "no row, and more to follow": (
        _answered({"features": [], "exceededTransferLimit": True}), ALL_ROWS),
    "a count for rows": (_answered({"count": 6}), ALL_ROWS),
    "a number for an answer": (_answered(6), ALL_ROWS),
}  # fmt: skip
_POINTS: _Edits = {
    "a feature without geometry": (_edited("geometry", None), _THIRD),
    "a geometry that is a text": (_edited("geometry", "POINT (1 1)"), _THIRD),
    "a geometry that is a list": (_edited("geometry", [1.0, 2.0]), _THIRD),
    "an empty point": (_edited("geometry", {"x": "NaN", "y": "NaN"}), _THIRD),
    "latitude before longitude": (_edited("geometry", {"x": 42.32, "y": -83.02}), _THIRD),
    "coordinates in feet": (_edited("geometry", {"x": 13_484_000.0, "y": 312_000.0}), _THIRD),
}  # fmt: skip
