from __future__ import annotations

import json
from datetime import date

import numpy as np
import pytest
from htrisk_dagster.dashboard.month_of_risk import (
    cell_history,
    cell_on_day,
    drawing,
    month_bytes,
)
from htrisk_dagster_tests.dashboard.small_snapshot import DAYS, SIDE, expected, risk


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
