"""dbt's tests as Dagster's checks: all pass on the city, each kind fails on a planted fault."""

from __future__ import annotations

import shutil
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from htrisk_dagster.defs import dbt_project
from htrisk_dagster.defs.plan import Step
from htrisk_dagster.defs.runs import StepFailedError
from htrisk_dagster.defs.staged import DBT_TABLES
from htrisk_dagster.schemas import raw
from htrisk_dagster.schemas.table import Table
from htrisk_dagster_tests.defs.small_city import City

KINDS = (
    "unique_together", "not_null", "accepted_values", "within",
    "no_incident_is_lost", "report_not_before_occurrence",
)  # fmt: skip
STAGE = Step("Stage", tuple(f"{t.layer}/{t.name}" for t in DBT_TABLES))


def dbt_checks(city: City) -> list[dg.AssetCheckKey]:
    keys = city.definitions.resolve_asset_graph().asset_check_keys
    built = {("nyc", table.layer, table.name) for table in DBT_TABLES}
    return sorted(k for k in keys if tuple(k.asset_key.path) in built)


def kind_of(check: str) -> str:
    return next(kind for kind in KINDS if check.startswith(kind))


def test_all_pass_on_the_city_and_block(city: City) -> None:
    keys = dbt_checks(city)
    graph = city.definitions.resolve_asset_graph()
    with city.instance() as instance:
        latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)

    assert {kind_of(k.name) for k in keys} == set(KINDS)
    assert set(latest) == set(keys), "every test has told its result"
    for key, record in latest.items():
        assert record.status.value == "SUCCEEDED", key
        assert graph.get_check_spec(key).blocking, key


def test_staged_tables_are_materialised(city: City) -> None:
    with city.instance() as instance:
        for table in DBT_TABLES:
            event = instance.get_latest_materialization_event(
                dg.AssetKey(["nyc", table.layer, table.name])
            )
            assert event is not None, table.full_name


@pytest.mark.slow
def test_faults_fail_their_tests_and_nothing_is_published(
    city_copy: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _plant_raw_faults(city_copy)
    store = city_copy.workspace.tables("nyc")
    before = {table: store.path(table).read_bytes() for table in DBT_TABLES}
    with city_copy.runner() as runner:
        # The SQL is read when the step runs; the definitions are loaded by now.
        runner.definitions.resolve_asset_graph()
        monkeypatch.setattr(dbt_project, "FOLDER", _broken_project(tmp_path / "dbt"))
        with pytest.raises(StepFailedError, match=r"Check \w+ of nyc/staging/incidents: "):
            runner.materialise(STAGE)
        latest = runner.instance.event_log_storage.get_latest_asset_check_execution_by_key(
            dbt_checks(city_copy)
        )
        failed = {key.name for key, record in latest.items() if record.status.value == "FAILED"}
        refused = [t for t in STAGE.assets if runner.refused(t)]

    assert failed == {
        "report_not_before_occurrence",
        "not_null_incidents_incident_id",
        "unique_together_mobility_series__period_on",
        "within_mobility_passengers_count__0",
        "no_incident_is_lost",
        "accepted_values_incidents_origin__reported__discovered",
    }
    assert {kind_of(check) for check in failed} == set(KINDS)
    assert {"staging/incidents", "staging/mobility"} <= set(refused)
    assert before == {table: store.path(table).read_bytes() for table in DBT_TABLES}


def _plant_raw_faults(city: City) -> None:
    store = city.workspace.tables("nyc")

    def change(table: Table, *rows: pl.DataFrame) -> None:
        key = "2024-02-01"
        store.write_unchecked(table, pl.concat([store.read(table, [key]), *rows]), key)

    report = store.read(raw.COMPLAINTS, ["2024-02-01"]).head(1)
    change(
        raw.COMPLAINTS,
        report.with_columns(report_id=pl.lit("early"), occurred_on=pl.date(2024, 2, 29)),
        report.with_columns(report_id=pl.lit(None, pl.String)),
    )
    riders = store.read(raw.TRANSIT_RIDERSHIP, ["2024-02-01"]).head(1)
    change(
        raw.TRANSIT_RIDERSHIP,
        riders,
        riders.with_columns(service=pl.lit("ferry"), riders_count=pl.lit(-1, pl.Int64)),
    )


def _broken_project(folder: Path) -> Path:
    """The dbt project with two mistakes in the SQL of incidents."""
    ignored = shutil.ignore_patterns("target", "logs")
    shutil.copytree(dbt_project.FOLDER, folder, ignore=ignored)
    path = folder / "models" / "staging" / "incidents.sql"
    sql = path.read_text()
    lossy = sql.replace("left join by_code", "join by_code").replace("'discovered'", "'seen'")
    assert lossy.count("'seen'") == 1 and "left join by_code" not in lossy
    path.write_text(lossy)
    return folder
