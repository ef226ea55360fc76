"""Charts as SVG: lines, box plots over folds, intervals. No script, no font, no colour of its own.

Belongs here: axes and marks. Does not: the words around a chart (`model_page`), colours
(`model_page.css`).

A chart is 420 units wide, so that its text is still read where a phone is the whole width. Marks
carry classes: `k0` to `k5` for the series in order and a dash pattern for every further six,
`baseline` and `ceiling` for what the rest is read against.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

WIDTH = 420
_HEIGHT = 330
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 12, 10, 42
_NAME = 148
_ROW = 24
_N_COLOURS = 6


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    Parameters
    ----------
    name : str
    style : str
        `line_style` of its place, `baseline` or `ceiling`.
    x, y : float64, shape (n,)
    """

    name: str
    style: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]


@dataclass(frozen=True)
class Box:
    """One row of a box plot: five numbers and the values they are of.

    Parameters
    ----------
    name : str
    lowest, lower_quartile, median, upper_quartile, highest : float
    values : tuple of float
        One a fold, the newest last.
    """

    name: str
    lowest: float
    lower_quartile: float
    median: float
    upper_quartile: float
    highest: float
    values: tuple[float, ...]


@dataclass(frozen=True)
class Interval:
    """One row of an interval chart: a value and the ends of its interval."""

    name: str
    value: float
    low: float
    high: float


def line_style(index: int) -> str:
    """Class of the series at a place: a colour, and a dash pattern after every sixth."""
    return f"k{index % _N_COLOURS} d{index // _N_COLOURS % 3}"


def spans_decades(values: Sequence[float]) -> bool:
    """Whether positive values differ by a factor of ten or more, so that a log axis is needed."""
    finite = [v for v in values if math.isfinite(v)]
    return bool(finite) and min(finite) > 0 and max(finite) >= 10 * min(finite)


