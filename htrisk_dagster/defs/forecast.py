"""Forecasts, risk and maps of a range of days: read, one call into the science, write a day a file.

Belongs here: the steps behind the `predictions` and `publishing` assets. Does not: forecasting
(`models/`), the risk table and the map (`publishing/`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any

import polars as pl

from htrisk_dagster.defs.explained import ChampionReasons
from htrisk_dagster.defs.featured import read_days
from htrisk_dagster.defs.fingerprints import MadeFrom
from htrisk_dagster.defs.seals import seal_forecasts
from htrisk_dagster.defs.trained import months_by_day
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.evaluation.ensemble import CHAMPION, FORECASTS
from htrisk_dagster.publishing.map_words import DRAFT, MapHeader
from htrisk_dagster.publishing.risk_map import render_risk_map
from htrisk_dagster.publishing.risk_table import risk_table
from htrisk_dagster.scale.score_work import forecast_days
from htrisk_dagster.scale.unit import Job, Period, Unit, UnitSettings, periods_of
from htrisk_dagster.schemas import grid, predictions, raw
from htrisk_dagster.study_areas.area import StudyArea
from htrisk_dagster.warehouse.partitions import write_text_whole


def store_forecasts(workspace: Workspace, area: StudyArea, days: Sequence[str]) -> dict[str, Any]:
    """Forecast consecutive days with every model, stack and champion; write a partition a day."""
    store = workspace.tables(area.name)
    made = MadeFrom(workspace, area)
    target, _ = workspace.target(area)
    jobs = []
    for months, stretch in _stretches(workspace, area, days):
        for period in stretch:
            prints = {day: made.forecasts(day, months) for day in period.days}
            settings = UnitSettings(target, models=months)
            unit = Unit(workspace.storage, area, 0, period, settings, prints)
            jobs.append(Job(forecast_days, unit))
    workspace.execution.run(jobs)
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
    figures: dict[str, dict[str, Any]] = {}
    for months, stretch in _stretches(workspace, area, days):
        card = workspace.models(area).card(months[CHAMPION], CHAMPION)
        reasons = ChampionReasons.of_months(workspace, area, months)
        for period in stretch:
            block = read_days(workspace, area, period.days)
            forecasts = store.read(predictions.MODEL_FORECASTS, period.days)
            chosen = forecasts.filter(pl.col("model") == CHAMPION).sort("risk_on", "cell_id")
            expected = chosen["expected_count"].to_numpy().reshape(block.n_days, block.n_cells)
            tables, prints = {}, {day: made.risk(day) for day in period.days}
            for index, day in enumerate(period.days):
                at = slice(index, index + 1)
                tables[day] = risk_table(
                    expected[at],
                    block.days[at],
                    intervals=reasons.champion.intervals,
                    target=target,
                    model=str(card["champion"]),
                    trained_before=date.fromisoformat(str(card["known_before"])),
                    reasons=reasons.of_day(block.at(at)),
                )
            store.write_each(predictions.CELL_DAY_RISK, tables, prints)
            figures |= {
                day: {
                    "rows": risk.height,
                    "expected_incidents": float(risk["expected_count"].sum()),
                    "highest_risk_prob": float(risk["risk_prob"].to_numpy().max()),
                    "model": str(card["champion"]),
                    "made_from": prints[day],
                }
                for day, risk in tables.items()
            }
    workspace.build_catalog()
    return figures


def _stretches(
    workspace: Workspace, area: StudyArea, days: Sequence[str]
) -> Iterator[tuple[dict[str, str], list[Period]]]:
    """Months of the models, by forecast, with the periods of consecutive `days` that they forecast."""
    months = months_by_day(workspace, area, days)
    for of_stretch, group in groupby(days, key=lambda day: months[day]):
        stretch = [date.fromisoformat(day) for day in group]
        cut = periods_of(stretch[0], stretch[-1], workspace.execution.period_days)
        yield of_stretch, list(cut)


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
