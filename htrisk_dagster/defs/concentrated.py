"""Hot spots of the last weeks: read incidents on the grid, ask the science, write its tables.

Belongs here: the steps behind the Gi* assets of `hotspots/`. Does not: any statistic (`hotspots/`).

All three tables are whole, without partitions: a class needs every week of the window, the window
moves by a week each week, and late reports amend the weeks in it. Two years of New York take five
seconds, less than the bookkeeping of 104 partitions.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from htrisk_dagster.defs.fingerprints import MadeFrom
from htrisk_dagster.defs.selection import EVERYTHING, Selection
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.errors import SourceError
from htrisk_dagster.features.catalogue import ALL_INCIDENTS
from htrisk_dagster.features.inputs import read_grid
from htrisk_dagster.grid.neighbours import queen_contiguity
from htrisk_dagster.hotspots import gi_star_tables
from htrisk_dagster.hotspots.getis_ord import with_self
from htrisk_dagster.hotspots.weeks import WeekPanel, week_panel
from htrisk_dagster.schemas import grid, hotspots
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.study_areas.area import StudyArea
from htrisk_dagster.warehouse.partitions import WHOLE


def store_gi_star(
    workspace: Workspace, area: StudyArea, selection: Selection = EVERYTHING
) -> dict[str, Any]:
    """Write Gi* of all incidents and of what is selected by week; return figures for the UI."""
    rows, figures = gi_star_table(workspace, area, selection)
    made_from = MadeFrom(workspace, area).gi_star(selection)
    _write(workspace, area, hotspots.CELL_WEEK_GI_STAR, rows, made_from)
    return {**figures, "made_from": made_from}


def gi_star_table(
    workspace: Workspace, area: StudyArea, selection: Selection
) -> tuple[pl.DataFrame, dict[str, Any]]:
    """Gi* by week of all incidents and of what is selected, with figures of both."""
    store = workspace.tables(area.name)
    cells = read_grid(store, area)
    incidents = selection.until(store.read(grid.INCIDENT_CELLS))
    panels = _panels(workspace, area, incidents, cells.n_cells, selection)
    rows = gi_star_tables.gi_star_rows(panels, with_self(queen_contiguity(cells)))
    figures: dict[str, Any] = {"fdr_level": gi_star_tables.FDR_LEVEL}
    for name, panel in panels.items():
        of_series = rows.filter(pl.col("series") == name)
        analytic = (pl.col("fdr_p_value_prob") <= gi_star_tables.FDR_LEVEL) & (
            pl.col("gi_star_z") > 0
        )
        figures |= {
            f"{name}_source": panel.source,
            f"{name}_weeks": f"{len(panel.weeks)} from {panel.weeks[0]} to {panel.weeks[-1]}",
            f"{name}_hot_cells_pct": _mean_pct(of_series, pl.col("spot") == "hot"),
            f"{name}_cold_cells_pct": _mean_pct(of_series, pl.col("spot") == "cold"),
            f"{name}_hot_cells_analytic_pct": _mean_pct(of_series, analytic),
            f"{name}_station_house_pct": panel.station_house_pct,
            f"{name}_without_cell_pct": panel.without_cell_pct,
        }
    return rows, figures


def store_emerging_hot_spots(workspace: Workspace, area: StudyArea) -> dict[str, Any]:
    """Write the class of each cell; return how many cells have each."""
    store = workspace.tables(area.name)
    weekly = store.read(hotspots.CELL_WEEK_GI_STAR, [WHOLE])
    weights = with_self(queen_contiguity(read_grid(store, area)))
    rows = gi_star_tables.emerging_rows(weekly, weights)
    made_from = MadeFrom(workspace, area).emerging_hot_spots()
    _write(workspace, area, hotspots.EMERGING_HOT_SPOTS, rows, made_from)
    classes = rows.group_by("series", "pattern").len().sort("series", "pattern").rows()
    hot = rows.group_by("series").agg(100 * (pl.col("spot") == "hot").mean()).sort("series").rows()
    return {
        **{f"{series}: {pattern}": count for series, pattern, count in classes},
        **{f"{series}_hot_cells_all_weeks_pct": pct for series, pct in hot},
        "fdr_level": gi_star_tables.FDR_LEVEL,
        "made_from": made_from,
    }


def store_period_change(workspace: Workspace, area: StudyArea) -> dict[str, Any]:
    """Write the comparison of the window's halves; return Andresen's S and the cells that changed."""
    weekly = workspace.tables(area.name).read(hotspots.CELL_WEEK_GI_STAR, [WHOLE])
    rows, s_indices = gi_star_tables.change_rows(weekly, seed=workspace.settings.seed)
    made_from = MadeFrom(workspace, area).period_change()
    _write(workspace, area, hotspots.PERIOD_CHANGE, rows, made_from)
    changes = rows.group_by("series", "change").len().sort("series", "change").rows()
    return {
        **{f"{series}: {change}": count for series, change, count in changes},
        **{f"{series}_s_index": s for series, (s, _) in s_indices.items()},
        **{f"{series}_s_index_active_cells": s for series, (_, s) in s_indices.items()},
        "fdr_level": gi_star_tables.FDR_LEVEL,
        "made_from": made_from,
    }


def _panels(
    workspace: Workspace,
    area: StudyArea,
    incidents: pl.DataFrame,
    n_cells: int,
    selection: Selection,
) -> dict[str, WeekPanel]:
    target, part = selection.part(workspace, area)
    since = selection.since(workspace.settings.history_start)
    panels = {
        name: week_panel(incidents, series, n_cells, since=since)
        for name, series in ((ALL_INCIDENTS, area.incidents), (target, part))
    }
    found = {name: panel for name, panel in panels.items() if panel is not None}
    if not found:
        raise SourceError(
            f"No source of {area.incidents.title} or of the target '{part.title}' covers six months in a "
            "row, so there is no hot spot to find. Bring files or fetch reports for such a period."
        )
    return found


def _write(
    workspace: Workspace, area: StudyArea, table: Table, rows: pl.DataFrame, made_from: str
) -> None:
    # The science has conformed the rows; a second look at 700,000 of them costs half of the step.
    workspace.tables(area.name).write_unchecked(table, rows, made_from=made_from)
    workspace.build_catalog()


def _mean_pct(rows: pl.DataFrame, condition: pl.Expr) -> float:
    return float(100 * rows.select(condition.fill_null(False).mean()).item())
