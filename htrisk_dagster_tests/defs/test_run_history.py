"""The run history holds what Dagster's own storage would hold, and follows a workspace that moves."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from htrisk_dagster.defs.dagster_home import EVENTS_AT_ONCE, prepare_dagster_home
from htrisk_dagster.defs.run_history import KEPT_ENGINES, BatchedEventLog

DAYS = dg.DailyPartitionsDefinition("2024-12-01", end_date="2025-01-01")
RANGE = {
    "dagster/asset_partition_range_start": "2024-12-01",
    "dagster/asset_partition_range_end": "2024-12-05",
}


def _job() -> Any:
    policy = dg.BackfillPolicy.single_run()

    @dg.asset(partitions_def=DAYS, backfill_policy=policy, code_version="1", tags={"of": "test"})
    def features() -> Any:
        return dg.MaterializeResult(metadata={"rows": 3})

    @dg.asset(partitions_def=DAYS, backfill_policy=policy, deps=[features])
    def risk() -> Any:
        return dg.MaterializeResult(metadata={"rows": 2}, data_version=dg.DataVersion("x"))

    @dg.asset_check(asset=risk)
    def sums() -> Any:
        return dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.WARN)

    definitions = dg.Definitions([features, risk], asset_checks=[sums])
    return definitions.resolve_implicit_global_asset_job_def()


def _materialise(home: Path, tags: dict[str, str]) -> str:
    with dg.DagsterInstance.from_config(str(home)) as instance:
        result = _job().execute_in_process(instance=instance, tags=tags)
        assert result.success
        return str(result.run_id)


def _rows(home: Path, run_id: str) -> dict[str, list[tuple[Any, ...]]]:
    """What the two files of a run say, without its times and numbers."""
    folder = home / "history" / "runs"
    events = "select dagster_event_type, step_key, asset_key, partition from event_logs order by "
    found = {}
    with closing(sqlite3.connect(folder / f"{run_id}.db")) as one:
        # The order of what is planned is another (each asset's days at once), and that of no meaning.
        found["run"] = sorted(one.execute(events + "id").fetchall(), key=str)
    with closing(sqlite3.connect(folder / "index.db")) as index:
        found["index"] = sorted(index.execute(events + "id").fetchall(), key=str)
        found["tags"] = sorted(
            index.execute("select asset_key, key from asset_event_tags").fetchall()
        )
        found["checks"] = index.execute(
            "select asset_key, check_name, execution_status, partition from asset_check_executions"
        ).fetchall()
        found["assets"] = index.execute(
            "select asset_key, last_run_id = ?, last_materialization ->> '$.storage_id' = ("
            "  select max(id) from event_logs as l where l.asset_key = k.asset_key"
            "  and dagster_event_type = 'ASSET_MATERIALIZATION') from asset_keys as k order by 1",
            [run_id],
        ).fetchall()
    return found


@pytest.fixture
def homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Folder with the project's instance, and one with Dagster's own."""
    monkeypatch.setenv("DAGSTER_HOME", "")
    for name in EVENTS_AT_ONCE:
        monkeypatch.setenv(name, "0")
    ours, usual = tmp_path / "ours", tmp_path / "usual"
    prepare_dagster_home(ours)
    usual.mkdir()
    (usual / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    return ours, usual


@pytest.mark.parametrize("tags", [RANGE, {"dagster/partition": "2024-12-01"}], ids=["range", "day"])
def test_it_holds_what_dagsters_own_storage_holds(
    homes: tuple[Path, Path], tags: dict[str, str]
) -> None:
    ours, usual = (_rows(home, _materialise(home, tags)) for home in homes)
    assert ours == usual
    assert [newest for _, of_run, newest in ours["assets"] if of_run] == [1, 1]


def test_a_range_is_one_transaction_an_asset_and_file(
    homes: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    stored: list[int] = []
    batch = BatchedEventLog.store_event_batch
    monkeypatch.setattr(
        BatchedEventLog,
        "store_event_batch",
        lambda log, events: (stored.append(len(events)), batch(log, events))[1],
    )
    _materialise(homes[0], RANGE)
    # 5 days of 2 assets and a check are planned together; then each asset has its 5 days.
    assert stored == [11, 5, 5]


def test_dagsters_own_storage_reads_it_and_goes_on(homes: tuple[Path, Path]) -> None:
    ours, usual = homes
    _materialise(ours, RANGE)
    shutil.copytree(ours / "history", usual / "history")
    _materialise(usual, {"dagster/partition": "2024-12-06"})
    with dg.DagsterInstance.from_config(str(usual)) as instance:
        assert type(instance) is dg.DagsterInstance
        assert len(instance.get_materialized_partitions(dg.AssetKey("risk"))) == 6


def test_a_copied_folder_keeps_a_history_of_its_own(
    homes: tuple[Path, Path], tmp_path: Path
) -> None:
    ours, _ = homes
    _materialise(ours, RANGE)
    copy = Path(shutil.copytree(ours, tmp_path / "copy"))
    _materialise(copy, {"dagster/partition": "2024-12-06"})
    for home, n in ((ours, 5), (copy, 6)):
        with dg.DagsterInstance.from_config(str(home)) as instance:
            assert len(instance.get_materialized_partitions(dg.AssetKey("risk"))) == n


def test_what_is_wiped_is_made_again_and_engines_are_few(homes: tuple[Path, Path]) -> None:
    _materialise(homes[0], RANGE)
    with dg.DagsterInstance.from_config(str(homes[0])) as instance:
        log = instance.event_log_storage
        assert isinstance(log, BatchedEventLog)
        for i in range(KEPT_ENGINES + 3):
            with log.run_connection(f"run-{i}"):
                pass
        assert len(log._engines) == KEPT_ENGINES
        instance.wipe()
        assert not instance.get_materialized_partitions(dg.AssetKey("risk"))
        assert log.get_records_for_run("run-0").records == []
