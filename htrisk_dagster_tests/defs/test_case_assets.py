"""The victim-population group through Dagster on a small invented release, and what may leave."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from htrisk_dagster.definitions import build_definitions
from htrisk_dagster.defs import case_results
from htrisk_dagster.defs.runs import Runner, StepFailedError
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.schemas import victim_population as tables
from htrisk_dagster.settings import load_settings
from htrisk_dagster.victim_population import standard_tables, suppression
from htrisk_dagster_tests.victim_population.ctdc_layouts import (
    FIRST_SYNTHETIC,
    LATER_SYNTHETIC,
    synthetic_rows,
    write_csv,
)

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "ctdc"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.real_data,
    pytest.mark.skipif(not SHARED.is_dir(), reason=f"CTDC's release is not at {SHARED}"),
]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    home = tmp_path_factory.mktemp("cases")
    return Workspace(load_settings(origin="files", data_dir=SHARED, home=home))


@pytest.fixture(scope="module")
def runner(workspace: Workspace) -> Runner:
    definitions = build_definitions(workspace.settings)
    with dg.DagsterInstance.ephemeral() as instance:
        made = Runner(definitions, instance, workspace.area("nyc"))
        made.materialise_group("ctdc_victim_population")
        yield made


def test_the_seeds_recipe_comes_back(runner: Runner, workspace: Workspace):
    stored = case_results.case_store(workspace).read(tables.LOGIT_COEFFICIENTS, ["all"])
    seed = stored.filter((pl.col("model") == "sexual_exploitation") & (pl.col("recipe") == "seed"))
    assert seed["coefficient"].to_list() == pytest.approx([0.712, -4.602, 1.861, 1.678], abs=1e-3)


def test_results_show_their_tables(runner: Runner):
    for name in ("yearly_counts", "tactics", "flows", "logit_coefficients", "published_tables"):
        key = dg.AssetKey(["ctdc", "victim_population", name])
        event = runner.instance.get_latest_materialization_event(key)
        shown = event.asset_materialization.metadata["table"].value
        assert shown.startswith(("| ", "**")), name


def test_no_small_count_is_in_the_published_files(runner: Runner, workspace: Workspace):
    released = case_results.read_published(workspace)
    counts = pl.concat([t.cells.select("count") for t in released])["count"]
    assert counts.null_count() > 0
    assert not counts.is_between(1, 10).any()


def test_naive_suppression_is_found_by_the_check(runner: Runner, workspace: Workspace):
    """Only small counts blanked, nothing to protect them: margins give them away."""
    name = "recruiter_by_gender_by_majority"
    path = case_results.published_folder(workspace) / f"{name}.csv"
    whole = path.read_text()
    records = standard_tables.for_standard_tables(case_results.records_of(workspace))
    spec = next(t for t in standard_tables.STANDARD_TABLES if t.name == name)
    (true,) = suppression.publish(records, [spec], k=1)
    small = pl.col("count").is_between(1, 10)
    naive = true.cells.with_columns(pl.when(~small).then(pl.col("count")).alias("count"))
    assert 0 < naive["count"].null_count() < pl.read_csv(path)["count"].null_count()
    try:
        naive.write_csv(path)
        found = _run_check(runner)
        assert not found.passed
        assert found.blocking
        assert found.metadata["recovered"].value > 0
    finally:
        path.write_text(whole)
    assert _run_check(runner).passed


def _run_check(
    runner: Runner, asset: str = "published_tables", check_name: str = "attack_recovers_nothing"
) -> dg.AssetCheckEvaluation:
    check = dg.AssetCheckKey(dg.AssetKey(["ctdc", "victim_population", asset]), check_name)
    job = dg.define_asset_job("only_the_check", selection=dg.AssetSelection.checks(check))
    definitions = dg.Definitions.merge(runner.definitions, dg.Definitions(jobs=[job]))
    result = definitions.resolve_job_def("only_the_check").execute_in_process(
        instance=runner.instance, raise_on_error=False
    )
    (evaluation,) = result.get_asset_check_evaluations()
    return evaluation


def test_a_recode_that_is_not_counted_is_found_by_the_check(runner: Runner, workspace: Workspace):
    store = case_results.case_store(workspace)
    recodes = store.read(tables.RECODE_COUNTS, ["all"])
    totals = recodes.group_by("column").agg(pl.col("records_count").sum())
    assert totals["records_count"].unique().to_list() == [47_102]
    assert _run_check(runner, "recode_counts", "every_recode_is_counted").passed
    try:
        store.write(tables.RECODE_COUNTS, recodes.slice(1))
        found = _run_check(runner, "recode_counts", "every_recode_is_counted")
        assert not found.passed
        assert str(recodes["column"][0]) in str(found.description)
    finally:
        store.write(tables.RECODE_COUNTS, recodes)


def test_case_store_and_places_are_strangers(runner: Runner, workspace: Workspace):
    root = case_results.case_store(workspace).root
    assert root.stat().st_mode & 0o777 == 0o700
    graph = runner.definitions.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        if key.path[0] == "ctdc":
            assert all(parent.path[0] == "ctdc" for parent in graph.get(key).parent_keys)
            assert all(child.path[0] == "ctdc" for child in graph.get(key).child_keys)


def test_without_a_folder_the_error_is_a_sentence(tmp_path: Path):
    bare = Workspace(load_settings(home=tmp_path))
    with dg.DagsterInstance.ephemeral() as instance:
        runner = Runner(build_definitions(bare.settings), instance, bare.area("nyc"))
        with pytest.raises(StepFailedError, match="run `htrisk cases --data FOLDER`"):
            runner.materialise_group("ctdc_victim_population")


@pytest.mark.parametrize("header", [FIRST_SYNTHETIC, LATER_SYNTHETIC], ids=["first", "later"])
def test_synthetic_layouts_go_through_the_group(header: list[str], tmp_path: Path):
    """No data source, and in later releases no majority at exploitation: said, not failed on."""
    data = tmp_path / "data"
    data.mkdir()
    write_csv(data / "ctdc_synthetic.csv", header, synthetic_rows(3_000, 7, header))
    here = Workspace(load_settings(origin="files", data_dir=data, home=tmp_path / "home"))
    with dg.DagsterInstance.ephemeral() as instance:
        runner = Runner(build_definitions(here.settings), instance, here.area("nyc"))
        runner.materialise_group("ctdc_victim_population")
        key = dg.AssetKey(["ctdc", "victim_population", "logit_coefficients"])
        event = instance.get_latest_materialization_event(key)
    findings = event.asset_materialization.metadata["findings"].value
    stored = case_results.case_store(here).read(tables.LOGIT_COEFFICIENTS, ["all"])
    if "majorityStatusAtExploit" in header:
        assert "the file does not name the data source" in findings
        assert set(stored["recipe"]) == {"seed", "known_only"}
    else:
        assert "majority status at exploitation" in findings
        assert stored.is_empty()
    assert case_results.case_store(here).read(tables.RECORDS, ["all"]).height == 3_000
