"""Training from stored features is that of `evaluation.training`, and goes on from checkpoints by stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import pytest
from htrisk_dagster.evaluation import training
from htrisk_dagster.features.feature_matrix import build_block
from htrisk_dagster.features.inputs import target_counts
from htrisk_dagster.models.checkpoints import Checkpoints
from htrisk_dagster.models.count_model import make_model
from htrisk_dagster.scale.execution import InProcess
from htrisk_dagster.scale.feature_work import FeatureRequest, store_features
from htrisk_dagster.scale.training_work import TrainingPlan, train_model
from htrisk_dagster.scale.unit import Period, Unit
from htrisk_dagster_tests.scale.conftest import FIRST, TinyCity

OPTIONS = {"lightgbm": {"n_estimators": 8, "offset_blocks": 2}}


class Killed(BaseException):
    pass


@dataclass
class Kept:
    """Checkpoints of all stages in memory; the process dies after so many."""

    die_after: int | None = None
    files: dict[int, dict[str, bytes]] = field(default_factory=dict)
    n_saved: int = 0

    def of_stage(self, stage: int) -> Checkpoints:
        return KeptStage(self, stage)


@dataclass
class KeptStage:
    kept: Kept
    stage: int

    def load(self) -> Mapping[str, bytes]:
        return self.kept.files.get(self.stage, {})

    def save(self, files: Mapping[str, bytes], done: int) -> None:
        self.kept.files[self.stage] = dict(files)
        self.kept.n_saved += 1
        if self.kept.n_saved == self.kept.die_after:
            raise Killed


@pytest.fixture(scope="module")
def unit(tiny_city: TinyCity, tmp_path_factory: pytest.TempPathFactory) -> Unit:
    storage = tiny_city.copy_to(tmp_path_factory.mktemp("training") / "shared")
    period = Period(FIRST, tiny_city.plan.training.known_before)
    request = FeatureRequest(storage, tiny_city.area, tiny_city.plan.settings, FIRST, period.stop)
    store_features(InProcess(), [request])
    return Unit(storage, tiny_city.area, 0, period, tiny_city.plan.settings)


@pytest.fixture(scope="module")
def plan(tiny_city: TinyCity) -> TrainingPlan:
    return replace(tiny_city.plan.training, options=OPTIONS)


@pytest.fixture(scope="module")
def wanted(tiny_city: TinyCity, plan: TrainingPlan) -> training.Training:
    """By the rows in memory, without storage or units."""
    inputs = tiny_city.inputs
    block = build_block(inputs, FIRST, plan.known_before, with_counts=False)
    days = [str(day) for day in block.days]
    counts = target_counts(inputs, days, known_before=plan.known_before)
    return training.train(
        partial(make_model, "lightgbm", **OPTIONS["lightgbm"]),
        training.with_counts(block, counts),
        plan.folds,
        counts_known_by=lambda day: target_counts(inputs, days, known_before=day),
        train_stop=plan.train_stop,
        publication_lag_days=inputs.lag_days,
        seed=plan.seed,
    )


def same(found: training.Training, wanted: training.Training) -> None:
    assert found.files == wanted.files
    assert found.fit == wanted.fit
    assert [f.digest for f in found.folds] == [f.digest for f in wanted.folds]
    assert [f.metrics for f in found.folds] == [f.metrics for f in wanted.folds]


def test_a_unit_trains_what_the_rows_in_memory_train(
    unit: Unit, plan: TrainingPlan, wanted: training.Training
) -> None:
    same(train_model(unit, plan, "lightgbm"), wanted)


@pytest.mark.parametrize("die_after", [1, 3])
def test_a_killed_training_goes_on_in_the_stage_it_was_in(
    unit: Unit, plan: TrainingPlan, wanted: training.Training, die_after: int
) -> None:
    """One fold and the last fit, two origins each: four checkpoints."""
    died = Kept(die_after)
    with pytest.raises(Killed):
        train_model(unit, plan, "lightgbm", checkpoints=died)

    going_on = Kept(files=died.files)
    found = train_model(unit, plan, "lightgbm", checkpoints=going_on)

    same(found, wanted)
    assert going_on.n_saved == 4 - die_after
    assert sorted(going_on.files) == [0, 1]


def test_a_stage_is_not_taken_for_another(
    unit: Unit, plan: TrainingPlan, wanted: training.Training
) -> None:
    """Checkpoints of the first fold do not serve the last fit, whose days are others."""
    died = Kept(2)
    with pytest.raises(Killed):
        train_model(unit, plan, "lightgbm", checkpoints=died)

    assert sorted(died.files) == [0]
    assert not died.of_stage(1).load()
    same(train_model(unit, plan, "lightgbm", checkpoints=died_copy(died)), wanted)


def died_copy(kept: Kept) -> Kept:
    return Kept(files={stage: dict(files) for stage, files in kept.files.items()})


def test_it_is_written_down_where_scores_find_it(unit: Unit, plan: TrainingPlan) -> None:
    from htrisk_dagster.scale.training_work import train_and_store

    train_and_store(unit, plan, "historical_mean")

    root = Path(unit.storage.url) / "models" / "tiny" / "trafficking_related" / "2024-03-01"
    names = {p.name for p in (root / "historical_mean").iterdir()}
    assert names == {"card.json", "folds.npz", "historical_mean.npz"}
