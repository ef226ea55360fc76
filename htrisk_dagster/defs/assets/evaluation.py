"""Evaluation assets: every model against the truth of the days that were forecast, and drift.

Belongs here: `evaluation/model_comparison`, `evaluation/thresholds` and `evaluation/drift`. Does
not: metrics, intervals and statistics of drift (`evaluation/`).
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

    @dg.asset(
        key=[name, tables.DRIFT.layer, tables.DRIFT.name],
        deps=[*upstream, [name, "features", "cell_day"]],
        group_name=f"{name}_evaluation",
        description=tables.DRIFT.description,
        metadata=table_metadata(tables.DRIFT),
        kinds={"python", "parquet"},
        tags={"study_area": name},
    )
    def drift(workspace: dg.ResourceParam[Workspace]) -> dg.MaterializeResult[None]:
        """Compare the newest scored days with training, and reports with what was expected."""
        from htrisk_dagster.defs.drifted import store_drift

        return dg.MaterializeResult(metadata=store_drift(workspace, area))

    return [evaluated, drift]
