"""A city from rows to maps: the same files and figures however the work is cut."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.evaluation.count_scores import poisson_deviance
from htrisk_dagster.evaluation.hotspot_accuracy import hit_rate
from htrisk_dagster.features.inputs import target_counts
from htrisk_dagster.publishing.risk_bands import BAND_SHARES
from htrisk_dagster.scale.city_run import run_cities
from htrisk_dagster.scale.execution import InProcess
from htrisk_dagster.scale.fixed_point import added
from htrisk_dagster.scale.fixed_point import figures as figures_of
from htrisk_dagster.scale.score_work import score_days
from htrisk_dagster.scale.shared_storage import SharedStorage
from htrisk_dagster.scale.unit import Unit, periods_of
from htrisk_dagster.schemas import predictions
from htrisk_dagster.warehouse.partitions import Partitions
from htrisk_dagster_tests.scale.conftest import LAST, MODELS, MONTH, TinyCity

DAYS = [f"2024-03-0{d}" for d in range(1, 10)]


@pytest.fixture(scope="module")
def whole(
    tiny_city: TinyCity, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, float]]:
    folder = tmp_path_factory.mktemp("city_run") / "shared"
    said: list[str] = []
    found = run_cities(InProcess(), tiny_city.copy_to(folder), [tiny_city.plan], said.append)
    assert [line.split(":")[0] for line in said] == [
        "features of cities", "models", "crowns", "periods of scores and maps",
    ]  # fmt: skip
    return folder, found["tiny"]


def test_another_cut_gives_the_same_files_and_figures(
    tiny_city: TinyCity, whole: tuple[Path, dict[str, float]], tmp_path: Path
) -> None:
    folder, figures = whole
    storage = tiny_city.copy_to(tmp_path / "cut")

    found = run_cities(InProcess(n_tiles=3, period_days=75), storage, [tiny_city.plan], print)

    assert found == {"tiny": figures}
    made = files(folder)
    assert made == files(tmp_path / "cut")
    assert len([name for name in made if name.endswith(".html")]) == len(DAYS)


def test_scores_of_two_periods_are_those_of_one(
    tiny_city: TinyCity, whole: tuple[Path, dict[str, float]], tmp_path: Path
) -> None:
    folder, figures = whole
    again = tmp_path / "again"
    shutil.copytree(folder, again)
    shutil.rmtree(again / "predictions")
    shutil.rmtree(again / "maps")
    months = dict.fromkeys((*MODELS, "stack", "champion"), MONTH.isoformat())
    settings = replace(tiny_city.plan.settings, models=months)

    reports = [
        score_days(Unit(SharedStorage(str(again)), tiny_city.area, 0, period, settings))
        for period in periods_of(MONTH, LAST, 5)
    ]

    sums = added(report.sums for report in reports)
    assert figures_of(sums, (*MODELS, "stack", "champion"), BAND_SHARES) == figures
    assert files(again) == files(folder)


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_figures_are_those_of_the_stored_forecasts_and_the_counts(
    tiny_city: TinyCity, whole: tuple[Path, dict[str, float]]
) -> None:
    """The metrics of `evaluation`, on doubles and all days at once."""
    folder, figures = whole
    forecasts = Partitions(folder, "tiny").read(predictions.MODEL_FORECASTS, DAYS)
    counts = target_counts(tiny_city.inputs, DAYS)
    assert figures["incidents"] == counts.sum()
    assert figures["cell_days"] == counts.size
    for name in (*MODELS, "stack", "champion"):
        expected = forecasts.filter(pl.col("model") == name)["expected_count"].to_numpy()
        expected = expected.reshape(counts.shape)
        assert figures[f"expected:{name}"] == pytest.approx(expected.sum(), rel=1e-9)
        assert figures[f"deviance:{name}"] == pytest.approx(
            poisson_deviance(counts, expected), rel=1e-8
        )
        assert figures[f"hit_rate:{name}:0.05"] == pytest.approx(
            hit_rate(counts, expected, share=0.05), rel=1e-12
        )


def test_the_stored_risk_is_the_champions(whole: tuple[Path, dict[str, float]]) -> None:
    folder, figures = whole
    risk = Partitions(folder, "tiny").read(predictions.CELL_DAY_RISK, DAYS)

    assert risk["expected_count"].sum() == pytest.approx(figures["expected:champion"], rel=1e-9)
    assert (risk["trained_before"].to_numpy() < np.datetime64(MONTH)).all()
    assert risk["risk_on"].max() == LAST
