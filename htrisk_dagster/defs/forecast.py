"""Forecasts, risk and maps of a range of days: read, one call into the science, write a day a file.

Belongs here: the steps behind the `predictions` and `publishing` assets. Does not: forecasting
(`models/`), the risk table and the map (`publishing/`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.defs.crowned import read_champion, read_stack
from htrisk_dagster.defs.explained import day_reasons
from htrisk_dagster.defs.featured import read_days
from htrisk_dagster.defs.fingerprints import MadeFrom
from htrisk_dagster.defs.seals import seal_forecasts
from htrisk_dagster.defs.trained import months_for
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.evaluation.ensemble import CHAMPION, FORECASTS
from htrisk_dagster.evaluation.stacking import STACK
from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.models.attribution import Explains
from htrisk_dagster.models.count_model import MODEL_NAMES, load_model
from htrisk_dagster.publishing.risk_map import DRAFT, MapHeader, render_risk_map
from htrisk_dagster.publishing.risk_table import risk_table
from htrisk_dagster.schemas import grid, predictions, raw
from htrisk_dagster.study_areas.area import StudyArea
from htrisk_dagster.warehouse.partitions import write_text_whole


def store_forecasts(workspace: Workspace, area: StudyArea, days: Sequence[str]) -> dict[str, Any]:
    """Forecast consecutive days with every model, stack and champion; write a partition a day."""
    store = workspace.tables(area.name)
    made = MadeFrom(workspace, area)
    target, _ = workspace.target(area)
    digest = hashlib.sha256()
    by_month = {d: months_for(workspace, area, date.fromisoformat(d)) for d in days}
    for months, group in groupby(days, key=lambda d: by_month[d]):
        stretch = list(group)
        block = read_days(workspace, area, stretch)
        expected = _expected(workspace, area, block, months)
        for index, day in enumerate(stretch):
            frame = pl.concat(
                pl.DataFrame({"expected_count": forecast[index]}).select(
                    pl.lit(date.fromisoformat(day)).alias("risk_on"),
                    pl.int_range(pl.len(), dtype=pl.Int32).alias("cell_id"),
                    pl.lit(target).alias("target"),
                    pl.lit(name).alias("model"),
                    "expected_count",
                )
                for name, forecast in expected.items()
            )
            path = store.write(
                predictions.MODEL_FORECASTS, frame, day, made_from=made.forecasts(day, months)
            )
            digest.update(path.read_bytes())
            seal_forecasts(workspace, area, day)
    return {"days": len(days), "models": len(FORECASTS), "sealed": digest.hexdigest()}


def _expected(
    workspace: Workspace, area: StudyArea, block: CellDayBlock, months: Mapping[str, str]
) -> dict[str, NDArray[np.float64]]:
    """Expected counts of every model, then of the stack, then of the champion, each (D, C)."""
    models = workspace.models(area)
    expected = {
        name: load_model(name, models.read(months[name], name)).predict(block)
        for name in MODEL_NAMES
    }
    expected[STACK] = read_stack(workspace, area, months[STACK]).combine(expected)
    champion = read_champion(workspace, area, months[CHAMPION])
    expected[CHAMPION] = champion.expected(expected, block.borough_index)
    return expected


def store_risk(
    workspace: Workspace, area: StudyArea, days: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Write the champion's risk of each day; return figures by day."""
    store = workspace.tables(area.name)
    made = MadeFrom(workspace, area)
    target, _ = workspace.target(area)
    figures = {}
    explainers: dict[tuple[str, str], Explains] = {}
    for day in days:
        month = workspace.models(area).newest_month(CHAMPION, date.fromisoformat(day))
        card = workspace.models(area).card(month, CHAMPION)
        forecasts = store.read(predictions.MODEL_FORECASTS, [day])
        chosen = forecasts.filter(pl.col("model") == CHAMPION).sort("cell_id")
        risk = risk_table(
            chosen["expected_count"].to_numpy()[None, :],
            np.array([day], dtype="datetime64[D]"),
            intervals=read_champion(workspace, area, month).intervals,
            target=target,
            model=str(card["champion"]),
            trained_before=date.fromisoformat(str(card["known_before"])),
            reasons=day_reasons(workspace, area, day, explainers),
        )
        store.write_unchecked(predictions.CELL_DAY_RISK, risk, day, made_from=made.risk(day))
        figures[day] = {
            "rows": risk.height,
            "expected_incidents": float(risk["expected_count"].sum()),
            "highest_risk_prob": float(risk["risk_prob"].to_numpy().max()),
            "model": str(card["champion"]),
            "made_from": made.risk(day),
        }
    workspace.build_catalog()
    return figures


def map_path(workspace: Workspace, area: StudyArea, day: str) -> Path:
    """File of one day's map."""
    return workspace.maps(area.name) / f"{day}.html"


def store_maps(workspace: Workspace, area: StudyArea, days: Sequence[str]) -> dict[str, Path]:
    """Draw and write the map of each day; return its path by day."""
    store = workspace.tables(area.name)
    made = MadeFrom(workspace, area)
    cells = store.read(grid.CELLS, ["all"])
    boroughs, shapes = (store.read(table, ["all"]) for table in (raw.BOROUGHS, raw.PRECINCTS))
    _, target = workspace.target(area)
    paths = {}
    for day in days:
        risk = store.read(predictions.CELL_DAY_RISK, [day])
        header = MapHeader(
            area_title=area.title,
            target_title=target.title,
            risk_on=date.fromisoformat(day),
            model=risk["model"][0],
            trained_before=risk["trained_before"][0],
            data_origin=workspace.settings.origin,
            data_digest=made.risk_map(day),
            status=DRAFT,
            area_codes={place.number: code for code, place in area.areas.items()},
            is_schematic=area.grid.unit == "area",
        )
        page = render_risk_map(risk, cells, boroughs=boroughs, header=header, shapes=shapes)
        paths[day] = write_text_whole(map_path(workspace, area, day), page)
    return paths
