"""Model assets: every count model of a month, their stack, and the champion among them.

Belongs here: one asset a model, partitioned by the month from which it may be used. Does not:
training (`evaluation/training.py`, `models/`), the stack and the choice (`evaluation/ensemble.py`).
"""

from collections.abc import Iterator

import dagster as dg

from htrisk_dagster.defs.metadata import table_metadata
from htrisk_dagster.defs.mlflow_tracking import MlflowTracking
from htrisk_dagster.defs.partitions import training_months
from htrisk_dagster.defs.retries import passing_faults_retried
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.schemas.predictions import FEATURE_IMPORTANCE
from htrisk_dagster.study_areas.area import StudyArea

DESCRIPTIONS = {
    "historical_mean": "Mean of each cell over the training days: the baseline of every table.",
    "kde": "Training incidents smoothed over cells, the bandwidth tuned on months left out.",
    "ewma": "Exponentially weighted mean of each cell, the half-life tuned one step ahead.",
    "kde_ewma": "Kernel density of an exponentially weighted history: the strongest simple rival.",
    "prospective_hotspot": "Near and recent incidents by fixed weights, mixed with long-run rates.",
    "etas": "Self-exciting counts: a shrunk background, and incidents that set off others.",
    "risk_terrain": "Poisson regression on features of places, with relative risk values.",
    "empirical_bayes": (
        "Cells pooled to neighbours, precinct, borough and covariates; the one to beat for rare events."
    ),
    "lightgbm": "Gradient-boosted trees on counts, Poisson, natural prevalence.",
    "xgboost": "Gradient-boosted trees on counts, Poisson, natural prevalence.",
    "lstm": "PyTorch LSTM on 7-day sequences with a count likelihood, weights shared over cells.",
}


def build(area: StudyArea) -> list[dg.AssetsDefinition]:
    """Model assets of one study area."""
    name = area.name
    months = training_months(area)

    @dg.multi_asset(
        name=f"{name}_models",
        specs=[
            dg.AssetSpec(
                [name, "models", model],
                deps=[
                    dg.AssetDep(
                        [name, "features", "cell_day"],
                        # Two years of days before the month, as far as they exist.
                        partition_mapping=dg.TimeWindowPartitionMapping(
                            start_offset=-730,
                            end_offset=-1,
                            allow_nonexistent_upstream_partitions=True,
                        ),
                    ),
                    [name, "grid", "incident_cells"],
                ],
                group_name=f"{name}_models",
                description=f"{description} One partition: the month from which it may be used.",
                kinds={"mlflow", "pytorch" if model == "lstm" else "python"},
                tags={"study_area": name},
                skippable=True,
            )
            for model, description in DESCRIPTIONS.items()
        ],
        partitions_def=months,
        can_subset=True,
        pool="htrisk_training",
    )
    def fitted(
        context: dg.AssetExecutionContext,
        workspace: dg.ResourceParam[Workspace],
        tracking: dg.ResourceParam[MlflowTracking],
    ) -> Iterator[dg.MaterializeResult[None]]:
        """Fit the models asked for on what was known before the month, folds first."""
        from htrisk_dagster.defs import trained

        data = trained.training_set(workspace, area, context.partition_key)
        for key in sorted(
            context.selected_asset_keys, key=lambda k: list(DESCRIPTIONS).index(k.path[-1])
        ):
            with passing_faults_retried(context):
                figures = trained.store_model(
                    workspace,
                    area,
                    tracking,
                    data,
                    key.path[-1],
                    dagster_run_id=context.run.run_id,
                    progress=trained.reporter(context.log.info),
                )
            yield dg.MaterializeResult(asset_key=key, metadata=tracking.as_metadata(figures))

    @dg.asset(
        key=[name, "models", "stack"],
        group_name=f"{name}_models",
        partitions_def=months,
        deps=[[name, "models", model] for model in DESCRIPTIONS],
        description=(
            "Weights of a log-linear pool of all models, shrunk to empirical Bayes. One partition: "
            "the month from which it may be used."
        ),
        kinds={"mlflow"},
        tags={"study_area": name},
    )
    def stack(
        context: dg.AssetExecutionContext,
        workspace: dg.ResourceParam[Workspace],
        tracking: dg.ResourceParam[MlflowTracking],
    ) -> dg.MaterializeResult[None]:
        """Weigh the models by their sealed fold forecasts."""
        from htrisk_dagster.defs.crowned import store_stack

        month, run = context.partition_key, context.run.run_id
        with passing_faults_retried(context):
            figures = store_stack(workspace, area, tracking, month, dagster_run_id=run)
        return dg.MaterializeResult(metadata=tracking.as_metadata(figures))

    @dg.asset(
        key=[name, "models", "champion"],
        group_name=f"{name}_models",
        partitions_def=months,
        deps=[*([name, "models", model] for model in DESCRIPTIONS), stack],
        description=(
            "Champion and challenger, chosen on blind folds; the best baseline where nothing "
            "surely beats it. With the correction of its level and slope, and its intervals."
        ),
        kinds={"mlflow"},
        tags={"study_area": name},
    )
    def champion(
        context: dg.AssetExecutionContext,
        workspace: dg.ResourceParam[Workspace],
        tracking: dg.ResourceParam[MlflowTracking],
    ) -> dg.MaterializeResult[None]:
        """Compare the sealed fold forecasts, set MLflow's aliases, write the comparison page."""
        from htrisk_dagster.defs.compared import store_page
        from htrisk_dagster.defs.crowned import store_champion

        month = context.partition_key
        with passing_faults_retried(context):
            figures = store_champion(workspace, area, tracking, month)
            page = store_page(workspace, area, tracking, month)
        return dg.MaterializeResult(metadata={**figures, **page})

    @dg.asset(
        key=[name, FEATURE_IMPORTANCE.layer, FEATURE_IMPORTANCE.name],
        group_name=f"{name}_models",
        partitions_def=months,
        deps=[*([name, "models", model] for model in DESCRIPTIONS), stack],
        description=FEATURE_IMPORTANCE.description,
        metadata=table_metadata(FEATURE_IMPORTANCE),
        kinds={"python", "parquet"},
        tags={"study_area": name},
    )
    def feature_importance(
        context: dg.AssetExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> dg.MaterializeResult[None]:
        """Ask every model what moves its forecasts, on the last four weeks before the month."""
        from htrisk_dagster.defs.explained import store_importance

        return dg.MaterializeResult(
            metadata=store_importance(workspace, area, context.partition_key)
        )

    return [fitted, stack, champion, feature_importance]
