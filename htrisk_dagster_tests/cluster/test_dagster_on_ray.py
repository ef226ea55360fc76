"""One asset through Dagster's daemon, PostgreSQL and a run that is a Ray job, by `deploy/dagster.yaml`."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from htrisk_dagster_tests.cluster.processes import (
    ROOT,
    LocalCluster,
    descendants,
    environment,
    kill_all,
    postgres,
)

pytestmark = pytest.mark.cluster
BIN = Path(sys.executable).parent
LAUNCH = """
mutation($params: ExecutionParams!) { launchPipelineExecution(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message stack } } }
"""
# The state of a run and what was said of it, read from PostgreSQL by a process of its own.
STATE = """
import json, sys, dagster as dg
with dg.DagsterInstance.get() as instance:
    run = instance.get_run_by_id(sys.argv[1])
    events = [r.event_log_entry.user_message or r.event_log_entry.message
              for r in instance.get_records_for_run(sys.argv[1]).records]
    print(json.dumps([run.status.value, type(instance.run_launcher).__name__,
                      type(instance.event_log_storage).__name__, events]))
"""


@contextmanager
def daemon(env: dict[str, str], log: Path) -> Iterator[None]:
    with log.open("wb") as out:
        process = subprocess.Popen(
            [BIN / "dagster-daemon", "run", "-w", str(ROOT / "workspace.yaml")],
            cwd=ROOT, env=env, stdout=out, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        yield
    finally:
        kill_all(descendants(process.pid))
        process.wait()


def told(command: list[str | Path], env: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    # The code server says good-bye on the same stream.
    return next(line for line in done.stdout.splitlines() if line.startswith(("{", "[")))


def test_an_asset_is_made_by_a_run_on_the_cluster(cluster: LocalCluster, tmp_path: Path) -> None:
    home = tmp_path / "dagster_home"
    home.mkdir()
    shutil.copy(ROOT / "deploy" / "dagster.yaml", home / "dagster.yaml")
    with postgres(tmp_path / "postgres") as url:
        env = environment(
            DAGSTER_HOME=str(home),
            DAGSTER_POSTGRES_URL=url,
            DAGSTER_SHARED_DIR=str(tmp_path / "shared"),
            RAY_DASHBOARD_ADDRESS=cluster.dashboard,
            HTRISK_HOME=str(tmp_path / "htrisk"),
            HTRISK_PRESET="tiny",
            HTRISK_MLFLOW_TRACKING_URI=f"sqlite:///{tmp_path}/mlflow.db",
        )
        with daemon(env, tmp_path / "daemon.log"):
            run_id = _launch(["nyc", "raw", "boroughs"], env)
            status, launcher, storage, events = _wait(run_id, env)

    said = "\n".join(str(e) for e in events)
    assert status == "SUCCESS", said + (tmp_path / "daemon.log").read_text()[-3000:]
    assert launcher == "RayRunLauncher"
    assert storage == "PostgresEventLogStorage"
    assert f"dagster-run-{run_id}" in _jobs(cluster)
    made = tmp_path / "htrisk" / "synthetic" / "warehouse" / "raw" / "boroughs" / "area=nyc"
    assert [p.name for p in made.glob("*.parquet")] == ["all.parquet"]


def _launch(key: list[str], env: dict[str, str]) -> str:
    params = {
        "selector": {
            "repositoryLocationName": "htrisk_dagster",
            "repositoryName": "__repository__",
            "pipelineName": "__ASSET_JOB",
            "assetSelection": [{"path": key}],
            "assetCheckSelection": [],
        },
        "mode": "default",
        "runConfigData": {},
    }
    answer = json.loads(
        told(
            [BIN / "dagster-graphql", "-w", str(ROOT / "workspace.yaml"), "-t", LAUNCH,
             "-v", json.dumps({"params": params})],
            env,
        )
    )  # fmt: skip
    launched = answer["data"]["launchPipelineExecution"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    return str(launched["run"]["runId"])


def _wait(run_id: str, env: dict[str, str]) -> tuple[str, str, str, list[str]]:
    deadline = time.monotonic() + 240
    while True:
        found = json.loads(told([sys.executable, "-c", STATE, run_id], env))
        if found[0] in ("SUCCESS", "FAILURE", "CANCELED") or time.monotonic() > deadline:
            return tuple(found)
        time.sleep(3)


def _jobs(cluster: LocalCluster) -> str:
    import urllib.request

    with urllib.request.urlopen(f"{cluster.dashboard}/api/jobs/", timeout=30) as answer:
        return answer.read().decode()
