"""What MLflow holds after the city's run: runs, registry, a model that predicts what was stored.

That nothing but this machine was asked for is asserted where the city is made (`conftest.py`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
import pytest
from htrisk_dagster.defs.compared import page_path
from htrisk_dagster.defs.featured import read_days
from htrisk_dagster.defs.mlflow_tracking import MlflowTracking
from htrisk_dagster.evaluation.effort import EFFORTS
from htrisk_dagster.models.count_model import MODEL_NAMES
from htrisk_dagster.schemas import predictions
from htrisk_dagster_tests.defs.small_city import City
from numpy.typing import NDArray

REGISTERED = "htrisk-nyc-trafficking_related"
LOGGED = (*MODEL_NAMES, "stack")
DAY = "2024-04-03"
MONTHS = ("2024-03-01", "2024-04-01")
PARENT = "mlflow.parentRunId"


@pytest.fixture(scope="module")
def client(city: City) -> Iterator[object]:
    import mlflow

    before = mlflow.get_tracking_uri()
    MlflowTracking(city.settings.tracking_uri, city.settings.mlflow_store).prepare()
    yield mlflow.MlflowClient()
    mlflow.set_tracking_uri(before)


@pytest.fixture(scope="module")
def all_runs(client) -> list:
    experiments = [
        e.experiment_id for e in client.search_experiments() if e.name.startswith("nyc/")
    ]
    return list(client.search_runs(experiments, max_results=200))


@pytest.fixture(scope="module")
def runs(all_runs) -> dict[tuple[str, str], object]:
    """Run by model and month."""
    found = [r for r in all_runs if r.data.tags["level"] == "model"]
    assert len(found) == len(LOGGED) * len(MONTHS)
    return {(r.data.tags["model"], r.data.tags["month"]): r for r in found}


@pytest.fixture(scope="module")
def trainings(all_runs) -> dict[str, object]:
    """Run of the training by month."""
    found = [r for r in all_runs if r.data.tags["level"] == "training"]
    assert len(found) == len(MONTHS)
    return {r.data.tags["month"]: r for r in found}


def test_every_model_of_every_month_has_one_finished_run(runs) -> None:
    wanted = {(m, month) for m in LOGGED for month in MONTHS}

    assert set(runs) == wanted
    assert {r.info.status for r in runs.values()} == {"FINISHED"}


def test_folds_lie_below_models_and_models_below_their_training(
    city: City, all_runs, runs, trainings
) -> None:
    for (_, month), run in runs.items():
        assert run.data.tags[PARENT] == trainings[month].info.run_id
    folds = [r for r in all_runs if r.data.tags["level"] == "fold"]
    by_parent = {r.data.tags[PARENT]: r for r in folds}
    assert len(folds) == len(by_parent) == len(runs), "one fold each in the profile smoke"
    for (model, month), run in runs.items():
        card = city.workspace.models(city.area).card(month, model)
        fold = by_parent[run.info.run_id]
        assert fold.info.status == "FINISHED"
        assert fold.data.tags["sealed"] == card["folds"][0]["sealed"]
        assert fold.data.params["test_start"] == card["folds"][0]["test_start"]
        auc = card["folds"][0]["metrics"]["auc"]
        assert fold.data.metrics["auc"] == pytest.approx(auc, rel=1e-12)


def test_a_training_holds_the_data_digest_and_its_champion(city: City, trainings) -> None:
    for month, run in trainings.items():
        card = city.workspace.models(city.area).card(month, "champion")
        assert run.info.status == "FINISHED"
        assert PARENT not in run.data.tags
        (used,) = run.inputs.dataset_inputs
        assert used.dataset.digest == card["made_from"]
        assert run.data.tags["champion"] == card["champion"]
        for model, deviance in card["deviances"].items():
            logged = run.data.metrics[f"deviance_{model}"]
            assert logged == pytest.approx(deviance, rel=1e-12)


def test_a_training_has_one_page_its_figures_and_their_points(
    city: City, client, trainings
) -> None:
    for month, run in trainings.items():
        run_id = run.info.run_id
        found = {f.path for f in client.list_artifacts(run_id)}
        assert {"comparison.html", "figures", "curves"} <= found
        drawn = {Path(f.path).stem for f in client.list_artifacts(run_id, "figures")}
        points = {Path(f.path).stem for f in client.list_artifacts(run_id, "curves")}
        assert drawn == points == {"roc", "precision_recall", "pai_by_area", "calibration"}
        page = Path(client.download_artifacts(run_id, "comparison.html")).read_text()
        assert page == page_path(city.workspace, city.area, month).read_text()
        assert len(page) < 300_000
        data = json.loads(Path(client.download_artifacts(run_id, "curves/roc.json")).read_text())
        assert set(data) == {*LOGGED, "ceiling"}


def test_every_model_has_its_figures_with_baseline_and_ceiling(client, runs) -> None:
    for (model, _), run in runs.items():
        figures = client.list_artifacts(run.info.run_id, "figures")
        assert len(figures) == 4
        drawing = Path(client.download_artifacts(run.info.run_id, "figures/roc.svg")).read_text()
        shown = set(re.findall(r"<path class=.line [^>]*><title>([^<]*)", drawing))
        assert shown == {model, "historical_mean", "ceiling"}


def test_the_champion_links_its_page(city: City, trainings) -> None:
    with city.instance() as instance:
        for month, run in trainings.items():
            event = instance.fetch_materializations(
                dg.AssetRecordsFilter(
                    asset_key=dg.AssetKey(["nyc", "models", "champion"]), asset_partitions=[month]
                ),
                limit=1,
            ).records[0]
            metadata = event.asset_materialization.metadata
            wanted = f"/runs/{run.info.run_id}/artifacts/comparison.html"
            assert metadata["comparison_in_mlflow"].value.endswith(wanted)
            assert Path(metadata["comparison_page"].value).is_file()


def test_runs_say_what_went_in(city: City, runs) -> None:
    folds = city.workspace.models(city.area)
    for (model, month), run in runs.items():
        card = folds.card(month, model)
        assert run.data.params["seed"] == str(city.settings.seed)
        assert set(run.data.params) == {*card["params"], "seed"}
        (used,) = run.inputs.dataset_inputs
        assert used.dataset.digest == card["made_from"]
        assert [t.value for t in used.tags] == ["training"]


def test_metrics_are_those_of_the_folds(city: City, client, runs) -> None:
    for (model, month), run in runs.items():
        (fold,) = city.workspace.models(city.area).card(month, model)["folds"]
        for name in ("poisson_deviance", "auc"):
            (logged,) = client.get_metric_history(run.info.run_id, name)
            assert logged.value == pytest.approx(fold["metrics"][name], rel=1e-12)
            assert logged.step == 0


def test_learning_curves_are_whole(client, runs) -> None:
    options = EFFORTS["smoke"].options
    by_model = {
        "lightgbm": options["lightgbm"]["n_estimators"],
        "xgboost": options["xgboost"]["n_estimators"],
        "lstm": options["lstm"]["epochs"],
    }
    for (model, _), run in runs.items():
        curves = [
            len(client.get_metric_history(run.info.run_id, name))
            for name in run.data.metrics
            if name.startswith("train")
        ]
        assert max(curves, default=0) == by_model.get(model, 0), model


def test_curves_and_card_are_there_as_json(client, runs) -> None:
    for run in runs.values():
        found = {f.path for f in client.list_artifacts(run.info.run_id)}
        assert {"card.json", "curves"} <= found
        curves = client.list_artifacts(run.info.run_id, "curves")
        assert len(curves) >= 2
        assert all(c.path.endswith(".json") and c.file_size > 100 for c in curves)


def test_a_run_names_the_dagster_run_and_the_asset_names_the_run(city: City, runs) -> None:
    with city.instance() as instance:
        for (model, month), run in runs.items():
            event = instance.fetch_materializations(
                dg.AssetRecordsFilter(
                    asset_key=dg.AssetKey(["nyc", "models", model]), asset_partitions=[month]
                ),
                limit=1,
            ).records[0]
            metadata = event.asset_materialization.metadata
            assert run.data.tags["dagster_run_id"] == event.run_id
            assert instance.get_run_by_id(event.run_id).is_success
            assert metadata["mlflow_run_id"].value == run.info.run_id
            assert metadata["mlflow_run"].value.endswith(f"/runs/{run.info.run_id}")


def test_aliases_are_of_the_newest_month(city: City, client, runs) -> None:
    """March's models were trained after April's, for an older range of days."""
    chosen = city.workspace.models(city.area).card("2024-04-01", "champion")
    for alias in ("champion", "challenger"):
        if chosen[alias] is None:
            continue
        version = client.get_model_version_by_alias(REGISTERED, alias)
        assert version.run_id == runs[chosen[alias], "2024-04-01"].info.run_id
        assert version.status == "READY"


def test_the_champion_predicts_what_was_stored(city: City, client) -> None:
    import mlflow

    name = city.workspace.models(city.area).card("2024-04-01", "champion")["champion"]

    loaded = mlflow.pyfunc.load_model(f"models:/{REGISTERED}@champion")
    predicted = loaded.predict(_frame(city))

    np.testing.assert_array_equal(predicted, _stored(city, name))


@pytest.mark.parametrize("model", LOGGED)
def test_every_version_predicts_what_was_stored(city: City, client, runs, model: str) -> None:
    import mlflow

    run = runs[model, "2024-04-01"]
    (version,) = client.search_model_versions(f"run_id = '{run.info.run_id}'")
    frame = _frame(city)
    shuffled = frame.sample(frac=1.0, random_state=3)

    predicted = mlflow.pyfunc.load_model(f"models:/{REGISTERED}/{version.version}").predict(
        shuffled
    )

    np.testing.assert_array_equal(predicted, _stored(city, model)[shuffled.index.to_numpy()])


def test_a_frame_that_lacks_a_cell_or_a_feature_is_refused(city: City, client) -> None:
    import mlflow

    loaded = mlflow.pyfunc.load_model(f"models:/{REGISTERED}@champion")
    frame = _frame(city)

    with pytest.raises(ValueError, match="give every cell of every day once"):
        loaded.predict(frame.iloc[[0, 0, 1]])
    with pytest.raises(mlflow.exceptions.MlflowException, match="target_lag_1"):
        loaded.predict(frame.drop(columns="target_lag_1"))


def test_no_artifact_is_a_pickle(city: City) -> None:
    files = [p for p in (city.settings.mlflow_store / "artifacts").rglob("*") if p.is_file()]
    models = [p for p in files if p.name == "name.txt"]

    assert len(models) == 2 * len(LOGGED)
    for path in files:
        assert path.suffix not in (".pkl", ".pickle", ".cloudpickle", ".pt", ".pth"), path
        # The first opcode of every protocol of pickle since 2.
        assert path.read_bytes()[:2] not in {bytes([0x80, n]) for n in range(2, 6)}, path


def test_files_in_mlflow_are_those_that_forecast(city: City, runs) -> None:
    artifacts = city.settings.mlflow_store / "artifacts"
    logged = {_digest(p) for p in artifacts.rglob("*") if p.is_file()}
    for model, month in runs:
        for name, content in city.workspace.models(city.area).read(month, model).items():
            if name != "folds.npz":
                assert hashlib.sha256(content).hexdigest() in logged, (model, name)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _frame(city: City):  # pandas, as MLflow wants it
    block = read_days(city.workspace, city.area, [DAY])
    frame = pl.DataFrame(block.features[0], schema=list(block.names), orient="row").to_pandas()
    frame.insert(0, "risk_on", block.days.astype("datetime64[ns]")[0])
    frame.insert(1, "cell_id", np.arange(block.n_cells, dtype=np.int32))
    frame.insert(2, "precinct_index", block.precinct_index)
    frame.insert(3, "borough_index", block.borough_index)
    return frame


def _stored(city: City, model: str) -> NDArray[np.float64]:
    rows = city.workspace.tables("nyc").read(predictions.MODEL_FORECASTS, [DAY])
    return rows.filter(pl.col("model") == model).sort("cell_id")["expected_count"].to_numpy()
