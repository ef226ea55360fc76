"""Training through Ray Train: a worker that is lost is started again and goes on from its checkpoint.

Belongs here: all that knows Ray of training. Does not: what is trained (`training_work`), what a
checkpoint holds (`models`).

One worker trains one model: networks and trees here are small, a fit takes minutes on a core, and sums of
gradients over workers would depend on their number. What is spread over machines are models, months and
cities. So one worker gives the very bytes of the embedded training.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from htrisk_dagster.errors import HtriskError
from htrisk_dagster.evaluation.training import Training
from htrisk_dagster.models.checkpoints import Checkpoints
from htrisk_dagster.scale.ray_execution import ONE_THREAD, connected
from htrisk_dagster.scale.training_work import TrainingPlan, train_model
from htrisk_dagster.scale.unit import Unit

_MAX_FAILURES = 3


class TrainingLostError(HtriskError):
    """A training's worker was lost more often than is tried."""


def train_on_cluster(
    address: str, unit: Unit, plan: TrainingPlan, name: str, *, made_from: str
) -> Training:
    """Train one model on a Ray cluster, whatever machines are lost on the way.

    Parameters
    ----------
    address : str
        Of the cluster, as `ray.init` takes it.
    unit, plan, name
        As in `training_work.train_model`.
    made_from : str
        Fingerprint of what the training depends on: a run that was interrupted, this process included, goes
        on from the checkpoints of the same fingerprint and of no other.

    Raises
    ------
    TrainingLostError
        Where the worker was lost four times.
    """
    connected(address)
    from ray.train import CheckpointConfig, FailureConfig, RunConfig, ScalingConfig
    from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer
    from ray.train.v2.api.exceptions import ControllerError, WorkerGroupError

    run = f"{unit.area.name}-{unit.settings.target_name}-{plan.month}-{name}-{made_from}"
    trainer = DataParallelTrainer(
        _train,
        train_loop_config={"unit": unit, "plan": plan, "name": name},
        scaling_config=ScalingConfig(num_workers=1, resources_per_worker={"CPU": 1}),
        run_config=RunConfig(
            name=run,
            storage_path=f"{unit.storage.url.rstrip('/')}/training",
            failure_config=FailureConfig(max_failures=_MAX_FAILURES),
            checkpoint_config=CheckpointConfig(num_to_keep=1),
            worker_runtime_env={"env_vars": ONE_THREAD},
        ),
    )
    logging.getLogger("ray.train").setLevel(logging.WARNING)
    try:
        trained: Training = trainer.fit().return_value
    except (WorkerGroupError, ControllerError) as error:
        raise TrainingLostError(
            f"Training of {name} for {unit.area.name}, {plan.month}, was given up: {error}. Its "
            f"checkpoints are in {unit.storage.url}/training/{run}; the same command goes on from them."
        ) from error
    # What would only be read by a training of the same fingerprint, which has just ended.
    unit.storage.delete_below(f"training/{run}")
    return trained


def _train(config: Mapping[str, Any]) -> Training:
    """What the worker runs: the embedded training, with checkpoints that Ray Train keeps."""
    checkpoints = _KeptByRay(_newest())
    return train_model(config["unit"], config["plan"], config["name"], checkpoints=checkpoints)


def _newest() -> dict[str, bytes]:
    """Files of the newest checkpoint, as `<stage>/<name>`; empty at the first start."""
    from ray.train import get_checkpoint

    checkpoint = get_checkpoint()
    if checkpoint is None:
        return {}
    with checkpoint.as_directory() as folder:
        root = Path(folder)
        return {
            p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()
        }


class _KeptByRay:
    """Checkpoints of all stages in one folder, which Ray Train uploads and gives back."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files

    def of_stage(self, stage: int) -> Checkpoints:
        return _Stage(self, stage)

    def replace(self, stage: int, files: Mapping[str, bytes], done: int) -> None:
        from ray.train import Checkpoint, report

        others = {n: c for n, c in self.files.items() if not n.startswith(f"{stage}/")}
        self.files = others | {f"{stage}/{name}": content for name, content in files.items()}
        with tempfile.TemporaryDirectory(prefix="htrisk-checkpoint-") as folder:
            for name, content in self.files.items():
                path = Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            report({"stage": stage, "done": done}, checkpoint=Checkpoint.from_directory(folder))


@dataclass
class _Stage:
    """Those of one fit."""

    kept: _KeptByRay
    stage: int

    def load(self) -> Mapping[str, bytes]:
        start = f"{self.stage}/"
        files = self.kept.files
        return {n.removeprefix(start): c for n, c in files.items() if n.startswith(start)}

    def save(self, files: Mapping[str, bytes], done: int) -> None:
        self.kept.replace(self.stage, files, done)
