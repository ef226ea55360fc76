"""Assets on verified cases: their counts, how the maps fare against them, and the funnel.

Belongs here: what is made from rows of the restricted store. Does not: the rows (`raw.py`), any
statistic (`evaluation/`). All that these assets write is suppressed at k = 11.
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from htrisk_dagster.defs.metadata import table_metadata
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.schemas import grid, predictions, raw, staging, verified
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.study_areas.area import StudyArea

VALIDATION = (verified.OVERLAY, verified.HIT_RATE, verified.LEAD_TIME)
"""Tables that are made together."""


def build(area: StudyArea) -> list[dg.AssetsDefinition]:
    """Assets of one study area that read the restricted store."""
    name = area.name
    cells = [name, grid.LAYER, "cells"]
    cases, reviews = ([name, t.layer, t.name] for t in raw.RESTRICTED_TABLES)
    risk, forecasts = (
        [name, t.layer, t.name] for t in (predictions.CELL_DAY_RISK, predictions.MODEL_FORECASTS)
    )

    @dg.asset(
        key=[name, staging.LAYER, "verified_case_counts"],
        deps=[cells, cases],
        **_described(area, staging.VERIFIED_CASE_COUNTS, is_restricted=True),
    )
    def verified_case_counts(workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult[None]:
        """Verified cases by borough and month with totals, at least 11 or not shown."""
        from htrisk_dagster.defs.verified import store_case_counts

        return dg.MaterializeResult(metadata=store_case_counts(workspace, area))

    @dg.multi_asset(
        name=f"{name}_verified_validation",
        specs=[
            dg.AssetSpec(
                [name, table.layer, table.name],
                deps=[cells, cases, risk, forecasts, verified_case_counts],
                **_described(area, table),
            )
            for table in VALIDATION
        ],
    )
    def validation(workspace: dg.ResourceParam[Workspace]) -> Iterator[dg.MaterializeResult[None]]:
        """Maps against cases: overlay by month, hit rate at area budgets, days of lead."""
        from htrisk_dagster.defs.verified import store_validation

        metadata = store_validation(workspace, area)
        for table in VALIDATION:
            yield dg.MaterializeResult(asset_key=[name, table.layer, table.name], metadata=metadata)

    @dg.asset(
        key=[name, verified.FUNNEL.layer, verified.FUNNEL.name],
        deps=[
            cells,
            cases,
            reviews,
            risk,
            verified_case_counts,
            [name, grid.LAYER, "incident_cells"],
            [name, staging.LAYER, "incidents"],
        ],
        **_described(area, verified.FUNNEL),
    )
    def detection_funnel(workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult[None]:
        """Reported, geocoded, flagged, reviewed, verified: by borough and month, with the figure."""
        from htrisk_dagster.defs.verified import store_funnel

        return dg.MaterializeResult(metadata=store_funnel(workspace, area))

    return [verified_case_counts, validation, detection_funnel]


def _described(area: StudyArea, table: Table, *, is_restricted: bool = False) -> dict[str, Any]:
    access = {"access": "restricted"} if is_restricted else {}
    return {
        "group_name": f"{area.name}_{'restricted' if is_restricted else table.layer}",
        "description": table.description,
        "metadata": table_metadata(table),
        "tags": {"study_area": area.name, **access},
        "kinds": {"python", "parquet"},
    }
