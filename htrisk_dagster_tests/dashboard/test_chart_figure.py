from __future__ import annotations

from htrisk_dagster.dashboard.chart_figure import Figure
from htrisk_dagster.dashboard.chart_style import styled


def test_a_change_of_the_layout_keeps_what_it_does_not_name():
    figure = styled(Figure(), y_title="risk, %", height=210)
    figure.lay_out(margin={"b": 80}, yaxis={"rangemode": "tozero"})
    assert figure.layout["margin"] == {"l": 56, "r": 12, "t": 12, "b": 80}
    assert figure.layout["yaxis"]["title"] == {"text": "risk, %"}
    assert figure.layout["yaxis"]["rangemode"] == "tozero"
    assert "rangemode" not in figure.layout["xaxis"]
    assert figure.height == 210


def test_figures_share_nothing_that_is_changed():
    margin = {"b": 10}
    first, second = Figure().lay_out(margin=margin), Figure().lay_out(margin=margin)
    first.lay_out(margin={"b": 90})
    assert (second.layout["margin"], margin) == ({"b": 10}, {"b": 10})


def test_traces_are_drawn_in_their_order():
    figure = Figure().add("bar", x=[1], y=[2]).add("scatter", x=[1], y=[3])
    assert figure.as_dict() == {
        "data": [{"type": "bar", "x": [1], "y": [2]}, {"type": "scatter", "x": [1], "y": [3]}],
        "layout": {},
    }
