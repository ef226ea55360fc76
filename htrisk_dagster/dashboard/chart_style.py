"""How charts look: colours that hold on a light and a dark ground, and plotly's bare layout.

Belongs here: colours, dashes, margins. Does not: any chart, nor text and rules, which follow the
colour scheme by `assets/dashboard.css`.
"""

from __future__ import annotations

from typing import Any

from htrisk_dagster.dashboard.chart_figure import Figure

# Mid tones of Okabe and Ito's set for colour-blind readers, each 3:1 or more on white and on #191d22.
# https://jfly.uni-koeln.de/color/
COLOURS = ("#2f7fc1", "#d5690a", "#1a9372", "#b557a0", "#9a7d1c", "#7a8591")
DASHES = ("solid", "dash", "dot")
BAND = "rgba(47, 127, 193, 0.22)"
# Lightness rises or falls all the way: it is read in grey too.
SEQUENCE = ("#f3e3cf", "#f7b066", "#e0690f", "#a63a03", "#5a1f06")
HEIGHT = 340


def line_style(index: int) -> dict[str, Any]:
    """Line of the series at a place: a colour, and another dash after every sixth."""
    return {
        "color": COLOURS[index % len(COLOURS)],
        "dash": DASHES[index // len(COLOURS) % len(DASHES)],
        "width": 2,
    }


def styled(figure: Figure, *, x_title: str = "", y_title: str = "", height: int = HEIGHT) -> Figure:
    """Give a figure the dashboard's layout; return it."""
    axis = {"showline": True, "linecolor": "#7a8591", "gridcolor": "#7a8591", "zeroline": False}
    axis |= {"exponentformat": "power", "ticks": "", "automargin": True}
    return figure.lay_out(
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        margin={"l": 56, "r": 12, "t": 12, "b": 46},
        height=height,
        font={"size": 12.5},
        colorway=list(COLOURS),
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0},
        hoverlabel={"bgcolor": "#1b1f24", "bordercolor": "#1b1f24", "font": {"color": "#ffffff"}},
        hovermode="closest",
        dragmode=False,
        separators=".,",
        xaxis={"title": {"text": x_title}, **axis, "showgrid": False},
        yaxis={"title": {"text": y_title}, **axis},
    )
