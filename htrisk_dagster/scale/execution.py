"""Where units of work are done: in this process, or on a cluster where one is named.

Belongs here: what an execution promises, the one in process, and the choice. Does not: the work
(`feature_work` and the modules beside it), Ray (`ray_execution`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from htrisk_dagster.scale.unit import Job, UnitReport

# A quarter of 3,600 cells and 112 features is 150 MB.
_STRETCH_DAYS = 92


class Execution(Protocol):
    """Does jobs and gives their reports in the order of the jobs."""

    @property
    def n_tiles(self) -> int:
        """Tiles a grid is best cut into here; no byte of what is written depends on it."""
        ...

    @property
    def period_days(self) -> int:
        """Days a period best has here; no byte of what is written depends on it."""
        ...

    def run(self, jobs: Sequence[Job]) -> list[UnitReport]:
        """Do all jobs, in any order; raise the error of the first that cannot be done."""
        ...


@dataclass(frozen=True)
class InProcess:
    """One job after the other, in this process."""

    n_tiles: int = 1
    period_days: int = _STRETCH_DAYS

    def run(self, jobs: Sequence[Job]) -> list[UnitReport]:
        """Do each job."""
        return [job.do() for job in jobs]


def execution_at(address: str | None, *, n_tiles: int = 1, period_days: int = 28) -> Execution:
    """The execution of a cluster's address; in process without one.

    Parameters
    ----------
    address : str, optional
        As Ray takes it, such as `10.0.0.5:6379`, or `auto` on a machine of the cluster.
    n_tiles, period_days : int
        How work is cut on a cluster.
    """
    if not address:
        return InProcess()
    from htrisk_dagster.scale.ray_execution import RayExecution

    return RayExecution(address, n_tiles=n_tiles, period_days=period_days)
