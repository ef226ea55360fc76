"""A month of risk as bytes: all that the map needs to step through days without asking again.

Belongs here: the layout of the bytes, and the drawing's geometry. Does not: drawing
(`assets/risk_map.js` reads both).

Bytes: length of the head as uint32, the head as JSON padded to a multiple of 4, then for D days and
C cells in order: risk float32, expected count float32, spread float32 (NaN where unknown), rank
uint16, upper end of the 95% interval uint8. Little-endian. One byte a risk would make the map and
the panel disagree.
"""

from __future__ import annotations

import json
from datetime import date
from functools import lru_cache
from typing import Any

import numpy as np
import polars as pl

from htrisk_dagster.dashboard.snapshots import Snapshot
from htrisk_dagster.publishing.area_drawing import area_sheet
from htrisk_dagster.publishing.map_drawing import map_geometry, place_on_sheet
from htrisk_dagster.publishing.map_words import name_places
from htrisk_dagster.publishing.risk_bands import band_shares
from htrisk_dagster.schemas.grid import CELLS
from htrisk_dagster.schemas.raw import BOROUGHS, PRECINCTS

_HALF = 5.0  # of a cell on the sheet
_MONTH = """
select r.risk_on, r.cell_id, r.risk_prob, r.expected_count, r.rank, r.upper_95_count
from predictions.cell_day_risk r
where r.risk_on >= ? and r.risk_on < ?
order by r.risk_on, r.cell_id
"""
_CELL = """
select r.*, c.precinct, c.borough, c.lon, c.lat, s.spread_ratio
from predictions.cell_day_risk_by_cell r join grid.cells c using (cell_id)
left join (select risk_on, spread_ratio from published.model_spread where cell_id = ?) s using (risk_on)
where r.cell_id = ? order by r.risk_on
"""
_SPREAD = """
select risk_on, cell_id, spread_ratio from published.model_spread
where risk_on >= ? and risk_on < ?
"""


def month_bytes(snapshot: Snapshot, first: date) -> bytes:
    """Risk of every day and cell of the month that begins on `first`.

    Raises
    ------
    LookupError
        Where no day of the month has a map.
    """
    stop = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    rows = snapshot.query(_MONTH, [first, stop])
    if rows.is_empty():
        raise LookupError(f"No day of {first:%B %Y} has a risk map.")
    spread = snapshot.query(_SPREAD, [first, stop])
    rows = rows.join(spread, on=("risk_on", "cell_id"), how="left", maintain_order="left")
    days = rows["risk_on"].unique(maintain_order=True)
    head = {
        "days": [str(day) for day in days],
        "cells": rows.height // days.len(),
        "snapshot": snapshot.header.made_from,
        "stages": [snapshot.stage_of(day).stage for day in days],
    }
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 4)
    arrays = (
        rows["risk_prob"].to_numpy().astype("<f4"),
        rows["expected_count"].to_numpy().astype("<f4"),
        rows["spread_ratio"].fill_null(np.nan).to_numpy().astype("<f4"),
        rows["rank"].to_numpy().astype("<u2"),
        rows["upper_95_count"].clip(0, 255).to_numpy().astype("u1"),
    )
    size = np.array([len(text)], dtype="<u4").tobytes()
    return b"".join([size, text, *(a.tobytes() for a in arrays)])


@lru_cache(maxsize=2)
def named_cells(snapshot: Snapshot) -> pl.DataFrame:
    """Cells in their order by the names that readers know, `sheet` and `precinct`; every step asks for it."""
    header = snapshot.header
    codes = {int(number): code for number, code in json.loads(header.area_codes).items()}
    placed = place_on_sheet(snapshot.read(CELLS).sort("cell_id"))
    return name_places(placed, codes, is_schematic=header.cells_are_areas)


def drawing(snapshot: Snapshot) -> dict[str, Any]:
    """Geometry of the map: squares or areas, borough outlines and names, scale bar.

    Returns
    -------
    dict
        `width`, `height` of the sheet, a cell being ten wide; by cell `left`, `top`, `col`, `row`,
        `precinct`, `borough` (index of `boroughs`, -1 for none) and `sheet`; `boroughs` with `name`,
        `path`, `x`, `y`; `cell_km`, and 0 where there is no scale;
        `shares`, the bands' upper ends as shares of the cells; `paths` by cell where cells are areas.
    """
    named = named_cells(snapshot)
    columns = ("left", "top", "col", "row", "precinct", "sheet")
    told = {name: named[name].to_list() for name in columns} | {"shares": band_shares(named.height)}
    are_areas = snapshot.header.cells_are_areas
    return told | (_areas(snapshot, named) if are_areas else _squares(snapshot))


def _squares(snapshot: Snapshot) -> dict[str, Any]:
    geometry = map_geometry(snapshot.read(CELLS).sort("cell_id"), snapshot.read(BOROUGHS))
    index = {outline.name: i for i, outline in enumerate(geometry.boroughs)}
    return {
        "width": geometry.width,
        "height": geometry.height,
        "borough": [index.get(b, -1) for b in geometry.placed["borough"].to_list()],
        "boroughs": [
            {"name": o.name.title(), "path": o.path, "x": o.x, "y": o.y} for o in geometry.boroughs
        ],
        "cell_km": snapshot.header.cell_size_m / 1000,
    }


def _areas(snapshot: Snapshot, named: pl.DataFrame) -> dict[str, Any]:
    sheet = area_sheet(snapshot.read(CELLS).sort("cell_id"), snapshot.read(PRECINCTS))
    x, y = sheet.inside.T
    agencies = (
        named.select("borough", pl.Series("x", x), pl.Series("y", y))
        .group_by("borough")
        .agg(pl.col("x", "y").mean().round(1))
        .sort("borough")
    )
    index = {name: i for i, name in enumerate(agencies["borough"])}
    return {
        "width": sheet.width,
        "height": sheet.height,
        "paths": sheet.paths,
        "left": (x - _HALF).round(1).tolist(),
        "top": (y - _HALF).round(1).tolist(),
        "borough": [index[b] for b in named["borough"].to_list()],
        "boroughs": [
            {"name": name, "path": "", "x": at_x, "y": at_y} for name, at_x, at_y in agencies.rows()
        ],
        "cell_km": 0,
    }


@lru_cache(maxsize=32)
def cell_history(snapshot: Snapshot, cell: int) -> pl.DataFrame:
    """Risk of one cell on every day with its place, from the copy that is sorted by cell.

    Kept for the cells asked for last: who steps through days asks for the same cell every time.
    """
    return snapshot.query(_CELL, [cell, cell])


def cell_on_day(snapshot: Snapshot, cell: int, day: date) -> dict[str, Any] | None:
    """All that the snapshot has of one cell and day; None where it has nothing."""
    rows = cell_history(snapshot, cell).filter(pl.col("risk_on") == day)
    return rows.row(0, named=True) if rows.height else None
