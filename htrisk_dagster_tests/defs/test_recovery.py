"""What the dead hold is given back at the next start, and what the living hold is not."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.dagster_run import DagsterRun
from htrisk_dagster.defs import mlflow_runs
from htrisk_dagster.defs.dagster_home import prepare_dagster_home
from htrisk_dagster.defs.dead_runs import (
    close_dead_runs,
    left_undone,
    under_way,
    workspace_of_runs,
)
from htrisk_dagster.defs.mlflow_tracking import MlflowTracking
from htrisk_dagster.defs.recovery import recover
from htrisk_dagster.defs.runs import Runner
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.settings import Settings
from htrisk_dagster.warehouse.leftovers import beside

KEY = dg.AssetKey(["nyc", "models", "lstm"])
DAYS = ("2024-04-01", "2024-04-02", "2024-04-03")

# Dies in the middle of an asset of a pool, its file written, as `htrisk run` would.
KILLED_RUN = """
import os, signal, sys
from pathlib import Path
import dagster as dg
from htrisk_dagster.defs.dead_runs import workspace_of_runs
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.settings import Settings

days = dg.DailyPartitionsDefinition(start_date="2024-04-01")

KEY = ["nyc", "models", "lstm"]
policy = dg.BackfillPolicy.single_run()

@dg.asset(key=KEY, pool="htrisk_training", partitions_def=days, backfill_policy=policy)
def trained(workspace: dg.ResourceParam[Workspace]):
    os.kill(os.getpid(), signal.SIGKILL)

workspace = Workspace(Settings(_env_file=None, home=Path(sys.argv[1])))
defs = dg.Definitions([trained], resources={"workspace": workspace_of_runs(workspace)})
starts, ends = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
range_ = {starts: "2024-04-01", ends: "2024-04-02"}
with dg.DagsterInstance.from_config(str(workspace.settings.dagster_home)) as instance:
    job = defs.resolve_implicit_global_asset_job_def()
    job.execute_in_process(instance=instance, asset_selection=[dg.AssetKey(KEY)], tags=range_)
