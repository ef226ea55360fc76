from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from htrisk_dagster.dashboard.cells_in_words import cell_panel, top_cells
from htrisk_dagster.dashboard.month_of_risk import (
    cell_history,
    cell_on_day,
    drawing,
    month_bytes,
)
from htrisk_dagster.dashboard.snapshots import SnapshotShelf
from htrisk_dagster_tests.dashboard.small_snapshot import (
    DAYS,
    HEADER,
    SIDE,
    expected,
    risk,
    write,
)
from plotly.utils import PlotlyJSONEncoder


def parsed(content: bytes):
    """As the browser reads it."""
    length = int(np.frombuffer(content, "<u4", 1)[0])
    head = json.loads(content[4 : 4 + length])
    n, at, arrays = len(head["days"]) * head["cells"], 4 + length, {}
    assert at % 4 == 0, "a Float32Array must begin at a multiple of four"
    kinds = {"risk": "<f4", "expected": "<f4", "spread": "<f4", "rank": "<u2", "upper": "u1"}
    for name, kind in kinds.items():
        arrays[name] = np.frombuffer(content, kind, n, at)
        at += arrays[name].nbytes
    assert at == len(content)
    return head, arrays


def test_a_month_holds_its_days_alone_and_every_number_of_them(snapshot):
    head, arrays = parsed(month_bytes(snapshot, date(2024, 12, 1)))
    assert head == {
        "days": ["2024-12-01", "2024-12-02"],
        "cells": 400,
        "snapshot": "0123456789abcdef",
        "stages": ["draft", "draft"],
    }
    december = risk().filter(risk_on=DAYS[1]).vstack(risk().filter(risk_on=DAYS[2]))
    np.testing.assert_array_equal(arrays["risk"], december["risk_prob"].to_numpy().astype("f4"))
    np.testing.assert_allclose(arrays["expected"], expected()[1:].ravel(), rtol=1e-7)
    np.testing.assert_array_equal(arrays["rank"], december["rank"].to_numpy())
    np.testing.assert_array_equal(arrays["upper"], december["upper_95_count"].to_numpy())
    assert arrays["rank"].reshape(2, 400).argmin(axis=1).tolist() == [8, 9]


def test_a_spread_that_is_unknown_is_no_number(snapshot):
    _, arrays = parsed(month_bytes(snapshot, date(2024, 11, 1)))
    assert np.flatnonzero(np.isnan(arrays["spread"])).tolist() == [SIDE * SIDE - 1]
    np.testing.assert_allclose(arrays["spread"][[0, 398]], [1, 4])


def test_a_month_without_maps(snapshot):
    with pytest.raises(LookupError, match="No day of January 2025"):
        month_bytes(snapshot, date(2025, 1, 1))


def test_the_drawing_places_cells_from_the_north_west_and_outlines_around_them(snapshot):
    found = drawing(snapshot)
    assert (found["width"], found["height"]) == (200, 200)
    # Cell 0 is the south-west corner, cell 399 the north-east one.
    assert (found["left"][0], found["top"][0]) == (0, 190)
    assert (found["left"][399], found["top"][399]) == (190, 0)
    assert [found["boroughs"][found["borough"][i]]["name"] for i in (0, 399)] == ["West", "East"]
    (west,) = [b for b in found["boroughs"] if b["name"] == "West"]
    numbers = west["path"].strip("Mz").replace("z", " ").split()
    x = np.array(numbers[0::2], dtype=float)
    assert x.min() == pytest.approx(0, abs=0.2)
    assert x.max() == pytest.approx(100, abs=0.2)


def test_a_cell_over_days_and_on_one(snapshot):
    history = cell_history(snapshot, 8)
    assert history["risk_on"].to_list() == list(DAYS)
    np.testing.assert_allclose(history["expected_count"].to_numpy(), expected()[:, 8])
    found = cell_on_day(snapshot, 8, DAYS[1])
    assert found is not None
    assert (found["rank"], found["precinct"], found["borough"]) == (1, 1, "WEST")
    assert cell_on_day(snapshot, 8, date(2030, 1, 1)) is None


def test_areas_are_drawn_by_their_shapes_and_told_by_their_codes(tmp_path):
    header = replace(HEADER, cells_are_areas=True, area_codes='{"1": "W1"}')
    write(tmp_path, header)
    snapshot = SnapshotShelf(tmp_path, with_drafts=True).newest()
    found = drawing(snapshot)
    west, east = found["paths"][0], found["paths"][-1]
    x, y = ([float(n) for n in re.findall(r"[\d.]+", path)[::2]] for path in (west, east))
    # Two halves of a sheet of 600 with margins of 10; north of UTM leans a little.
    assert (min(x), max(y)) == pytest.approx((10, 610), abs=3)
    assert max(x) == pytest.approx(310, abs=3)
    assert (found["precinct"][0], found["precinct"][-1]) == ("W1", "2")
    assert set(found["sheet"]) == {None}
    at = {b["name"]: b["x"] for b in found["boroughs"]}
    assert min(x) < at["WEST"] < max(x) < at["EAST"] < max(y)
    assert found["boroughs"][found["borough"][0]]["name"] == "WEST"
    assert found["cell_km"] == 0
    said = json.dumps(cell_panel(snapshot, 0, DAYS[0]), cls=PlotlyJSONEncoder)
    assert "area W1, WEST" in said
    assert "map square" not in said + json.dumps(
        top_cells(snapshot, DAYS[0]), cls=PlotlyJSONEncoder
    )
