"""Police agencies through Dagster: an invented delivery, its tables, its checks and its runs in MLflow."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
import pytest
from htrisk_dagster.defs import agency_checks, agency_jobs, agency_results
from htrisk_dagster.defs.assets import agencies as assets
from htrisk_dagster.defs.mlflow_tracking import MlflowTracking
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.errors import MissingPartitionError, SettingError
from htrisk_dagster.models import offence_mix, volume_forecast
from htrisk_dagster.schemas import agencies as tables
from htrisk_dagster.schemas import nibrs, raw
from htrisk_dagster.settings import load_settings
from htrisk_dagster.study_areas.area import AgenciesPart, load_area
from htrisk_dagster_tests.sources.nibrs_deliveries import AGENCIES, MERGED, agency, merged
from htrisk_dagster_tests.sources.published_files import write_file

AREA = load_area("nyc").model_copy(
    update={"name": "elsewhere", "title": "Elsewhere", "agencies": AgenciesPart(state="CT")}
)
N_DAYS = 210


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace whose folder holds a delivery of two towns and seven months."""
    data = tmp_path_factory.mktemp("delivery")
    rng, rows = np.random.default_rng(4), []
    for i in range(N_DAYS):
        day = date(2022, 1, 1) + timedelta(days=i)
        for town, level in ((1, 3.0), (2, 1.0)):
            # An hour of its own for each, since an hour and a place are one incident.
            hours = rng.choice(24, min(rng.poisson(level), 24), replace=False)
            rows += [
                merged(str(day), hour, agency_location=town, offense_category_name=category,
                       location_area="Bank" if category == "Forgery" else "Street")
                for hour in sorted(hours)
                for category in ["Forgery" if 8 < hour < 18 and rng.random() < 0.8 else "Drugs"]
            ]  # fmt: skip
    write_file(data / "merged.csv", MERGED, *rows, merged("2022-02-30"))
    write_file(
        data / "agencies.csv", AGENCIES, agency(1, 2022), agency(2, 2022), agency(2, 2023, male_officer=30),
        agency(3, 2022, state_abbr="NY"),
    )  # fmt: skip
    home = tmp_path_factory.mktemp("home")
    return Workspace(load_settings(origin="files", data_dir=data, home=home, profile="smoke"))


@pytest.fixture(scope="module")
def tracking(workspace: Workspace) -> MlflowTracking:
    return MlflowTracking(workspace.settings.tracking_uri, workspace.settings.mlflow_store)


@pytest.fixture(scope="module")
def read(workspace: Workspace, tracking: MlflowTracking) -> dg.ExecuteInProcessResult:
    """Deliveries and what is counted from them: no model, no MLflow."""
    made = [
        *assets.build(AREA)[:2],
        *checks_of(nibrs.TABLES),
        *checks_of((tables.STAFFING, tables.YEARLY_RATES)),
    ]
    return dg.materialize(made, resources={"workspace": workspace, "tracking": tracking})


@pytest.fixture(scope="module")
def learnt(
    read: dg.ExecuteInProcessResult, workspace: Workspace, tracking: MlflowTracking
) -> Iterator[dg.ExecuteInProcessResult]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(volume_forecast, "TREE_STEPS", (0, 10))
        patch.setattr(volume_forecast, "HALF_LIVES_DAYS", (56.0,))
        patch.setattr(volume_forecast, "WARM_UP_DAYS", 28)
        patch.setattr(offence_mix, "ROUND_STEPS", (15,))
        made = [*assets.build(AREA)[2:], *checks_of(tables.TABLES[3:])]
        yield dg.materialize(made, resources={"workspace": workspace, "tracking": tracking})


def checks_of(wanted: tuple) -> list[dg.AssetChecksDefinition]:
    names = {t.name for t in wanted}
    return [
        c
        for c in agency_checks.build(AREA)
        if {k.asset_key.path[-1] for k in c.check_keys} <= names
    ]