@dataclass(frozen=True)
class Axis:
    """From values to a place on an axis.

    Parameters
    ----------
    low, high : float
        Ends, `low` < `high`; above 0 where `is_log`.
    start, stop : float
        Places of the ends.
    is_log : bool
    """

    low: float
    high: float
    start: float
    stop: float
    is_log: bool = False

    @classmethod
    def over(
        cls, values: Sequence[float], start: float, stop: float, *, log: bool | None = None
    ) -> Axis:
        """Axis that holds all finite values; logarithmic where they span decades.

        With `log` True values that are not above 0 are left out.
        """
        finite = [v for v in values if math.isfinite(v) and (not log or v > 0)]
        finite = finite or [0.5, 1.0]
        is_log = spans_decades(finite) if log is None else log
        low, high = min(finite), max(finite)
        if is_log:
            low, high = 0.9 * low, 1.1 * high
        else:
            margin = 0.04 * (high - low) or 0.05 * abs(high) or 1.0
            low, high = low - margin, high + margin
        return cls(low, high, start, stop, is_log)

    def place(self, value: float) -> float:
        """Place of a value; one beyond an end is drawn at that end."""
        inside = min(max(value, self.low), self.high)
        low, high, at = (
            (math.log(v) for v in (self.low, self.high, inside))
            if self.is_log
            else (self.low, self.high, inside)
        )
        return self.start + (self.stop - self.start) * (at - low) / (high - low)

    def ticks(self) -> list[float]:
        """Round values within the axis: 1, 2, 5 times powers of ten, five or so."""
        if self.is_log:
            exponents = range(
                math.floor(math.log10(self.low)), math.floor(math.log10(self.high)) + 1
            )
            for steps in ((1.0, 2.0, 5.0), (1.0, 3.0), (1.0,)):
                found = [s * 10.0**e for e in exponents for s in steps]
                inside = [v for v in found if self.low <= v <= self.high]
                if len(inside) <= 6:
                    break
            return inside[:: max(1, -(-len(inside) // 6))]
        rough = (self.high - self.low) / 5
        unit = 10.0 ** math.floor(math.log10(rough))
        step = next(unit * s for s in (1, 2, 5, 10) if unit * s >= rough * (1 - 1e-9))
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [i * step for i in range(first, last + 1)]


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 or abs(value) >= 1e6 else f"{value:,.0f}"


def line_chart(
    lines: Sequence[Line],
    *,
    title: str,
    x_title: str,
    y_title: str,
    log_x: bool | None = None,
    log_y: bool | None = None,
) -> str:
    """Draw lines in one plot; the last is on top.

    Parameters
    ----------
    lines : sequence of Line
    title : str
        Text alternative; name the lines in a legend beside the chart.
    x_title, y_title : str
    log_x, log_y : bool, optional
        Logarithmic axis; where the values span decades if None.
    """
    x = Axis.over([v for i in lines for v in i.x.tolist()], _LEFT, WIDTH - _RIGHT, log=log_x)
    y = Axis.over([v for i in lines for v in i.y.tolist()], _HEIGHT - _BOTTOM, _TOP, log=log_y)
    marks = [_grid_x(x, _TOP, _HEIGHT - _BOTTOM), _grid_y(y)]
    for line in lines:
        steps = [
            f"{x.place(a):.1f} {y.place(b):.1f}"
            for a, b in zip(line.x.tolist(), line.y.tolist(), strict=True)
            if math.isfinite(a) and math.isfinite(b) and (not y.is_log or b > 0)
        ]
        if steps:
            path = f'<path class="line {line.style}" d="M{"L".join(steps)}">'
            marks.append(f"{path}<title>{escape(line.name)}</title></path>")
    marks += [_x_title(x, x_title, _HEIGHT), _y_title(y, y_title)]
    return _svg(title, _HEIGHT, marks)


def box_chart(boxes: Sequence[Box], *, title: str, x_title: str, mark: float | None = None) -> str:
    """Draw a row a model: range, quartiles, median, and each fold as a dot, the newest filled.

    Parameters
    ----------
    mark : float, optional
        A value that the rows are read against, drawn as a line.
    """
    values = [v for b in boxes for v in b.values] + ([] if mark is None else [mark])
    x = Axis.over(values, _NAME, WIDTH - _RIGHT)
    bottom = _TOP + _ROW * len(boxes)
    marks = [_grid_x(x, _TOP, bottom), _mark(x, mark, bottom)]
    for index, box in enumerate(boxes):
        at = _TOP + _ROW * (index + 0.5)
        low, first, middle, third, high = (
            f"{x.place(v):.1f}"
            for v in (box.lowest, box.lower_quartile, box.median, box.upper_quartile, box.highest)
        )
        told = ", ".join(_number(v) for v in box.values)
        width = float(third) - float(first)
        marks.append(
            f"<g><title>{escape(box.name)}: median {_number(box.median)}, folds {told}</title>"
            f"{_row_name(box.name, at)}"
            f'<path class="whisker" d="M{low} {at}H{high}"/>'
            f'<rect class="box" x="{first}" y="{at - 7}" width="{width:.1f}" height="14"/>'
            f'<path class="median" d="M{middle} {at - 7}v14"/>'
            + "".join(
                f'<circle class="{"newest" if i == len(box.values) - 1 else "fold"}" '
                f'cx="{x.place(v):.1f}" cy="{at}" r="3"/>'
                for i, v in enumerate(box.values)
            )
            + "</g>"
        )
    marks.append(_x_title(x, x_title, bottom + _BOTTOM))
    return _svg(title, bottom + _BOTTOM, marks)


def interval_chart(
    rows: Sequence[Interval], *, title: str, x_title: str, mark: float | None = 0.0
) -> str:
    """Draw a row a model: the value as a dot, its interval as a bar, `mark` as a line."""
    values = [v for r in rows for v in (r.value, r.low, r.high)]
    x = Axis.over(values + ([] if mark is None else [mark]), _NAME, WIDTH - _RIGHT)
    bottom = _TOP + _ROW * len(rows)
    marks = [_grid_x(x, _TOP, bottom), _mark(x, mark, bottom)]
    for index, row in enumerate(rows):
        at = _TOP + _ROW * (index + 0.5)
        low, high = f"{x.place(row.low):.1f}", f"{x.place(row.high):.1f}"
        marks.append(
            f"<g><title>{escape(row.name)}: {_number(row.value)} [{_number(row.low)}, "
            f"{_number(row.high)}]</title>{_row_name(row.name, at)}"
            f'<path class="interval" d="M{low} {at - 5}v10m0-5H{high}m0-5v10"/>'
            f'<circle class="newest" cx="{x.place(row.value):.1f}" cy="{at}" r="4"/></g>'
        )
    marks.append(_x_title(x, x_title, bottom + _BOTTOM))
    return _svg(title, bottom + _BOTTOM, marks)


def _svg(title: str, height: float, marks: Sequence[str]) -> str:
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" '
            f'viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{escape(title)}">',
            *(m for m in marks if m),
            "</svg>",
        ]
    )


def _grid_x(x: Axis, top: float, bottom: float) -> str:
    rules = "".join(f"M{x.place(v):.1f} {top}V{bottom}" for v in x.ticks())
    words = "".join(
        f'<text x="{x.place(v):.1f}" y="{bottom + 15}">{_number(v)}</text>' for v in x.ticks()
    )
    return f'<path class="rule" d="{rules}"/><g class="tick across">{words}</g>'


def _grid_y(y: Axis) -> str:
    rules = "".join(f"M{_LEFT} {y.place(v):.1f}H{WIDTH - _RIGHT}" for v in y.ticks())
    words = "".join(
        f'<text x="{_LEFT - 5}" y="{y.place(v) + 4:.1f}">{_number(v)}</text>' for v in y.ticks()
    )
    return f'<path class="rule" d="{rules}"/><g class="tick up">{words}</g>'


def _x_title(x: Axis, title: str, height: float) -> str:
    words = f"{title}, log scale" if x.is_log else title
    return f'<text class="axis" x="{(x.start + x.stop) / 2:g}" y="{height - 8:g}">{escape(words)}</text>'


def _y_title(y: Axis, title: str) -> str:
    words = f"{title}, log scale" if y.is_log else title
    middle = (y.start + y.stop) / 2
    return f'<text class="axis" transform="translate(13 {middle:g}) rotate(-90)">{escape(words)}</text>'


def _mark(x: Axis, value: float | None, bottom: float) -> str:
    if value is None:
        return ""
    return f'<path class="mark" d="M{x.place(value):.1f} {_TOP}V{bottom}"/>'


def _row_name(name: str, at: float) -> str:
    return f'<text class="name" x="{_NAME - 8}" y="{at + 4:g}">{escape(name)}</text>'
