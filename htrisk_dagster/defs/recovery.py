"""What a start finds of processes that were killed, put in order.

Belongs here: the order, and what is said of it. Does not: how each is mended (`dead_runs.py`,
`mlflow_runs.py`, `warehouse/leftovers`).

`htrisk run` and `htrisk ui` do this first; another process may be at work in the workspace meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass

import dagster as dg

from htrisk_dagster.defs import dead_runs
from htrisk_dagster.defs.dagster_home import prepare_dagster_home
from htrisk_dagster.defs.mlflow_tracking import MlflowTracking
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.warehouse.leftovers import sweep


@dataclass(frozen=True)
class Recovered:
    """What was put in order.

    Parameters
    ----------
    files : int
        Half-written files and folders that were removed.
    runs, mlflow_runs : int
        Runs of Dagster and of MLflow that were closed.
    """

    files: int
    runs: int
    mlflow_runs: int

    @property
    def sentence(self) -> str:
        """What a person is told; empty where nothing was found."""
        if not (self.files or self.runs or self.mlflow_runs):
            return ""
        return (
            f"A process was killed before: {self.files} half-written files removed, {self.runs} runs of "
            f"Dagster and {self.mlflow_runs} of MLflow closed. What they left is made again."
        )


def recovered(workspace: Workspace) -> Recovered:
    """Prepare the workspace's Dagster home, and put in order what was killed before."""
    prepare_dagster_home(workspace.settings.dagster_home)
    with dg.DagsterInstance.get() as instance:
        return recover(workspace, instance)


def recover(
    workspace: Workspace,
    instance: dg.DagsterInstance,
    *,
    patience_s: float = dead_runs.PATIENCE_S,
) -> Recovered:
    """Close what killed processes left open and remove what they left half-written.

    Parameters
    ----------
    patience_s : float
        For how long a run is believed to be starting whose process has not shown itself.
    """
    settings = workspace.settings
    closed = dead_runs.close_dead_runs(instance, settings.dagster_home, patience_s=patience_s)
    in_mlflow = MlflowTracking(settings.tracking_uri, settings.mlflow_store).close_dead_runs()
    swept = sweep(settings.workspace, skip=(settings.dagster_home.name, "artifacts", "dbt"))
    swept += sweep(settings.home, below=False)
    return Recovered(len(swept), len(closed), len(in_mlflow))
