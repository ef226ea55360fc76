"""Forecasts, risk and maps of a range of days: read, one call into the science, write a day a file.

Belongs here: the steps behind the `predictions` and `publishing` assets. Does not: forecasting
(`models/`), the risk table and the map (`publishing/`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from htrisk_dagster.defs.crowned import read_champion
from htrisk_dagster.defs.explained import day_reasons
from htrisk_dagster.defs.fingerprints import MadeFrom
from htrisk_dagster.defs.seals import seal_forecasts
from htrisk_dagster.defs.trained import months_for
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.evaluation.ensemble import CHAMPION, FORECASTS
from htrisk_dagster.models.attribution import Explains
from htrisk_dagster.publishing.map_words import DRAFT, MapHeader
from htrisk_dagster.publishing.risk_map import render_risk_map
from htrisk_dagster.publishing.risk_table import risk_table
from htrisk_dagster.scale.score_work import forecast_days
from htrisk_dagster.scale.unit import Job, Unit, UnitSettings, periods_of
from htrisk_dagster.schemas import grid, predictions, raw
from htrisk_dagster.study_areas.area import StudyArea
from htrisk_dagster.warehouse.partitions import write_text_whole


def store_forecasts(workspace: Workspace, area: StudyArea, days: Sequence[str]) -> dict[str, Any]:
    """Forecast consecutive days with every model, stack and champion; write a partition a day."""
    store = workspace.tables(area.name)
    made = MadeFrom(workspace, area)
    months = {day: months_for(workspace, area, date.fromisoformat(day)) for day in days}
    target, _ = workspace.target(area)
    execution = workspace.execution
    jobs = []
    for of_stretch, group in groupby(days, key=lambda day: months[day]):
        stretch = [date.fromisoformat(day) for day in group]
        for period in periods_of(stretch[0], stretch[-1], execution.period_days):
            prints = {day: made.forecasts(day, of_stretch) for day in period.days}
            settings = UnitSettings(target, models=of_stretch)
            unit = Unit(workspace.storage, area, 0, period, settings, prints)
            jobs.append(Job(forecast_days, unit))
    execution.run(jobs)
    digest = hashlib.sha256()
    for day in days:
        digest.update(store.path(predictions.MODEL_FORECASTS, day).read_bytes())
        seal_forecasts(workspace, area, day)
    return {"days": len(days), "models": len(FORECASTS), "sealed": digest.hexdigest()}


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


def map_header(
    workspace: Workspace, area: StudyArea, risk: pl.DataFrame, digest: str, silence: str
) -> MapHeader:
    """Header of a day's map or report.

    Parameters
    ----------
    workspace : Workspace
    area : StudyArea
    risk : DataFrame
        `schemas.predictions.CELL_DAY_RISK` of the day.
    digest : str
        Fingerprint of what is made.
    silence : str
        Which sources have stopped before the day's cutoff.
    """
    return MapHeader(
        area_title=area.title,
        target_title=workspace.target(area)[1].title,
        risk_on=risk["risk_on"][0],
        model=risk["model"][0],
        trained_before=risk["trained_before"][0],
        data_origin=workspace.settings.origin,
        data_digest=digest,
        status=DRAFT,
        area_codes={place.number: code for code, place in area.areas.items()},
        is_schematic=area.grid.unit == "area",
        silence=silence,
    )


def map_path(workspace: Workspace, area: StudyArea, day: str) -> Path:
    """File of one day's map."""
    return workspace.maps(area.name) / f"{day}.html"


def store_maps(workspace: Workspace, area: StudyArea, days: Sequence[str]) -> dict[str, Path]:
    """Draw and write the map of each day; return its path by day."""
    store = workspace.tables(area.name)
    made = MadeFrom(workspace, area)
    cells = store.read(grid.CELLS, ["all"])
    boroughs, shapes = (store.read(table, ["all"]) for table in (raw.BOROUGHS, raw.PRECINCTS))
    paths = {}
    for day in days:
        risk = store.read(predictions.CELL_DAY_RISK, [day])
        header = map_header(workspace, area, risk, made.risk_map(day), made.silence(day))
        page = render_risk_map(risk, cells, boroughs=boroughs, header=header, shapes=shapes)
        paths[day] = write_text_whole(map_path(workspace, area, day), page)
    return paths
