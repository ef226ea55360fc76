"""Grid assets: the cells of a study area, and its incidents placed on them.

Belongs here: `grid/cells`, `grid/incident_cells` and the counts of verified cases. Does not: how
a point becomes a cell (`grid/`), counts over time (features).
"""

import dagster as dg

from htrisk_dagster.defs.fingerprints import MadeFrom
from htrisk_dagster.defs.metadata import table_metadata
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.schemas import grid as tables
from htrisk_dagster.schemas import raw, staging
from htrisk_dagster.study_areas.area import StudyArea


def build(area: StudyArea) -> list[dg.AssetsDefinition]:
    """Grid assets of one study area."""
    name = area.name
    tags, kinds = {"study_area": name}, {"python", "parquet"}

    @dg.asset(
        key=[name, tables.LAYER, "cells"],
        group_name=f"{name}_grid",
        deps=[[name, raw.LAYER, "boroughs"], [name, raw.LAYER, "precincts"]],
        description=tables.CELLS.description,
        metadata=table_metadata(tables.CELLS),
        tags=tags,
        kinds=kinds,
    )
    def cells(workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult[None]:
        """Cells that touch land, in metres of the study area's CRS."""
        from htrisk_dagster.grid.cells import build_grid

        store = workspace.tables(name)
        boundaries = [store.read(t, ["all"]) for t in (raw.BOROUGHS, raw.PRECINCTS)]
        grid = build_grid(*boundaries, **area.grid.model_dump())
        made_from = MadeFrom(workspace, area).cells()
        store.write(tables.CELLS, grid.cells, made_from=made_from)
        land = float(grid.cells["land_share"].sum()) * area.grid.cell_size_m**2 / 1e6
        return dg.MaterializeResult(
            metadata={"cells": grid.n_cells, "land_km2": land, "made_from": made_from}
        )

    @dg.asset(
        key=[name, tables.LAYER, "incident_cells"],
        group_name=f"{name}_grid",
        deps=[cells, [name, staging.LAYER, "incidents"]],
        description=tables.INCIDENT_CELLS.description,
        metadata=table_metadata(tables.INCIDENT_CELLS),
        tags=tags,
        kinds=kinds,
    )
    def incident_cells(workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult[None]:
        """Incidents with cell and location quality, a partition for each month of report."""
        from htrisk_dagster.defs.placed import store_incident_cells

        return dg.MaterializeResult(metadata=store_incident_cells(workspace, area))

    @dg.asset(
        key=[name, staging.LAYER, "verified_case_counts"],
        group_name=f"{name}_restricted",
        deps=[cells, [name, raw.VERIFIED_CASES.layer, raw.VERIFIED_CASES.name]],
        description=staging.VERIFIED_CASE_COUNTS.description,
        metadata=table_metadata(staging.VERIFIED_CASE_COUNTS),
        tags={**tags, "access": "restricted"},
        kinds=kinds,
    )
    def verified_case_counts(workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult[None]:
        """Verified cases by borough and month, at least 11 or not shown."""
        from htrisk_dagster.features.inputs import read_grid
        from htrisk_dagster.grid.verified_cases import count_by_borough_month

        store = workspace.tables(name)
        cases = workspace.restricted(name).read(raw.VERIFIED_CASES, ["all"])
        counts = count_by_borough_month(cases, read_grid(store, area))
        made_from = MadeFrom(workspace, area).verified_counts()
        store.write(staging.VERIFIED_CASE_COUNTS, counts, made_from=made_from)
        shown = counts["cases_count"].drop_nulls()
        return dg.MaterializeResult(
            metadata={"borough_months": counts.height, "shown": len(shown), "made_from": made_from}
        )

    return [cells, incident_cells, verified_case_counts]
