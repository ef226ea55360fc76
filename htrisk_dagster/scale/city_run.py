"""Cities from rows to maps on one execution: features, models, crown, scores and the sums of all.

Belongs here: the order of the steps, several cities at a time. Does not: the work of a step
(`feature_work`, `training_work`, `score_work`), where jobs are done (`execution`).

Each step hands the jobs of all cities to the execution at once, so that the machines of a cluster stay
busy though one city has few of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial

from htrisk_dagster.evaluation.effort import Effort
from htrisk_dagster.evaluation.ensemble import CHAMPION
from htrisk_dagster.evaluation.stacking import STACK
from htrisk_dagster.features.feature_matrix import FeatureInputs
from htrisk_dagster.publishing.risk_bands import BAND_SHARES
from htrisk_dagster.scale.execution import Execution
from htrisk_dagster.scale.feature_work import FeatureRequest, store_features
from htrisk_dagster.scale.fixed_point import added, figures
from htrisk_dagster.scale.score_work import score_days
from htrisk_dagster.scale.shared_storage import SharedStorage
from htrisk_dagster.scale.training_work import (
    TrainingPlan,
    crown_models,
    plan_training,
    train_and_store,
)
from htrisk_dagster.scale.unit import Job, Period, Unit, UnitReport, UnitSettings, periods_of
from htrisk_dagster.study_areas.area import StudyArea

Say = Callable[[str], None]
LIGHT_MODELS = ("historical_mean", "empirical_bayes", "lightgbm")
"""What is trained where many cities are run to see how work scales, not how well they are forecast."""


@dataclass(frozen=True)
class CityPlan:
    """One city of a run.

    Parameters
    ----------
    area : StudyArea
    settings : UnitSettings
        What its sources were chosen to be.
    training : TrainingPlan
        Of the month that the scored days begin with.
    last : date
        Last day that is scored.
    """

    area: StudyArea
    settings: UnitSettings
    training: TrainingPlan
    last: date

    @classmethod
    def of(
        cls,
        area: StudyArea,
        target_name: str,
        inputs: FeatureInputs,
        month: date,
        last: date,
        effort: Effort,
        *,
        models: Sequence[str] = LIGHT_MODELS,
        seed: int = 0,
    ) -> CityPlan:
        """Plan to train for `month` on all days before it and to score from there up to `last`."""
        plan = plan_training(inputs, month, models, effort, seed=seed)
        return cls(area, UnitSettings.chosen(target_name, inputs), plan, last)


def run_cities(
    execution: Execution, storage: SharedStorage, cities: Sequence[CityPlan], say: Say
) -> dict[str, dict[str, float]]:
    """Make everything of all cities; return the evaluation of each by name.

    Parameters
    ----------
    execution : Execution
    storage : SharedStorage
        Holds the rows of each city, as `grid.incident_cells` and beside it.
    cities : sequence of CityPlan
    say : callable
        Told of each step its jobs and seconds.
    """

    def timed(title: str, run: Callable[[], Sequence[UnitReport]]) -> Sequence[UnitReport]:
        began = time.monotonic()
        reports = run()
        say(f"{title}: {len(reports)} in {time.monotonic() - began:.1f} s")
        return reports

    features = [
        FeatureRequest(storage, c.area, c.settings, c.settings.history_start, c.last)
        for c in cities
    ]
    timed("features of cities", partial(store_features, execution, features))
    training = [(c, _training_unit(storage, c)) for c in cities]
    models = [
        Job(train_and_store, u, (c.training, n)) for c, u in training for n in c.training.names
    ]
    timed("models", partial(execution.run, models))
    crowns = [Job(crown_models, unit, (c.training,)) for c, unit in training]
    timed("crowns", partial(execution.run, crowns))
    scores = [
        (c.area.name, Job(score_days, unit))
        for c in cities
        for unit in _score_units(storage, c, execution.period_days)
    ]
    reports = timed(
        "periods of scores and maps", partial(execution.run, [job for _, job in scores])
    )
    names = [name for name, _ in scores]
    return {
        city.area.name: figures(
            added(r.sums for n, r in zip(names, reports, strict=True) if n == city.area.name),
            (*city.training.names, STACK, CHAMPION),
            BAND_SHARES,
        )
        for city in cities
    }


def _training_unit(storage: SharedStorage, city: CityPlan) -> Unit:
    period = Period(city.settings.history_start, city.training.known_before)
    return Unit(storage, city.area, 0, period, city.settings)


def _score_units(storage: SharedStorage, city: CityPlan, period_days: int) -> list[Unit]:
    month = city.training.month.isoformat()
    months = dict.fromkeys((*city.training.names, STACK, CHAMPION), month)
    settings = replace(city.settings, models=months)
    return [
        Unit(storage, city.area, 0, period, settings)
        for period in periods_of(city.training.month, city.last, period_days)
    ]
