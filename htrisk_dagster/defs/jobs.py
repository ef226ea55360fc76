"""Jobs: what is refreshed, retrained and scored together, one grain of partition each.

Belongs here: selections of assets. Does not: when they run (`schedules.py`), ranges (`runs.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import dagster as dg

from htrisk_dagster.defs.partitions import report_months, risk_days, training_months
from htrisk_dagster.defs.raw_tables import DECLARED, monthly_tables, whole_tables
from htrisk_dagster.schemas import governance
from htrisk_dagster.study_areas.area import StudyArea


@dataclass(frozen=True)
class AreaJobs:
    """The jobs of one study area, in the order in which a day needs them."""

    refresh: dg.UnresolvedAssetJobDefinition
    place: dg.UnresolvedAssetJobDefinition
    retrain: dg.UnresolvedAssetJobDefinition
    score: dg.UnresolvedAssetJobDefinition
    evaluate: dg.UnresolvedAssetJobDefinition
    series: dg.UnresolvedAssetJobDefinition

    def all(self) -> list[dg.UnresolvedAssetJobDefinition]:
        """Every job."""
        return [
            self.refresh, self.place, self.retrain, self.score, self.evaluate, self.series,
        ]  # fmt: skip


def build(area: StudyArea) -> AreaJobs:
    """Jobs of one study area."""
    name = area.name
    raw_by_month = [dg.AssetKey([name, "raw", t.name]) for t in monthly_tables(area)]
    raw_whole = [[name, "raw", t.name] for t in (*whole_tables(area), *DECLARED)]
    in_process = dg.in_process_executor
    return AreaJobs(
        refresh=dg.define_asset_job(
            f"{name}_refresh_reports",
            selection=dg.AssetSelection.assets(*raw_by_month),
            partitions_def=report_months(area),
            executor_def=in_process,
            description="Read one month of reports, events, riders and news again, amended rows with it.",
        ),
        place=dg.define_asset_job(
            f"{name}_place_incidents",
            selection=dg.AssetSelection.groups(
                *(
                    f"{name}_{g}"
                    for g in ("staging", "marts", "grid", "context", "restricted", "hotspots")
                )
            )
            | dg.AssetSelection.assets(*raw_whole),
            executor_def=in_process,
            description="Stage, test and place everything that raw holds, with context and hot spots.",
        ),
        retrain=dg.define_asset_job(
            f"{name}_retrain",
            selection=dg.AssetSelection.groups(f"{name}_models")
            | dg.AssetSelection.assets(*([name, t.layer, t.name] for t in governance.MODEL_TABLES)),
            partitions_def=training_months(area),
            executor_def=in_process,
            description="Train every model of one month, folds first, choose the champion and document it.",
        ),
        score=dg.define_asset_job(
            f"{name}_score",
            selection=dg.AssetSelection.groups(
                f"{name}_features", f"{name}_predictions", f"{name}_publishing"
            )
            | dg.AssetSelection.assets([name, governance.LAYER, governance.CANARY_SEARCH.name]),
            partitions_def=risk_days(area),
            executor_def=in_process,
            description="Features, forecasts, risk, map and report of one day or a range, and the canary.",
        ),
        evaluate=dg.define_asset_job(
            f"{name}_evaluate",
            selection=dg.AssetSelection.groups(f"{name}_evaluation"),
            executor_def=in_process,
            description="Compare every model with the truth of the days forecast, and look for drift.",
        ),
        series=dg.define_asset_job(
            f"{name}_forecast_series",
            selection=dg.AssetSelection.groups(f"{name}_series"),
            partitions_def=training_months(area),
            executor_def=in_process,
            description="Forecast every area's months, weeks and days to come, score areas and plan hours.",
        ),
    )
