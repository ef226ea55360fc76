"""Axes by hand, and marks where the numbers say."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from htrisk_dagster.publishing.chart_drawing import (
    Axis,
    Box,
    Interval,
    Line,
    box_chart,
    interval_chart,
    line_chart,
    line_style,
    spans_decades,
)

SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize(
    ("values", "spans"),
    [
        ([1.0, 10.0], True),
        ([1.0, 9.9], False),
        ([-1.0, 100.0], False),
        ([0.0, 100.0], False),
        ([0.5, float("nan"), 7.0], True),
        ([float("nan")], False),
        ([], False),
    ],
)
def test_a_log_axis_is_for_decades_above_zero(values, spans):
    assert spans_decades(values) is spans
    if values:
        assert Axis.over(values, 0, 1).is_log is spans


@pytest.mark.parametrize(
    ("axis", "ticks"),
    [
        (Axis(0, 1, 0, 100), [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (Axis(-2.5, 0.3, 0, 100), [-2, -1, 0]),
        (Axis(0.013, 0.049, 0, 100), [0.02, 0.03, 0.04]),
        (Axis(0.9, 110, 0, 100, is_log=True), [1, 3, 10, 30, 100]),
        (Axis(2, 30, 0, 100, is_log=True), [2, 5, 10, 20]),
        (Axis(1e-5, 0.1, 0, 100, is_log=True), [1e-5, 1e-4, 1e-3, 1e-2, 0.1]),
    ],
)
def test_ticks_are_round_and_inside(axis, ticks):
    assert axis.ticks() == pytest.approx(ticks)


def test_places_are_linear_or_logarithmic_and_never_outside():
    linear, log = Axis(0, 10, 100, 200), Axis(1, 100, 200, 100, is_log=True)
    assert [linear.place(v) for v in (0, 2.5, 10, 99)] == [100, 125, 200, 200]
    assert [log.place(v) for v in (1, 10, 100, 1e-9)] == pytest.approx([200, 150, 100, 200])


def test_an_axis_of_one_value_or_none_has_a_width():
    for values in ([3.0, 3.0], [0.0], [float("nan")], []):
        axis = Axis.over(values, 0, 100)
        assert axis.low < axis.high
        assert 0 <= axis.place(values[0] if values and values[0] == values[0] else 0.5) <= 100


def numbers(path: str) -> list[float]:
    return [float(v) for v in re.findall(r"-?\d+\.?\d*", path)]


def test_a_line_goes_through_its_points():
    x, y = np.array([0.0, 1.0, 2.0]), np.array([0.0, np.nan, 1.0])
    text = line_chart(
        [Line("a & b", line_style(0), x, y), Line("base", "baseline", x, x / 2)],
        title="t", x_title="x", y_title="y", log_x=False, log_y=False,
    )  # fmt: skip
    first, base = (p for p in ET.fromstring(text).iter(f"{SVG}path") if "line" in p.get("class"))
    assert first.find(f"{SVG}title").text == "a & b"
    assert len(numbers(first.get("d"))) == 4, "the missing point is left out"
    places = np.array(numbers(base.get("d"))).reshape(3, 2)
    step = np.diff(places, axis=0)
    np.testing.assert_allclose(step[0], step[1], atol=0.11)
    assert step[0][0] > 0 > step[0][1], "right is more, up is more"


def test_zero_has_no_place_on_a_log_axis():
    y = np.array([0.0, 1.0, 100.0])
    text = line_chart(
        [Line("a", "k0", np.arange(3.0), y)],
        title="t", x_title="x", y_title="y", log_x=False, log_y=True,
    )  # fmt: skip
    (line,) = (p for p in ET.fromstring(text).iter(f"{SVG}path") if p.get("class") == "line k0")
    assert len(numbers(line.get("d"))) == 4
    assert "y, log scale" in text
    assert "x, log scale" not in text


def test_a_box_lies_between_its_quartiles_and_folds_are_dots():
    box = Box("m", 1.0, 2.0, 3.0, 4.0, 5.0, (5.0, 1.0, 3.0))
    root = ET.fromstring(box_chart([box], title="t", x_title="value", mark=3.0))
    axis = Axis.over([1.0, 5.0], 148, 408)
    (rect,) = root.iter(f"{SVG}rect")
    assert float(rect.get("x")) == pytest.approx(axis.place(2.0), abs=0.06)
    assert float(rect.get("width")) == pytest.approx(axis.place(4.0) - axis.place(2.0), abs=0.11)
    dots = list(root.iter(f"{SVG}circle"))
    assert [d.get("class") for d in dots] == ["fold", "fold", "newest"]
    assert [float(d.get("cx")) for d in dots] == pytest.approx(
        [axis.place(v) for v in (5, 1, 3)], abs=0.06
    )
    (mark,) = (p for p in root.iter(f"{SVG}path") if p.get("class") == "mark")
    assert numbers(mark.get("d"))[0] == pytest.approx(axis.place(3.0), abs=0.06)


def test_boxes_that_span_decades_have_a_log_axis():
    boxes = [Box(str(v), v, v, v, v, v, (v,)) for v in (0.01, 1.0)]
    assert "value, log scale" in box_chart(boxes, title="t", x_title="value")


def test_an_interval_shows_value_and_ends():
    text = interval_chart([Interval("m", -1.0, -2.0, 0.5)], title="t", x_title="x")
    root = ET.fromstring(text)
    axis = Axis.over([-2.0, 0.5], 148, 408)
    (bar,) = (p for p in root.iter(f"{SVG}path") if p.get("class") == "interval")
    assert numbers(bar.get("d"))[0] == pytest.approx(axis.place(-2.0), abs=0.06)
    assert f"H{axis.place(0.5):.1f}" in bar.get("d")
    assert "m: -1 [-2, 0.5]" in text


def test_styles_tell_eighteen_models_apart():
    assert len({line_style(i) for i in range(18)}) == 18
