"""Out to a notebook and back through the command line, on the city's own folds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import Result
from htrisk_dagster.cli import app
from htrisk_dagster.defs.featured import features_table
from htrisk_dagster.defs.trained import read_fold_forecasts, training_set
from htrisk_dagster.evaluation.exchange_files import read_fold_set
from htrisk_dagster.features.inputs import target_counts
from htrisk_dagster_tests.defs.small_city import City
from typer.testing import CliRunner

pytestmark = pytest.mark.slow

MONTH = "2024-04-01"
Invoke = Callable[..., Result]


@pytest.fixture
def invoke(city: City) -> Invoke:
    def run(*arguments: str) -> Result:
        at = ("--data", str(city.published), "--home", str(city.settings.home))
        environment = {"HTRISK_HISTORY_START": str(city.settings.history_start)}
        return CliRunner().invoke(app, [*arguments, *at], env=environment)

    return run


@pytest.fixture(scope="module")
def exported(city: City, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("out") / "folds.npz"
    at = ("--data", str(city.published), "--home", str(city.settings.home))
    environment = {"HTRISK_HISTORY_START": str(city.settings.history_start)}
    result = CliRunner().invoke(app, ["export", "--to", str(path), *at], env=environment)
    assert result.exit_code == 0, result.output
    assert f"{path}: " in result.stdout
    assert json.loads(_header(path))["sha256"] in result.stdout
    return path


def _header(path: Path) -> bytes:
    with np.load(path) as stored:
        return bytes(stored["header.json"])


def test_the_export_is_what_the_models_were_trained_on(city: City, exported: Path) -> None:
    found = read_fold_set(exported)
    data = training_set(city.workspace, city.area, MONTH)
    np.testing.assert_array_equal(found.block.features, data.block.features)
    card = city.workspace.models(city.area).card(MONTH, "lightgbm")
    assert [str(f.test_start) for f in found.folds] == [f["test_start"] for f in card["folds"]]
    stored = city.workspace.tables("nyc").made_from(features_table(city.area))
    assert found.origin.made_from == stored[data.days[-1]]
    assert found.origin.month == MONTH, "the newest trained"
    (fold,) = found.folds
    cutoff = fold.cutoff(city.area.publication_lag.incidents_days)
    known = target_counts(data.inputs, data.days, known_before=cutoff)
    labels = found.labels[0]
    seen = np.isfinite(labels)
    np.testing.assert_array_equal(labels[seen], known[seen])
    assert found.block.days[seen.any(axis=1)][-1] < np.datetime64(fold.test_start)


def test_our_own_forecast_comes_back_with_its_own_seal_and_metrics(
    city: City, exported: Path, invoke: Invoke, tmp_path: Path
) -> None:
    data = read_fold_set(exported)
    (expected,) = read_fold_forecasts(city.workspace, city.area, MONTH, "lightgbm")
    rows = pl.DataFrame(
        {
            "risk_on": np.repeat(data.test_block(0).days, data.block.n_cells),
            "cell_id": np.tile(np.arange(data.block.n_cells), len(expected)),
            "fold": np.zeros(expected.size, dtype=np.int32),
            "expected_count": expected.ravel(),
        }
    )
    rows.write_csv(tmp_path / "mine.csv")
    result = invoke("score", "--forecast", str(tmp_path / "mine.csv"), "--month", MONTH)
    assert result.exit_code == 0, result.output
    card = city.workspace.models(city.area).card(MONTH, "lightgbm")
    assert f"- fold 0: `{card['folds'][0]['sealed']}`" in result.stdout
    lines = [line.split("|") for line in result.stdout.splitlines() if line.startswith("| ")]
    by_name = {line[1].strip(): line[2:] for line in lines}
    assert by_name["notebook"] == by_name["lightgbm"]
    assert by_name["notebook"] != by_name["historical_mean"]
    shown = f"{1000 * card['folds'][0]['metrics']['poisson_deviance']:.4g}"
    assert by_name["notebook"][1].strip() == shown

    rows.filter(pl.col("cell_id") != 3).write_csv(tmp_path / "mine.csv")
    refused = invoke("score", "--forecast", str(tmp_path / "mine.csv"))
    assert refused.exit_code == 1
    (line,) = refused.stderr.splitlines()
    assert f"{len(expected)} rows are missing, first cell 3" in line


def test_what_was_not_trained_is_said(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("score", "--forecast", "none.csv", "--month", "2024-05-01")
    assert result.exit_code == 1
    assert "The models of 2024-05-01 for area 'nyc' have not been trained" in result.stderr
    other = invoke("export", "--to", str(tmp_path / "a.npz"), "--target", "burglary")
    assert other.exit_code == 1
    assert "No models for burglary in nyc have been trained" in other.stderr
