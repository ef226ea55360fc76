"""Context of a study area, from raw rows to stored cells, areas and relations.

Belongs here: the steps behind the assets of `assets/context.py`. Does not: weighting (`grid/`), the
regression (`evaluation/`).
"""

from __future__ import annotations

from typing import Any

import dagster as dg
import numpy as np
import polars as pl

from htrisk_dagster.defs.fingerprints import MadeFrom
from htrisk_dagster.defs.hot_places import read_target
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.evaluation.context_relation import Reports, context_variables, relate
from htrisk_dagster.evaluation.place_relation import PointReports, relate_categories
from htrisk_dagster.features.inputs import read_context, read_grid
from htrisk_dagster.grid.areal_weighting import shared_lots
from htrisk_dagster.grid.context_tables import ContextSources, area_context, cell_context
from htrisk_dagster.schemas import context as tables
from htrisk_dagster.schemas import context_sources as rows
from htrisk_dagster.schemas import raw
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.study_areas.area import ContextPart, StudyArea
from htrisk_dagster.warehouse.partitions import WHOLE

_TOLD = (
    "places_count", "incidents_count", "cross_k_p_value_prob", "rate_ratio", "rate_ratio_low",
    "rate_ratio_high", "deviance_gain_pct",
)  # fmt: skip


def store_context(workspace: Workspace, area: StudyArea) -> dict[str, Any]:
    """Bring context to cells and areas, write the three tables; return figures for the UI."""
    store = workspace.tables(area.name)
    made_from = MadeFrom(workspace, area).context()

    def read(table: Table) -> pl.DataFrame:
        # What the study area does not declare was never made.
        return store.read(table, [WHOLE]) if store.keys(table) else table.empty()

    sources = ContextSources(
        lots=read(rows.TAX_LOTS),
        census=read(rows.CENSUS_AREAS),
        hotels=read(rows.HOTELS),
        stations=read(rows.SUBWAY_STATIONS),
        places=read(rows.PLACES_OF_INTEREST),
        neighbourhoods=read(rows.NEIGHBOURHOODS),
        precincts=read(raw.PRECINCTS),
    )
    grid = read_grid(store, area)
    shared = shared_lots(sources.lots, grid)
    cells = cell_context(sources, shared, area.context, grid)
    areas = area_context(sources, area.context)
    for table, frame in zip(tables.CONTEXT_TABLES, (shared, cells, areas), strict=True):
        store.write(table, frame, WHOLE, made_from=made_from)
    workspace.build_catalog()
    found = cells.filter(pl.col("period_on") == pl.col("period_on").max().over("variable"))
    sums = dict(
        found.filter(pl.col("variable").str.ends_with("_count"))
        .group_by("variable", maintain_order=True)
        .agg(pl.col("value").sum().round(3))
        .rows()
    )
    return {
        **sums,
        "variables": ", ".join(found["variable"].unique().sort()) or "none",
        "absent": ", ".join(_absent(area.context, sources)) or "none",
        "made_from": made_from,
    }


def _absent(part: ContextPart, sources: ContextSources) -> list[str]:
    """Sources that the study area declares and no file holds."""
    declared = (
        (rows.TAX_LOTS, part.census, sources.lots),
        (rows.CENSUS_AREAS, part.census, sources.census),
        (rows.HOTELS, part.hotels, sources.hotels),
        (rows.SUBWAY_STATIONS, part.subway_stations, sources.stations),
        (rows.PLACES_OF_INTEREST, part.places, sources.places),
    )
    return [
        table.name for table, is_declared, found in declared if is_declared and not found.height
    ]


def store_relation(workspace: Workspace, area: StudyArea) -> dict[str, Any]:
    """Relate the target's reports to every variable, write the table; return figures for the UI."""
    store = workspace.tables(area.name)
    made_from = MadeFrom(workspace, area).context_relation()
    target = read_target(workspace, area)
    cell = target.points.incidents["cell_id"].drop_nulls().to_numpy()
    counts = np.bincount(cell, minlength=target.grid.n_cells).astype(np.float64)
    reports = Reports(target.name, counts, target.first, target.last)
    variables = context_variables(read_context(store, area), target.grid, reports)
    relation = relate(reports, variables, target.grid)
    store.write(tables.CONTEXT_RELATION, relation, WHOLE, made_from=made_from)
    workspace.build_catalog()
    return {
        "variables": relation.height,
        "incidents": int(counts.sum()),
        "period": f"{target.first} to {target.last}",
        "relations": dg.MetadataValue.md(_as_markdown(relation)),
        "made_from": made_from,
    }


def store_place_relation(workspace: Workspace, area: StudyArea) -> dict[str, Any]:
    """Relate the target's points to each category of places, write two tables; return figures for the UI."""
    store, part = workspace.tables(area.name), area.context.places
    assert part is not None, "an area without places has no such asset"
    made_from = MadeFrom(workspace, area).place_relation()
    target = read_target(workspace, area)
    points = target.points.incidents
    lon, lat = (points[c].to_numpy() for c in ("lon", "lat"))
    table = rows.PLACES_OF_INTEREST
    places = store.read(table, [WHOLE]) if store.keys(table) else table.empty()
    reports = PointReports(target.name, lon, lat, target.first, target.last)
    found = relate_categories(
        reports, places, part.categories, target.grid, seed=workspace.settings.seed
    )
    for frame_of, frame in zip(tables.PLACE_TABLES, found, strict=True):
        store.write(frame_of, frame, WHOLE, made_from=made_from)
    workspace.build_catalog()
    figures = {
        f"{category}_{name}": value
        for category, *values in found[0].select("category", *_TOLD).rows()
        for name, value in zip(_TOLD, values, strict=True)
        if value is not None
    }
    sentences = "\n".join(f"- {sentence}" for sentence in found[0]["sentence"])
    return {
        **figures,
        "period": f"{target.first} to {target.last}",
        "relations": dg.MetadataValue.md(sentences),
        "made_from": made_from,
    }


def _as_markdown(relation: pl.DataFrame) -> str:
    if relation.is_empty():
        return "No variable of context is known here."
    return "\n".join(f"- {sentence}" for sentence in relation["sentence"])
