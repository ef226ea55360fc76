"""Context assets: what is known of cells and areas, and how the target's reports relate to it.

Belongs here: `context/cell_neighbourhoods`, `cells`, `areas`, `evaluation/context_relation`, and
`place_relation` and `place_cross_k` of areas that declare places of interest, such as liquor stores. Does
not: the publishers' rows (`raw.py`), weighting (`grid/`), the methods (`evaluation/`, `hotspots/`).
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from htrisk_dagster.defs.metadata import table_metadata
from htrisk_dagster.defs.raw_tables import raw_table_names
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.schemas import context, context_sources, grid, raw, staging
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.study_areas.area import StudyArea

_DAILY = (context_sources.NEWS_SENTIMENT, context_sources.ADVERT_COUNTS)


def build(area: StudyArea) -> list[dg.AssetsDefinition]:
    """Context assets of one study area."""
    name = area.name
    named = raw_table_names(area)
    whole = (t for t in context_sources.TABLES if t not in _DAILY and t.name in named)
    sources = (raw.PRECINCTS, *whole, grid.CELLS)
    daily = (t for t in _DAILY if t.name in named)
    placed = (*context.CONTEXT_TABLES, *daily, grid.CELLS, grid.INCIDENT_CELLS, staging.INCIDENTS)

    def described(table: Table) -> dict[str, Any]:
        return {
            "group_name": f"{name}_{table.layer}",
            "description": table.description,
            "metadata": table_metadata(table),
            "tags": {"study_area": name},
            "kinds": {"python", "parquet"},
        }

    def keys(tables: tuple[Table, ...]) -> list[list[str]]:
        return [[name, t.layer, t.name] for t in tables]

    @dg.multi_asset(
        name=f"{name}_context",
        specs=[
            dg.AssetSpec(key, deps=keys(sources), **described(table))
            for table, key in zip(context.CONTEXT_TABLES, keys(context.CONTEXT_TABLES), strict=True)
        ],
    )
    def placed_context(
        workspace: dg.ResourceParam[Workspace],
    ) -> Iterator[dg.MaterializeResult[None]]:
        """Residents, rates and places by cell and area, each with the day it was published."""
        from htrisk_dagster.defs.contextual import store_context

        metadata = store_context(workspace, area)
        for key in keys(context.CONTEXT_TABLES):
            yield dg.MaterializeResult(asset_key=key, metadata=metadata)

    @dg.asset(
        key=[name, context.CONTEXT_RELATION.layer, context.CONTEXT_RELATION.name],
        deps=keys(placed),
        **described(context.CONTEXT_RELATION),
    )
    def context_relation(workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult[None]:
        """Rate ratio of the target at one standard deviation more of each variable, 95% interval."""
        from htrisk_dagster.defs.contextual import store_relation

        return dg.MaterializeResult(metadata=store_relation(workspace, area))

    @dg.multi_asset(
        name=f"{name}_place_relation",
        specs=[
            dg.AssetSpec(
                [name, table.layer, table.name],
                deps=keys(
                    (
                        context_sources.PLACES_OF_INTEREST,
                        grid.CELLS,
                        grid.INCIDENT_CELLS,
                        staging.INCIDENTS,
                    )
                ),
                **described(table),
            )
            for table in context.PLACE_TABLES
        ],
    )
    def place_relation(
        workspace: dg.ResourceParam[Workspace],
    ) -> Iterator[dg.MaterializeResult[None]]:
        """Cross-K of reports around each category of places, and their rate by cell with and without one."""
        from htrisk_dagster.defs.contextual import store_place_relation

        metadata = store_place_relation(workspace, area)
        for key in keys(context.PLACE_TABLES):
            yield dg.MaterializeResult(asset_key=key, metadata=metadata)

    return [placed_context, context_relation, *([place_relation] if relates_places(area) else [])]


def relates_places(area: StudyArea) -> bool:
    """Whether an area declares places of interest, and has the points to relate them to."""
    return area.context.places is not None and area.grid.unit == "cell"
