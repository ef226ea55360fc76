"""How often a step is tried: again and later where the fault may pass, once where it may not."""

import sqlite3
from datetime import date
from pathlib import Path

import dagster as dg
import pytest
import stamina
import yaml
from htrisk_dagster.definitions import build_definitions
from htrisk_dagster.defs import dagster_home, retries
from htrisk_dagster.defs.failures import reason_of
from htrisk_dagster.defs.retries import MAX_RETRIES, may_pass, passing_faults_retried
from htrisk_dagster.errors import SettingError, SourceError, StorageError, UnreachableError
from htrisk_dagster.faults.small_site import SmallSite, serving
from htrisk_dagster.settings import load_settings


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "FIRST_WAIT_S", 0.0)


def run(faults: list[Exception]) -> tuple[dg.ExecuteInProcessResult, int]:
    """Run a step that fails by each fault in turn and then goes well; the number of its attempts."""
    left = list(faults)
    attempts = 0

    @dg.asset
    def tried(context: dg.AssetExecutionContext) -> None:
        nonlocal attempts
        attempts += 1
        with passing_faults_retried(context):
            if left:
                raise left.pop(0)

    return dg.materialize([tried], raise_on_error=False), attempts


LOCKED = sqlite3.OperationalError("database is locked")
SILENT = UnreachableError("The site was silent. Try later.")


@pytest.mark.parametrize("fault", [SILENT, LOCKED, ConnectionResetError(), TimeoutError()])
def test_a_fault_that_passes_is_tried_again_until_it_has_passed(fault: Exception) -> None:
    result, attempts = run([fault, fault])
    assert (result.success, attempts) == (True, 3)


def test_one_that_stays_is_given_up_with_its_own_sentence() -> None:
    result, attempts = run([SILENT] * 9)
    assert (result.success, attempts) == (False, 1 + MAX_RETRIES)
    assert reason_of(result.all_events) == str(SILENT)


@pytest.mark.parametrize(
    "fault",
    [
        SourceError("a.csv lacks column B."),
        SettingError("Unknown setting C."),
        StorageError("D cannot be written."),
        ValueError("e"),
        sqlite3.OperationalError("no such table: f"),
    ],
)
def test_one_that_does_not_pass_is_not_tried_again(fault: Exception) -> None:
    result, attempts = run([fault])
    assert (result.success, attempts) == (False, 1)


def test_a_sentence_of_ours_decides_over_what_it_comes_from() -> None:
    refused = SourceError("The site refuses.")
    refused.__cause__ = ConnectionError()
    assert not may_pass(refused)
    wrapped = RuntimeError("something failed")
    wrapped.__cause__ = LOCKED
    assert may_pass(wrapped)


def test_waits_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "FIRST_WAIT_S", 0.01)
    result, _ = run([SILENT, SILENT, SILENT])
    waits = [
        event.step_retry_data.seconds_to_wait
        for event in result.all_events
        if event.is_step_up_for_retry
    ]
    assert waits == [0.01, 0.02, 0.04]


def test_a_silent_site_is_asked_again_and_a_missing_file_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real asset: one question an attempt, since the client's own retries are set to one."""
    with (
        serving(SmallSite({}, date(2024, 4, 1), is_silent=True)) as site,
        stamina.set_testing(True, attempts=1),
    ):
        silent = load_settings(origin="api", home=tmp_path, open_data_url=site.url)
        assert _attempts_of_complaints(silent) == 1 + MAX_RETRIES
        assert site.asked == 1 + MAX_RETRIES
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "a.csv").symlink_to("/etc/hostname")
    refused = load_settings(origin="files", data_dir=tmp_path / "files", home=tmp_path)
    assert _attempts_of_complaints(refused) == 1


def _attempts_of_complaints(settings) -> int:
    job = build_definitions(settings, ["nyc"]).resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.execute_in_process(
            instance=instance,
            asset_selection=[dg.AssetKey(["nyc", "raw", "complaints"])],
            tags={"dagster/partition": "2024-03-01"},
            raise_on_error=False,
        )
    assert not result.success
    return sum(event.is_step_start or event.is_step_restarted for event in result.all_events)


def test_a_run_that_crashed_is_started_again_and_one_that_failed_is_not() -> None:
    folder = Path(dagster_home.__file__).parent
    declared = yaml.safe_load((folder / "dagster.yaml").read_text())
    assert declared["run_retries"] == {
        "enabled": True, "max_retries": 1, "retry_on_asset_or_op_failure": False,
    }  # fmt: skip
