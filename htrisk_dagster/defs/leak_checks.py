"""Asset checks of the leak battery, on what the graph has stored.

Belongs here: which rule watches which asset, and what it is given. Does not: the rules
(`evaluation/leak_battery.py`, `evaluation/ceiling_alarm.py`), checks of other kinds
(`asset_checks.py`).

What the graph has stored is looked at as it lies there: features as of their cutoff, seals, scores
beyond the ceiling. What no stored number can show is tried anew on inputs that never were: another
future, and reports whose places or days are shuffled.
"""

from collections.abc import Iterator, Sequence
from datetime import date

import dagster as dg
import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.defs.asset_checks import check_result, days_to_check
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.schemas.finding import Finding
from htrisk_dagster.schemas.predictions import MODEL_COMPARISON, MODEL_FORECASTS
from htrisk_dagster.study_areas.area import StudyArea

AS_OF = "features_are_as_of_the_cutoff"
FUTURE = "another_future_changes_no_feature"
RANDOM = "a_random_city_gives_no_skill"
SHUFFLED = "shuffled_days_give_no_more_than_place"
SEALED = "forecasts_are_as_sealed"
CEILING = "no_model_is_above_the_ceiling"


def build(area: StudyArea) -> list[dg.AssetChecksDefinition]:
    """Leak checks of one study area."""
    return [_as_of_check(area), _seal_check(area), _shuffle_check(area), _ceiling_check(area)]


def _as_of_check(area: StudyArea) -> dg.AssetChecksDefinition:
    key = [area.name, "features", "cell_day"]

    @dg.multi_asset_check(
        name=f"{area.name}_cell_day_as_of",
        specs=[dg.AssetCheckSpec(rule, asset=key, blocking=True) for rule in (AS_OF, FUTURE)],
    )
    def as_of_check(
        context: dg.AssetCheckExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> Iterator[dg.AssetCheckResult]:
        """The first and the last day are those of the rows known then, whatever comes after."""
        from htrisk_dagster.defs.featured import features_table, inputs_until
        from htrisk_dagster.evaluation.fold_procedure import features_of_day
        from htrisk_dagster.evaluation.leak_battery import (
            future_changes_nothing,
            made_of_known,
            stored_equals_rebuilt,
        )

        days = days_to_check(context, workspace.tables(area.name).keys(features_table(area)))
        inputs = inputs_until(workspace, area, date.fromisoformat(days[-1]))
        stored = _first_and_last(workspace, area, days)
        known = made_of_known(features_of_day, inputs, list(stored))
        as_of = stored_equals_rebuilt(stored, known)
        future = future_changes_nothing(
            features_of_day, inputs, known, what="Features", seed=workspace.settings.seed
        )
        yield check_result(key, AS_OF, as_of, days=days)
        yield check_result(key, FUTURE, future, days=days)

    return as_of_check


def _first_and_last(
    workspace: Workspace, area: StudyArea, days: Sequence[str]
) -> dict[date, NDArray[np.float32]]:
    from htrisk_dagster.defs.featured import read_rows

    def read(day: str) -> NDArray[np.float32]:
        rows = read_rows(workspace, area, [day]).drop("risk_on", "cell_id")
        return np.asarray(rows.fill_null(np.nan).to_numpy(), dtype=np.float32)

    return {date.fromisoformat(day): read(day) for day in sorted({days[0], days[-1]})}


def _seal_check(area: StudyArea) -> dg.AssetChecksDefinition:
    key = [area.name, MODEL_FORECASTS.layer, MODEL_FORECASTS.name]

    @dg.multi_asset_check(
        name=f"{area.name}_model_forecasts_sealed",
        specs=[dg.AssetCheckSpec(SEALED, asset=key, blocking=True)],
    )
    def seal_check(
        context: dg.AssetCheckExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> Iterator[dg.AssetCheckResult]:
        """Stored forecasts are those that were sealed when they were made."""
        from htrisk_dagster.defs.seals import present_digests, sealed_digests
        from htrisk_dagster.evaluation.leak_battery import seals_hold

        days = days_to_check(context, workspace.tables(area.name).keys(MODEL_FORECASTS))
        sealed, present = (f(workspace, area, days) for f in (sealed_digests, present_digests))
        yield check_result(key, SEALED, seals_hold(sealed, present), days=days)

    return seal_check


def _shuffle_check(area: StudyArea) -> dg.AssetChecksDefinition:
    key = [area.name, "models", "champion"]

    @dg.multi_asset_check(
        name=f"{area.name}_champion_shuffled_labels",
        specs=[dg.AssetCheckSpec(rule, asset=key, blocking=True) for rule in (RANDOM, SHUFFLED)],
    )
    def shuffle_check(
        context: dg.AssetCheckExecutionContext, workspace: dg.ResourceParam[Workspace]
    ) -> Iterator[dg.AssetCheckResult]:
        """The way from reports to forecasts finds nothing where there is nothing to find."""
        from htrisk_dagster.defs.fold_results import newest_trained_month
        from htrisk_dagster.defs.shuffled import shuffled_findings

        run = context.op_execution_context
        # The UI runs a check by itself, without a partition.
        month = (
            run.partition_key if run.has_partition_key else newest_trained_month(workspace, area)
        )
        for rule, finding in zip(
            (RANDOM, SHUFFLED), shuffled_findings(workspace, area, month), strict=True
        ):
            yield check_result(key, rule, finding)

    return shuffle_check


def _ceiling_check(area: StudyArea) -> dg.AssetChecksDefinition:
    key = [area.name, MODEL_COMPARISON.layer, MODEL_COMPARISON.name]

    @dg.multi_asset_check(
        name=f"{area.name}_model_comparison_ceiling",
        specs=[dg.AssetCheckSpec(CEILING, asset=key)],
    )
    def ceiling_check(workspace: dg.ResourceParam[Workspace]) -> Iterator[dg.AssetCheckResult]:
        """No model is better than the true intensity, or than an estimate made with hindsight."""
        yield check_result(key, CEILING, _ceiling(workspace, area), warn=True)

    return ceiling_check


def _ceiling(workspace: Workspace, area: StudyArea) -> Finding:
    from htrisk_dagster.defs.city_truth import city_truth
    from htrisk_dagster.defs.evaluated import evaluated_days, read_forecasts
    from htrisk_dagster.defs.partitions import days_of
    from htrisk_dagster.evaluation import ceiling_alarm
    from htrisk_dagster.evaluation.block_ceilings import block_intensity
    from htrisk_dagster.evaluation.plug_in import plug_in_bracket
    from htrisk_dagster.features.inputs import target_counts

    days, inputs = evaluated_days(workspace, area)
    forecasts = read_forecasts(workspace, area, days, inputs.grid.n_cells)
    seed = workspace.settings.seed
    truth = city_truth(workspace, area, inputs)
    if truth is not None:
        block = block_intensity(truth, inputs, days)
        return ceiling_alarm.no_forecast_is_beyond(
            target_counts(inputs, days),
            forecasts,
            intensity=block.omniscient,
            day_shock=block.day_shock,
            seed=seed,
        )
    history = target_counts(inputs, days_of(inputs.history_start, date.fromisoformat(days[-1])))
    counts = history[-len(days) :]
    if not counts.any():
        return Finding(True, "No incident was reported on the days scored; nothing to rank.")
    bracket = plug_in_bracket(history, scored_days=len(days))
    return ceiling_alarm.no_forecast_is_beyond_plug_in(
        counts, forecasts, upper=bracket.in_sample, seed=seed
    )