def outcomes(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {e.check_name: e.passed for e in result.get_asset_check_evaluations()}


def test_an_area_without_agencies_has_none_of_it():
    area = load_area("nyc")
    for build in (
        assets.build,
        agency_checks.build,
        agency_jobs.build,
        agency_jobs.build_schedules,
    ):
        assert build(area) == []


def test_an_area_with_agencies_has_every_table_in_groups_a_job_and_a_schedule_of_its_own():
    specs = [spec for made in assets.build(AREA) for spec in made.specs]
    keys = {"/".join(spec.key.path): spec.group_name for spec in specs}
    assert keys == {
        f"elsewhere/{t.layer}/{t.name}": f"elsewhere_{t.layer}"
        for t in (*nibrs.TABLES, *tables.TABLES)
    }
    definitions = dg.Definitions(
        assets=assets.build(AREA), asset_checks=agency_checks.build(AREA),
        jobs=agency_jobs.build(AREA), schedules=agency_jobs.build_schedules(AREA),
        resources={"workspace": None, "tracking": None},
    )  # fmt: skip
    selected = definitions.resolve_job_def("elsewhere_agencies").asset_layer.selected_asset_keys
    assert len(selected) == len(keys)
    schedule = agency_jobs.build_schedules(AREA)[0]
    assert (schedule.cron_schedule, schedule.execution_timezone) == (
        "0 2 1 * *",
        "America/New_York",
    )


def test_every_row_of_the_delivery_is_kept_or_refused(
    read: dg.ExecuteInProcessResult, workspace: Workspace
):
    store = workspace.tables(AREA.name)
    assert read.success
    found = outcomes(read)
    assert found.pop("few_rows_are_refused")
    assert set(found) == {"rows_are_accounted", "officers_add_up", "categories_are_within_all"}
    assert all(found.values())
    refused = store.read(raw.QUARANTINE, ["reported_offences"])
    assert refused["rule"].to_list() == ["occurrence_date_unreadable"]
    assert store.read(nibrs.POLICE_AGENCIES, ["all"])["state"].unique().to_list() == ["CT"]


def test_staffing_and_rates_are_stored(read: dg.ExecuteInProcessResult, workspace: Workspace):
    store = workspace.tables(AREA.name)
    staffing = store.read(tables.STAFFING, ["all"])
    assert staffing.filter("is_carried").select("agency_id", "year").rows() == [("1", 2023)]
    rates = store.read(tables.YEARLY_RATES, ["all"]).filter(
        agency_id="state", offence_category="all"
    )
    incidents = store.read(nibrs.REPORTED_OFFENCES, ["all"])["incident_id"].n_unique()
    assert rates["incidents_count"].to_list() == [incidents]
    assert rates["rate_per_1000"].to_list() == pytest.approx([incidents / 20])


@pytest.mark.slow  # two volume models, two classifiers and MLflow's database: 10 CPU seconds
def test_volume_and_mix_are_stored_judged_and_logged(
    learnt: dg.ExecuteInProcessResult, workspace: Workspace, tracking: MlflowTracking
):
    import mlflow

    assert learnt.success
    store = workspace.tables(AREA.name)
    forecasts = store.read(tables.VOLUME_FORECASTS, ["all"])
    assert forecasts.height == 30 * 3
    assert forecasts["origin_on"].unique().to_list() == [date(2022, 7, 30)]
    rules = [*agency_checks.BLOCKING.values(), *agency_checks.WARNING.values()]
    of_counts = {"officers_add_up", "categories_are_within_all"}
    assert set(outcomes(learnt)) == {name for names in rules for name in names} - of_counts
    assert all(outcomes(learnt).values())
    mix = store.read(tables.OFFENCE_MIX, ["all"])
    forgery = mix.filter(agency_id="1", offence_category="Forgery", is_weekend=False)
    by_part = dict(forgery.select("day_part", "offence_prob").rows())
    assert by_part["afternoon"] > 0.6 > 0.2 > by_part["night"]
    backtest = store.read(tables.VOLUME_BACKTEST, ["all"])

    mlflow.set_tracking_uri(tracking.uri)
    runs = mlflow.search_runs(experiment_names=["elsewhere/volume"], output_format="list")
    by_level = {run.data.tags["level"]: run for run in runs}
    assert set(by_level) == {"model", "fold"}
    fold, value = by_level["fold"], dict(backtest.select("metric", "value").rows())
    assert fold.data.tags["sealed"] == backtest["digest"][0]
    assert fold.data.tags["mlflow.parentRunId"] == by_level["model"].info.run_id
    for metric in ("poisson_deviance", "wape_agency_day", "wape_over_floor_state_day"):
        assert fold.data.metrics[metric] == pytest.approx(value[metric])
    compared = mlflow.search_runs(experiment_names=["elsewhere/offence_mix"], output_format="list")
    names = {run.data.params["model"] for run in compared}
    assert names == {"prior_of_state", "prior_by_place", "prior_by_place_and_kind", "lightgbm_none"}


def test_a_table_that_does_not_hold_stops_what_is_built_on_it(
    read: dg.ExecuteInProcessResult, workspace: Workspace, tmp_path: Path
):
    """Each blocking check, on a stored table that breaks its rule."""
    other = Workspace(workspace.settings.model_copy(update={"home": tmp_path}))
    store = other.tables(AREA.name)
    staffing = workspace.tables(AREA.name).read(tables.STAFFING, ["all"])
    rates = workspace.tables(AREA.name).read(tables.YEARLY_RATES, ["all"])
    store.write(tables.STAFFING, staffing.with_columns(officers_count=pl.col("officers_count") + 1))
    few = pl.when(pl.col("offence_category") == "all").then(0).otherwise(pl.col("incidents_count"))
    store.write(tables.YEARLY_RATES, rates.with_columns(incidents_count=few.cast(pl.Int64)))
    for table in (tables.STAFFING, tables.YEARLY_RATES):
        (rule,) = agency_checks.BLOCKING[table]
        ((name, finding),) = agency_checks.rules_of(table, (rule,))(other, AREA)
        assert name == rule
        assert not finding.holds


def test_what_is_missing_is_a_sentence(workspace: Workspace, tmp_path: Path):
    with pytest.raises(SettingError, match="NIBRS deliveries come from a folder of your own"):
        agency_results.store_deliveries(Workspace(load_settings(home=tmp_path)), AREA)
    empty = workspace.settings.model_copy(update={"home": tmp_path, "data_dir": tmp_path})
    agency_results.store_deliveries(Workspace(empty), AREA)
    with pytest.raises(MissingPartitionError, match="holds no NIBRS offences of Elsewhere"):
        agency_results.store_force(Workspace(empty), AREA)
