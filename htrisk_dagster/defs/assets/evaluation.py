"""Evaluation assets: every model against the truth of the days that were forecast.

Belongs here: `evaluation/model_comparison` and `evaluation/thresholds`. Does not: metrics and
intervals (`evaluation/`).
"""

from collections.abc import Iterator

import dagster as dg

from htrisk_dagster.defs.metadata import table_metadata
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.schemas import predictions as tables
from htrisk_dagster.study_areas.area import StudyArea


def build(area: StudyArea) -> list[dg.AssetsDefinition]:
    """Evaluation assets of one study area."""
    name = area.name
    upstream = [
        [name, "predictions", "model_forecasts"],
        [name, "grid", "incident_cells"],
        [name, "models", "champion"],
    ]

    @dg.multi_asset(
        name=f"{name}_evaluation",
        specs=[
            dg.AssetSpec(
                [name, "evaluation", table.name],
                deps=upstream,
                group_name=f"{name}_evaluation",
                description=table.description,
                metadata=table_metadata(table),
                kinds={"python", "parquet"},
                tags={"study_area": name},
            )
            for table in tables.EVALUATION_TABLES
        ],
    )
    def evaluated(workspace: dg.ResourceParam[Workspace]) -> Iterator[dg.MaterializeResult[None]]:
        """Read the truth of the forecast days, compare, and write tables and report."""
        from htrisk_dagster.defs.evaluated import store_evaluation

        report, days = store_evaluation(workspace, area)
        for table in tables.EVALUATION_TABLES:
            yield dg.MaterializeResult(
                asset_key=[name, "evaluation", table.name],
                metadata={
                    "days": f"{days[0]} to {days[-1]}",
                    "report": dg.MetadataValue.path(report),
                    "table": dg.MetadataValue.md(report.read_text()),
                },
            )

    return [evaluated]
