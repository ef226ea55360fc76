"""A backup of the city, restored elsewhere, is the city: its checks pass and its files are found."""

from __future__ import annotations

import stat
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.dagster_run import DagsterRun
from htrisk_dagster.defs.backups import back_up, restore
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.errors import SettingError, SourceError
from htrisk_dagster_tests.defs.small_city import City


@pytest.fixture(scope="module")
def restored(city: City, tmp_path_factory: pytest.TempPathFactory) -> City:
    """The city out of its backup; a run was under way when that was made."""
    folder = tmp_path_factory.mktemp("restored")
    archive = folder / "files.tar"
    back_up(city.workspace, archive)
    copy = City(folder / "city")
    copy.folder.mkdir()
    copy.published.symlink_to(city.published, target_is_directory=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DAGSTER_HOME", "")
        restore(copy.workspace, archive, replace=False)
    return copy


def relative_files(settings) -> dict[str, bytes]:
    root = settings.workspace
    return {
        str(p.relative_to(root)): p.read_bytes()
        for layer in ("warehouse", "restricted")
        for p in (root / layer).rglob("*")
        if p.is_file() and p.suffix != ".duckdb"
    }


def test_every_file_of_the_warehouse_is_there_to_the_byte(city: City, restored: City) -> None:
    before, after = relative_files(city.settings), relative_files(restored.settings)

    assert len(before) > 100
    assert before == after
    assert stat.S_IMODE(restored.settings.restricted.stat().st_mode) == 0o700


def test_the_run_history_is_there(city: City, restored: City) -> None:
    with city.instance() as instance:
        before = {run.run_id: run.status for run in instance.get_runs()}
    with restored.instance() as instance:
        assert {run.run_id: run.status for run in instance.get_runs()} == before
    assert len(before) > 10


def test_mlflow_finds_its_models_where_they_are_now(restored: City) -> None:
    import mlflow
    from mlflow import MlflowClient

    mlflow.set_tracking_uri(restored.settings.tracking_uri)
    client = MlflowClient()
    (registered, *_) = client.search_registered_models()
    version = client.search_model_versions(f"name = '{registered.name}'")[0]
    address = client.get_model_version_download_uri(registered.name, version.version)
    where = mlflow.artifacts.download_artifacts(address)

    assert Path(where).is_relative_to(restored.settings.mlflow_store)
    assert any(Path(where).iterdir())


@pytest.mark.slow  # every asset check of the graph, 40 s of CPU
def test_the_restored_state_passes_every_asset_check(restored: City) -> None:
    keys = restored.definitions.resolve_asset_graph().asset_check_keys
    ours = dg.AssetSelection.checks(
        # dbt's tests are run by its own step; series are no part of a day's run.
        *(
            k
            for k in keys
            if k.asset_key.path[0] == "nyc"
            and k.asset_key.path[1] not in ("staging", "marts", "series")
        )
    )
    job = dg.define_asset_job("every_check", ours)
    definitions = dg.Definitions.merge(restored.definitions, dg.Definitions(jobs=[job]))
    with restored.instance() as instance:
        done = definitions.resolve_job_def("every_check").execute_in_process(
            instance=instance, raise_on_error=False
        )
    found = done.get_asset_check_evaluations()

    assert len(found) > 40
    assert [(e.asset_key, e.check_name, e.description) for e in found
            if e.blocking and not e.passed] == []  # fmt: skip


def test_a_workspace_that_is_there_is_moved_aside_only_when_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")
    (tmp_path / "published").mkdir()
    city = City(tmp_path)
    (city.settings.warehouse).mkdir(parents=True)
    (city.settings.warehouse / "a.txt").write_text("old")
    with city.instance() as instance:
        instance.add_run(DagsterRun("job", status=dg.DagsterRunStatus.STARTED))
    archive = tmp_path / "a.tar"
    back_up(city.workspace, archive)
    (city.settings.warehouse / "a.txt").write_text("new")

    with pytest.raises(SettingError, match="Give --replace"):
        restore(city.workspace, archive, replace=False)
    archive_before = archive.read_bytes()
    (tmp_path / "bad.tar").write_bytes(archive_before[:5000])
    with pytest.raises(SourceError, match="Nothing was restored"):
        restore(city.workspace, tmp_path / "bad.tar", replace=True)
    assert (city.settings.warehouse / "a.txt").read_text() == "new"

    files, closed = restore(city.workspace, archive, replace=True)

    assert (city.settings.warehouse / "a.txt").read_text() == "old"
    assert files >= 2
    assert closed == 1, "the run that was under way"
    aside = city.settings.workspace.with_name("files.before-restore")
    assert (aside / "warehouse/a.txt").read_text() == "new"


def test_a_backup_within_the_workspace_is_refused(tmp_path: Path) -> None:
    (tmp_path / "published").mkdir()
    workspace: Workspace = City(tmp_path).workspace
    workspace.settings.workspace.mkdir(parents=True)
    with pytest.raises(SettingError, match="lies within the workspace"):
        back_up(workspace, workspace.settings.workspace / "a.tar")
