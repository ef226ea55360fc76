"""A figure as plotly.js takes it: plain lists and dicts, sent as they are.

Belongs here: traces and layout as data. Does not: how charts look (`chart_style.py`), what is drawn.

plotly.py's own figures check every property each time it is set, 25 ms for a line of 31 days; the
dashboard's figures are few in kind, and a test has plotly.py check each of them once.
https://plotly.com/javascript/reference/
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Figure:
    """Traces and layout of one chart.

    Parameters
    ----------
    data : list of dict
        Traces, drawn in their order.
    layout : dict
    """

    data: list[dict[str, Any]] = field(default_factory=list)
    layout: dict[str, Any] = field(default_factory=dict)

    def add(self, kind: str, **trace: Any) -> Figure:
        """Draw a trace, such as a `scatter` or a `bar`, above those before; return the figure."""
        self.data.append({"type": kind, **trace})
        return self

    def lay_out(self, **changes: Any) -> Figure:
        """Change the layout, what is nested key by key; return the figure."""
        _merge(self.layout, changes)
        return self

    @property
    def height(self) -> int | None:
        """Height in pixels, where one is set."""
        return self.layout.get("height")

    def as_dict(self) -> dict[str, Any]:
        """What the browser is sent."""
        return {"data": self.data, "layout": self.layout}


def _merge(into: dict[str, Any], changes: Mapping[str, Any]) -> None:
    for key, value in changes.items():
        there = into.get(key)
        if isinstance(value, Mapping) and isinstance(there, dict):
            _merge(there, value)
        else:
            # A copy: the next change must not reach a constant of a module.
            into[key] = dict(value) if isinstance(value, Mapping) else value
