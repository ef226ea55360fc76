"""LightGBM and the LSTM through Ray Train: the embedded bytes, also where a worker is killed on the way."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from htrisk_dagster.evaluation.training import Training
from htrisk_dagster.scale.execution import InProcess
from htrisk_dagster.scale.feature_work import FeatureRequest, store_features
from htrisk_dagster.scale.ray_training import train_on_cluster
from htrisk_dagster.scale.training_work import TrainingPlan, train_model
from htrisk_dagster.scale.unit import Period, Unit
from htrisk_dagster_tests.cluster.conftest import SmallCity
from htrisk_dagster_tests.cluster.processes import LocalCluster, descendants, kill_all

pytestmark = pytest.mark.cluster
OPTIONS = {
    "lightgbm": {"n_estimators": 20, "offset_blocks": 2, "zeros_per_incident": 2.0},
    "lstm": {"epochs": 6, "patience": 6, "hidden": 8, "most_zeros": 30_000, "offset_blocks": 2},
}


@pytest.fixture(scope="module")
def unit(small_city: SmallCity, tmp_path_factory: pytest.TempPathFactory) -> Unit:
    plan = small_city.plan
    storage = small_city.copy_rows(tmp_path_factory.mktemp("training") / "shared")
    period = Period(plan.settings.history_start, plan.training.known_before)
    request = FeatureRequest(storage, plan.area, plan.settings, period.start, plan.training.month)
    store_features(InProcess(), [request])
    return Unit(storage, plan.area, 0, period, plan.settings)


@pytest.fixture(scope="module")
def training_plan(small_city: SmallCity) -> TrainingPlan:
    return replace(small_city.plan.training, options=OPTIONS)


def same(found: Training, wanted: Training) -> None:
    """Model, curves, folds and seals to the bit."""
    assert found.files == wanted.files
    assert found.fit == wanted.fit
    assert [f.digest for f in found.folds] == [f.digest for f in wanted.folds]
    assert found.dispersion == wanted.dispersion


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_one_worker_gives_the_embedded_bytes(
    unit: Unit, training_plan: TrainingPlan, cluster: LocalCluster, name: str
) -> None:
    wanted = train_model(unit, training_plan, name)

    found = train_on_cluster(cluster.address, unit, training_plan, name, made_from="first")

    same(found, wanted)


def test_a_killed_worker_goes_on_from_its_checkpoint(
    unit: Unit, training_plan: TrainingPlan, cluster: LocalCluster
) -> None:
    wanted = train_model(unit, training_plan, "lstm")
    root = Path(unit.storage.url) / "training"
    killed: list[tuple[str, list[int]]] = []

    def kill_after_a_checkpoint() -> None:
        while not (found := sorted(root.glob("*lstm-killed/checkpoint_*"))):
            time.sleep(0.02)
        workers = [pid for node in cluster.nodes[1:] for pid in train_workers(node.pid)]
        kill_all(workers)
        killed.append((found[-1].name, workers))

    killer = threading.Thread(target=kill_after_a_checkpoint)
    killer.start()
    found = train_on_cluster(cluster.address, unit, training_plan, "lstm", made_from="killed")
    killer.join()

    assert len(killed[0][1]) == 1
    same(found, wanted)


def train_workers(node: int) -> list[int]:
    """Processes of a node that train."""
    found = []
    for pid in descendants(node):
        try:
            title = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if b"TrainWorker" in title:
            found.append(pid)
    return found