"""


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.setenv("DAGSTER_HOME", "")
    found = Workspace(Settings(home=tmp_path / "home"))
    prepare_dagster_home(found.settings.dagster_home)
    return found


@pytest.fixture
def instance(workspace: Workspace) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(workspace.settings.dagster_home)) as opened:
        yield opened


def trained(workspace: Workspace, *, fails: bool = False) -> dg.Definitions:
    days = dg.DailyPartitionsDefinition(start_date=DAYS[0])
    policy = dg.BackfillPolicy.single_run()

    @dg.asset(key=KEY, pool="htrisk_training", partitions_def=days, backfill_policy=policy)
    def asset(workspace: dg.ResourceParam[Workspace]) -> None:
        if fails:
            raise ValueError("bad data")

    return dg.Definitions([asset], resources={"workspace": workspace_of_runs(workspace)})


def run(definitions: dg.Definitions, instance: dg.DagsterInstance, *days: str) -> bool:
    tags = {"dagster/asset_partition_range_start": days[0],
            "dagster/asset_partition_range_end": days[-1]}  # fmt: skip
    job = definitions.resolve_implicit_global_asset_job_def()
    done = job.execute_in_process(
        instance=instance, asset_selection=[KEY], tags=tags, raise_on_error=False
    )
    return done.success


def claimed(instance: dg.DagsterInstance) -> int:
    return len(instance.event_log_storage.get_concurrency_info("htrisk_training").claimed_slots)


def test_a_killed_trainings_slot_is_free_at_the_next_start_and_its_days_are_made_again(
    workspace: Workspace, instance: dg.DagsterInstance
) -> None:
    home = str(workspace.settings.home)
    done = subprocess.run([sys.executable, "-c", KILLED_RUN, home], check=False)
    assert done.returncode == -signal.SIGKILL
    (dead,) = instance.get_runs()
    assert dead.status is dg.DagsterRunStatus.STARTED
    assert claimed(instance) == 1

    recovered = recover(workspace, instance)

    assert (recovered.runs, claimed(instance)) == (1, 0)
    assert "1 runs of Dagster" in recovered.sentence
    assert left_undone(instance) == {KEY: frozenset({"2024-04-01", "2024-04-02"})}
    # The plan asks the runner what does not count, whatever lies there.
    runner = Runner(trained(workspace), instance, workspace.area("nyc"))
    assert runner.refused("models/lstm") == {"2024-04-01", "2024-04-02"}
    assert recover(workspace, instance).sentence == ""

    assert run(trained(workspace), instance, "2024-04-01")
    assert left_undone(instance) == {KEY: frozenset({"2024-04-02"})}
    assert run(trained(workspace), instance, "2024-04-02", "2024-04-03")
    assert left_undone(instance) == {}


def test_a_run_that_goes_on_keeps_its_slot(
    workspace: Workspace, instance: dg.DagsterInstance
) -> None:
    run_ = instance.add_run(DagsterRun("job", status=dg.DagsterRunStatus.STARTED))
    instance.event_log_storage.initialize_concurrency_limit_to_default("htrisk_training")
    instance.event_log_storage.claim_concurrency_slot("htrisk_training", run_.run_id, "step")
    with under_way(workspace.settings.dagster_home, run_.run_id):
        assert recover(workspace, instance, patience_s=0.0).runs == 0
        assert claimed(instance) == 1
    # Nobody shows himself: it may be starting, and is waited for.
    assert recover(workspace, instance).runs == 0
    assert recover(workspace, instance, patience_s=0.0).runs == 1
    assert claimed(instance) == 0


def test_a_run_that_a_cluster_has_placed_is_left_to_the_cluster(
    workspace: Workspace, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = instance.add_run(DagsterRun("job", status=dg.DagsterRunStatus.STARTED))
    with monkeypatch.context() as patch:
        patch.setattr(type(instance), "run_launcher", property(lambda self: object()))
        assert recover(workspace, instance, patience_s=0.0).runs == 0
    # With Dagster's own launcher it could only live here, and nobody here is it.
    assert recover(workspace, instance, patience_s=0.0).runs == 1
    assert instance.get_run_by_id(elsewhere.run_id).is_finished


def test_a_run_that_failed_by_itself_leaves_nothing_undone(
    workspace: Workspace, instance: dg.DagsterInstance
) -> None:
    assert not run(trained(workspace, fails=True), instance, *DAYS[:2])

    assert left_undone(instance) == {}
    assert close_dead_runs(instance, workspace.settings.dagster_home, patience_s=0.0) == []


def test_half_written_files_are_swept_and_told(
    workspace: Workspace, instance: dg.DagsterInstance
) -> None:
    left = beside(workspace.settings.warehouse / "raw" / "all.parquet")
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")

    assert recover(workspace, instance).files == 1
    assert not left.exists()


def test_mlflows_run_of_a_dead_process_is_closed_and_a_living_ones_is_not(tmp_path: Path) -> None:
    import mlflow

    before = mlflow.get_tracking_uri()
    store = tmp_path / "mlflow"
    tracking = MlflowTracking(f"sqlite:///{store / 'mlflow.db'}", store)
    tracking.prepare()
    made = (store / "mlflow.db").stat().st_ino
    client = mlflow.MlflowClient()
    # As a killed process leaves them: a run that is open, a name that nobody holds.
    dead = client.create_run("0", tags={mlflow_runs.HOLDER: "dead"}).info.run_id
    others = client.create_run("0", tags={mlflow_runs.HOLDER: "of another machine"}).info.run_id
    (store / "under_way").mkdir()
    (store / "under_way" / "dead").touch()
    try:
        with mlflow_runs.opened_run(store, run_name="living") as run:
            living = run.info.run_id
            assert tracking.close_dead_runs() == [dead]
            status = {r: client.get_run(r).info.status for r in (dead, living, others)}
            assert status == {dead: "KILLED", living: "RUNNING", others: "RUNNING"}
        assert client.get_run(living).info.status == "FINISHED"
        assert tracking.close_dead_runs() == []
    finally:
        mlflow.set_tracking_uri(before)

    # The database was moved into its place whole, and stays.
    mlflow_runs.make_database(tracking.uri, store)
    assert (store / "mlflow.db").stat().st_ino == made
    assert {p.name for p in store.iterdir()} == {"mlflow.db", "under_way"}


def test_a_trackings_server_makes_its_own_database(tmp_path: Path) -> None:
    mlflow_runs.make_database("http://127.0.0.1:5000", tmp_path / "store")
    assert not (tmp_path / "store").exists()
