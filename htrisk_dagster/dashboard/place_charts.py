"""Small maps as charts: cells, circles and filled outlines over the boroughs.

Belongs here: geometry as traces. Does not: the risk map, which is drawn in the browser
(`assets/risk_map.js`). Nothing here needs WebGL or a tile.
"""

from __future__ import annotations

from math import cos, radians
from typing import Any

import numpy as np
import polars as pl

from htrisk_dagster.dashboard.chart_figure import Figure
from htrisk_dagster.dashboard.chart_style import styled
from htrisk_dagster.dashboard.snapshots import Snapshot
from htrisk_dagster.schemas.raw import BOROUGHS, PRECINCTS

# A ten-thousandth of a degree is ten metres: finer than a chart of a city shows.
_SIMPLIFY_DEGREES = 0.0008
_SMALLEST_PART = 2e-5


def outline_points(geometry: bytes) -> tuple[list[float | None], list[float | None]]:
    """Longitudes and latitudes of a boundary's larger parts, None between them."""
    import shapely

    shape = shapely.simplify(shapely.from_wkb(geometry), _SIMPLIFY_DEGREES)
    parts = shapely.get_parts(shape)
    large = parts[shapely.area(parts) >= _SMALLEST_PART]
    x: list[float | None] = []
    y: list[float | None] = []
    for part in large if len(large) else parts:
        points = np.round(shapely.get_coordinates(part.exterior), 4)
        x += [*points[:, 0].tolist(), None]
        y += [*points[:, 1].tolist(), None]
    return x, y


def base_map(snapshot: Snapshot, height: int = 560) -> Figure:
    """Borough outlines, north up, at the right ratio of width to height."""
    figure = Figure()
    x: list[float | None] = []
    y: list[float | None] = []
    for geometry in snapshot.read(BOROUGHS)["geometry"]:
        more_x, more_y = outline_points(geometry)
        x += more_x
        y += more_y
    outline = {"color": "#7a8591", "width": 1}
    figure.add("scatter", x=x, y=y, mode="lines", line=outline, hoverinfo="skip", showlegend=False)
    styled(figure, height=height)
    latitudes = [v for v in y if v is not None] or [0.0]
    middle = (min(latitudes) + max(latitudes)) / 2
    bare: dict[str, Any] = {"showgrid": False, "showline": False, "showticklabels": False}
    return figure.lay_out(
        xaxis=bare,
        yaxis={"scaleanchor": "x", "scaleratio": 1 / cos(radians(middle)), **bare},
        margin={"l": 4, "r": 4, "t": 4, "b": 30},
    )


def add_cells(
    figure: Figure, rows: pl.DataFrame, *, name: str, colour: str, symbol: str = "square"
) -> None:
    """Add cells as marks: `lon`, `lat` and the sentence `label`."""
    figure.add(
        "scatter",
        x=rows["lon"].to_list(),
        y=rows["lat"].to_list(),
        mode="markers",
        name=name,
        marker={"color": colour, "size": 7, "symbol": symbol},
        text=rows["label"].to_list(),
        hovertemplate="%{text}<extra></extra>",
    )


def add_precincts(
    figure: Figure, snapshot: Snapshot, values: pl.DataFrame, *, scale: tuple[str, ...]
) -> None:
    """Fill precincts by five classes of equal number.

    Parameters
    ----------
    values : DataFrame
        `precinct`, `value` (missing: no data, not filled) and the sentence `label`.
    scale : tuple of str
        Five colours, the lowest first.
    """
    known = values.drop_nulls("value")
    if known.is_empty():
        return
    edges = np.quantile(known["value"].to_numpy(), [0.2, 0.4, 0.6, 0.8])
    shapes = dict(snapshot.read(PRECINCTS).select("precinct", "geometry").rows())
    for row in known.iter_rows(named=True):
        if row["precinct"] not in shapes:
            continue
        x, y = outline_points(shapes[row["precinct"]])
        colour = scale[int(np.searchsorted(edges, row["value"], side="left"))]
        figure.add(
            "scatter",
            x=x,
            y=y,
            mode="lines",
            fill="toself",
            fillcolor=colour,
            line={"color": "#ffffff", "width": 0.6},
            text=row["label"],
            hoverinfo="text",
            hoveron="fills",
            showlegend=False,
        )
