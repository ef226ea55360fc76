"""Units of work as Ray tasks: at most so many under way, those of a lost machine done again.

Belongs here: all that knows Ray of running tasks. Does not: training with checkpoints (`ray_training`).

Ray's own retries are off: what is done again is then counted here, and a fault of the work itself, which
would fail on any machine, is told at once and never tried twice.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from htrisk_dagster.errors import HtriskError, SettingError
from htrisk_dagster.scale.unit import Job, UnitReport

_LOG = logging.getLogger(__name__)
# Sums of floating-point numbers depend on the number of threads; each task has one core anyway.
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS"), "1"
)


class UnitLostError(HtriskError):
    """A job's machine was lost more often than is tried."""


@dataclass
class RayExecution:
    """Does jobs on a Ray cluster; this process holds no CPU of it while it waits.

    Parameters
    ----------
    address : str
        As `ray.init` takes it.
    n_tiles, period_days : int
        See `Execution`.
    attempts : int
        Times a job is started at most.
    cpus_per_job : float
        What Ray sets aside for one.
    most_in_flight : int
        Jobs handed to Ray at once, so that a long list does not fill the driver's memory.
    """

    address: str
    n_tiles: int = 1
    period_days: int = 28
    attempts: int = 4
    cpus_per_job: float = 1.0
    most_in_flight: int = 256
    n_lost: int = field(init=False, default=0)
    """Jobs whose machine or process was lost, and that were started again."""

    def run(self, jobs: Sequence[Job]) -> list[UnitReport]:
        """Do all jobs, whatever machines are lost on the way.

        Raises
        ------
        SettingError
            Where Ray is not installed, or no cluster answers at the address.
        UnitLostError
            Where the machine of one job was lost `attempts` times.
        """
        ray = connected(self.address)
        do = ray.remote(Job.do).options(
            num_cpus=self.cpus_per_job,
            max_retries=0,
            runtime_env={"env_vars": ONE_THREAD},
            scheduling_strategy="SPREAD",
        )
        lost = (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError,
                ray.exceptions.ObjectLostError, ray.exceptions.OutOfMemoryError,
                ray.exceptions.LocalRayletDiedError)  # fmt: skip
        done: dict[int, UnitReport] = {}
        waiting = list(enumerate(jobs))[::-1]
        tries = dict.fromkeys(range(len(jobs)), 0)
        under_way: dict[Any, int] = {}
        while waiting or under_way:
            while waiting and len(under_way) < self.most_in_flight:
                number, job = waiting.pop()
                tries[number] += 1
                under_way[do.remote(job)] = number
            (ready, *_), _ = ray.wait(list(under_way), num_returns=1)
            number = under_way.pop(ready)
            try:
                done[number] = ray.get(ready)
            except lost as error:
                self.n_lost += 1
                _LOG.warning("Lost, and started again: %s (%s)", jobs[number].name, error)
                if tries[number] >= self.attempts:
                    raise UnitLostError(
                        f"{jobs[number].name}: the machine was lost {tries[number]} times. See the nodes' "
                        "memory and logs in the cluster's dashboard, then run the same command again."
                    ) from error
                waiting.append((number, jobs[number]))
            except ray.exceptions.RayTaskError as error:
                raise error.cause from error
        return [done[number] for number in range(len(jobs))]


def connected(address: str) -> Any:
    """Ray, connected to the cluster at an address; what is connected there already stays so.

    Raises
    ------
    SettingError
        Where Ray is not installed, or no cluster answers.
    """
    try:
        import ray
    except ImportError as error:
        raise SettingError(
            "A cluster is named and Ray is not installed. Install htrisk-dagster[cluster], or name no "
            "cluster."
        ) from error
    if not ray.is_initialized():
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.WARNING)
        except (ConnectionError, TimeoutError, RuntimeError, ValueError) as error:
            raise SettingError(
                f"No Ray cluster answers at {address} ({str(error).splitlines()[0]}). Start one "
                "with `ray start --head`, or name no cluster."
            ) from error
    return ray
